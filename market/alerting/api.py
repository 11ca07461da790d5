"""Alert rules and what fired. Each user sees their own rules and everybody's; another's is a 404."""

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tradeops.core.api import PagedParams, refuse_unknown
from tradeops.core.pagination import KeysetPagination
from tradeops.core.preconditions import IF_MATCH, named_tags
from tradeops.core.users.roles import Action

from ..models import Alert, AlertRule
from .reading import fired_seen
from .serializers import AlertRuleRequestSerializer, AlertRuleSerializer, AlertSerializer, FiredParams
from .services import acknowledge, change_rule, delete_rule, make_rule


class NewestPagination(KeysetPagination):
    ordering = ("-id",)


class RuleView(GenericAPIView):
    writes = Action.KEEP_ALERTS
    queryset = AlertRule.objects.none()
    serializer_class = AlertRuleSerializer
    pagination_class = NewestPagination
    filter_backends: list = []

    def shown(self, rules, *, many: bool = False):
        context = {"now": timezone.now(), "user": self.request.user}
        return AlertRuleSerializer(rules, many=many, context=context).data

    def asked(self, *, partial: bool = False) -> AlertRuleRequestSerializer:
        body = AlertRuleRequestSerializer(data=self.request.data, partial=partial)
        body.is_valid(raise_exception=True)
        return body

    def answer(self, rule: AlertRule, status: int = 200) -> Response:
        """The rule, and the ETag that a change of it may name."""
        return Response(self.shown(rule), status=status, headers={"ETag": rule.tag})


class AlertRules(RuleView):
    """Alert rules: your own and everybody's, newest first. POST makes one.

    A rule fires once a breach. `percent_change` watches the change over `window_seconds` (5 to 3600) against
    `threshold` percent, upward or by `direction` downward; `price_above` and `price_below` a price of one ticker;
    `stale` that no price came for `window_seconds`. All strictly. A rule that is true when it is made waits until it
    was false once. `cooldown_seconds` pass at least between two alerts of a ticker.
    """

    @extend_schema(operation_id="alerts_list", responses=AlertRuleSerializer(many=True))
    def get(self, request: Request) -> Response:
        PagedParams.read(request)
        page = self.paginate_queryset(AlertRule.objects.visible_to(request.user))
        return self.get_paginated_response(self.shown(page, many=True))

    @extend_schema(request=AlertRuleRequestSerializer, responses={201: AlertRuleSerializer})
    def post(self, request: Request) -> Response:
        body = self.asked()
        owner = None if body.validated_data.get("everybody") else request.user
        return self.answer(make_rule(AlertRule(owner=owner, **body.values()), actor=request.user), status=201)


class AlertRuleDetail(RuleView):
    """One rule. A change of what it says, or a pause, has it wait like a new one."""

    def rule(self) -> AlertRule:
        return get_object_or_404(AlertRule.objects.visible_to(self.request.user), pk=self.kwargs["rule_id"])

    def get(self, request: Request, rule_id: int) -> Response:
        refuse_unknown(request.query_params)
        return self.answer(self.rule())

    @extend_schema(request=AlertRuleRequestSerializer, parameters=[IF_MATCH])
    def put(self, request: Request, rule_id: int) -> Response:
        rule, body = self.rule(), self.asked()
        return self.change(rule, body, body.defaults() | body.values())

    @extend_schema(request=AlertRuleRequestSerializer, parameters=[IF_MATCH])
    def patch(self, request: Request, rule_id: int) -> Response:
        rule, body = self.rule(), self.asked(partial=True)
        return self.change(rule, body, body.values())

    def change(self, rule: AlertRule, body: AlertRuleRequestSerializer, values: dict) -> Response:
        if body.validated_data.get("everybody") not in (None, rule.owner_id is None):
            raise ValidationError({"everybody": "Whose rule it is stays as it was made."})
        tags = named_tags(self.request)
        return self.answer(change_rule(rule, values, actor=self.request.user, expected_tags=tags))

    @extend_schema(responses={204: None}, parameters=[IF_MATCH])
    def delete(self, request: Request, rule_id: int) -> Response:
        delete_rule(self.rule(), actor=request.user, expected_tags=named_tags(request))
        return Response(status=204)


class FiredAlerts(GenericAPIView):
    """What fired, newest first, each with its times and latency."""

    queryset = Alert.objects.none()
    serializer_class = AlertSerializer
    pagination_class = NewestPagination
    filter_backends: list = []

    @extend_schema(operation_id="alerts_fired_list", responses=AlertSerializer(many=True), parameters=[FiredParams])
    def get(self, request: Request) -> Response:
        params = FiredParams.read(request)
        page = self.paginate_queryset(fired_seen(request.user, params).in_full())
        return self.get_paginated_response(AlertSerializer(page, many=True).data)


class Acknowledgement(APIView):
    """POST notes that you have seen to an alert; the first one who does is kept."""

    writes = Action.KEEP_ALERTS

    @extend_schema(request=None, responses=AlertSerializer)
    def post(self, request: Request, alert_id: int) -> Response:
        alert = get_object_or_404(Alert.objects.visible_to(request.user), pk=alert_id)
        return Response(AlertSerializer(acknowledge(alert, actor=request.user)).data)
