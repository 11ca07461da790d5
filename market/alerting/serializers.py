"""Alert rules and alerts on their JSON."""

from rest_framework import serializers

from tradeops.core.api import ExactDecimalField, PagedParams, StrictSerializer
from tradeops.core.moments import InstantField, MomentField

from ..models import Alert, AlertKind, AlertRule, Direction, validate_ticker
from ..serializers import PercentNumber, PriceNumber
from .webhooks import CHOSEN, MOST_CHARACTERS
from .writing import words_of

BIGGEST_ID, BIGGEST_SECONDS = 2**63 - 1, 2**31 - 1


class TickerNameField(serializers.CharField):
    def __init__(self, **options):
        super().__init__(max_length=16, validators=[validate_ticker], **options)


class AlertRuleRequestSerializer(StrictSerializer):
    """A rule as it is made or changed."""

    kind = serializers.ChoiceField(choices=AlertKind.choices)
    ticker = TickerNameField(
        required=False, allow_null=True, source="instrument_id", help_text="Left out or null: every ticker."
    )
    threshold = ExactDecimalField(required=False, allow_null=True, above=0, help_text="In percent, or a price.")
    direction = serializers.ChoiceField(choices=Direction.choices, required=False, help_text="Of a change: up.")
    window_seconds = serializers.IntegerField(required=False, min_value=1, max_value=BIGGEST_SECONDS)
    cooldown_seconds = serializers.IntegerField(required=False, min_value=0, max_value=BIGGEST_SECONDS)
    expires_at = InstantField(required=False, allow_null=True)
    snoozed_until = InstantField(required=False, allow_null=True)
    paused = serializers.BooleanField(required=False, source="is_paused")
    by_email = serializers.BooleanField(required=False)
    webhook_url = serializers.CharField(required=False, allow_blank=True, max_length=MOST_CHARACTERS)
    webhook_secret = serializers.RegexField(
        CHOSEN, required=False, allow_blank=True, help_text="Left out: as it is. Empty: a new one is made.",
        error_messages={"invalid": "It must be 32 to 64 characters of ASCII without spaces, or empty."},
    )  # fmt: skip
    everybody = serializers.BooleanField(required=False, help_text="A rule of everybody's; the back office alone.")

    def values(self) -> dict:
        """What fields of the model are to be; whose it is stays."""
        return {name: value for name, value in self.validated_data.items() if name != "everybody"}

    def defaults(self) -> dict:
        """What they are in a new rule; a secret that is not spoken of stays."""
        fresh, kept = AlertRule(), ("everybody", "webhook_secret")
        return {field.source: getattr(fresh, field.source) for name, field in self.fields.items() if name not in kept}


class AlertRuleSerializer(serializers.ModelSerializer):
    """A rule. `status` is active, paused, snoozed or expired; `words` what it says."""

    ticker = serializers.CharField(allow_null=True)
    threshold = ExactDecimalField(allow_null=True)
    expires_at = InstantField(allow_null=True)
    snoozed_until = InstantField(allow_null=True)
    paused = serializers.BooleanField(source="is_paused")
    everybody = serializers.SerializerMethodField()
    status = serializers.SerializerMethodField()
    words = serializers.CharField()
    made_at = InstantField()
    webhook_url = serializers.SerializerMethodField()
    webhook_secret = serializers.SerializerMethodField(help_text="What its messages are signed with.")

    class Meta:
        model = AlertRule
        fields = [
            "id", "kind", "ticker", "threshold", "direction", "window_seconds", "cooldown_seconds", "expires_at",
            "snoozed_until", "paused", "by_email", "webhook_url", "webhook_secret", "everybody", "status", "words",
            "made_at",
        ]  # fmt: skip

    def get_everybody(self, rule) -> bool:
        return rule.owner_id is None

    def get_status(self, rule) -> str:
        return rule.standing(self.context["now"])

    def get_webhook_url(self, rule) -> str:
        return rule.webhook_url if rule.may_be_changed_by(self.context["user"]) else ""

    def get_webhook_secret(self, rule) -> str:
        return rule.webhook_secret if rule.may_be_changed_by(self.context["user"]) else ""


class AlertSerializer(serializers.ModelSerializer):
    """A rule that fired, with its times: of the tick, when the rule saw it, when the open pages were told."""

    rule = serializers.IntegerField(source="rule_id", allow_null=True)
    ticker = serializers.CharField()
    price = PriceNumber(read_only=True)
    change_percentage = PercentNumber(read_only=True, allow_null=True)
    tick_at, detected_at = InstantField(), InstantField()
    published_at, acknowledged_at = InstantField(allow_null=True), InstantField(allow_null=True)
    acknowledged_by = serializers.CharField(source="acknowledged_by.username", default=None, allow_null=True)
    latency_ms = serializers.IntegerField(allow_null=True)
    everybody = serializers.SerializerMethodField()
    message = serializers.SerializerMethodField()

    class Meta:
        model = Alert
        fields = [
            "id", "rule", "ticker", "kind", "price", "change_percentage", "window_seconds", "threshold", "source",
            "tick_at", "detected_at", "published_at", "latency_ms", "acknowledged_at", "acknowledged_by", "everybody",
            "message",
        ]  # fmt: skip

    def get_everybody(self, alert) -> bool:
        return alert.owner_id is None

    def get_message(self, alert) -> str:
        return words_of(alert)


class FiredParams(PagedParams):
    """`GET /alerts/fired`."""

    ticker = TickerNameField(required=False)
    kind = serializers.ChoiceField(choices=AlertKind.choices, required=False)
    rule = serializers.IntegerField(required=False, min_value=1, max_value=BIGGEST_ID)
    acknowledged = serializers.ChoiceField(choices=["true", "false"], required=False)
    after = MomentField(required=False, help_text="Ticks then or later.")
    before = MomentField(required=False, help_text="Ticks before then.")
