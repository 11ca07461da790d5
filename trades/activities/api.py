"""The addresses of activities: booking, correction, void, history."""

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from tradeops.core.api import refuse_unknown
from tradeops.core.browsable import BrowsableAPIRenderer
from tradeops.core.download import CsvRenderer, csv_response
from tradeops.core.pagination import KeysetPagination

from .. import services
from ..filters import ActivityFilter, BookFilterBackend, filter_rows
from ..models import Activity
from ..requests import IDEMPOTENCY_KEY, BookView, account_of, idempotency_key
from ..versions.api import VersionDetail, VersionHistory, booking_response, correcting, refuse_moves
from ..versions.serializers import ActivityVersionSerializer
from .reading import NEWEST_FIRST, csv_pages, with_effects
from .serializers import ActivityCorrectionSerializer, ActivityRequestSerializer, ActivitySerializer, column_values


def described(activity: Activity) -> dict:
    return dict(ActivitySerializer(with_effects([activity])[0]).data)


class ActivityPagination(KeysetPagination):
    ordering = NEWEST_FIRST


class ActivityList(BookView):
    """What moves an account besides trades; newest first.

    POST books one: `kind`, and the fields of its kind. `effective_at` may be a day, which begins as the account's own.

    - `deposit`, `withdrawal`, `interest`, `fee`: `amount`
    - `dividend`, `return_of_capital`: `ticker`, `amount_per_unit`; a dividend's `pay_at`
    - `split`, `reverse_split`: `ticker`, `ratio` of new units to old (`4:1`, `1:3`), `cash_in_lieu_price`
    - `symbol_change`: `ticker`, `new_ticker`
    - `transfer_in`, `transfer_out`: `ticker`, `quantity`, `cost_basis`, `acquired_at`
    - `method_change`: `pnl_method`

    What cannot have happened to the book is a 409 that names the trades or activities concerned. `?format=csv` streams
    all that match, as an import takes them.
    """

    queryset = Activity.objects.none()
    serializer_class = ActivitySerializer
    filter_backends = [BookFilterBackend]
    filterset_class = ActivityFilter
    pagination_class = ActivityPagination
    renderer_classes = [JSONRenderer, BrowsableAPIRenderer, CsvRenderer]

    @extend_schema(responses=ActivitySerializer(many=True))
    def get(self, request: Request) -> Response:
        known = ["cursor", "page_size", "format"]
        activities = Activity.objects.current().visible_to(request.user).select_related("entry", "account")
        matching = filter_rows(ActivityFilter, activities, request.query_params, known)
        if request.accepted_renderer.format == "csv":
            return csv_response(request._request, csv_pages(matching), "activities.csv")
        page = with_effects(self.paginate_queryset(matching))
        return self.get_paginated_response(ActivitySerializer(page, many=True).data)

    @extend_schema(request=ActivityRequestSerializer, responses={201: ActivitySerializer}, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request) -> Response:
        refuse_unknown(request.query_params)
        body = ActivityRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        account = account_of(request, body.validated_data.get("account"))
        activity = Activity(account=account, **column_values(body.validated_data, account))
        booking = services.book_activity(
            activity, actor=request.user, idempotency_key=idempotency_key(request), describe=described
        )
        with_effects([booking.row])
        return booking_response(booking, ActivitySerializer, 201)


@extend_schema_view(
    put=correcting(ActivityCorrectionSerializer, ActivitySerializer),
    patch=correcting(ActivityCorrectionSerializer, ActivitySerializer),
)
class ActivityDetail(VersionDetail):
    """One activity. A change is a correction and a delete a void: the old version stays readable."""

    model = Activity
    queryset = Activity.objects.none()
    serializer_class = ActivitySerializer
    correction_class = ActivityCorrectionSerializer

    def with_effects(self, row: Activity) -> Activity:
        return with_effects([row])[0]

    def changes_of(self, row: Activity, said: dict) -> dict:
        refuse_moves(row, said, "account", "kind")
        changes = column_values(said, row.account)
        changes.pop("kind", None)
        return changes


@extend_schema_view(get=extend_schema(responses=ActivityVersionSerializer(many=True)))
class ActivityHistory(VersionHistory):
    """Each version of an activity, the first first: when, who, why, what changed."""

    model = Activity
    queryset = Activity.objects.none()
    serializer_class = ActivityVersionSerializer
