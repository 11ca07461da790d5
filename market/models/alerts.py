"""Rules that watch prices, and what fired."""

from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import Count, F, Max, Q, Sum
from django.utils import timezone

from tradeops.core.fields import ExactDecimal
from tradeops.core.preconditions import tag_of
from tradeops.core.users.roles import Action

from .instruments import PRICE, Instrument, Source


class AlertKind(models.TextChoices):
    PERCENT_CHANGE = "percent_change", "Change in a window"
    PRICE_ABOVE = "price_above", "Price above"
    PRICE_BELOW = "price_below", "Price below"
    STALE = "stale", "No price for long"


class Direction(models.TextChoices):
    UP = "up", "up"
    DOWN = "down", "down"


PRICE_KINDS = (AlertKind.PRICE_ABOVE, AlertKind.PRICE_BELOW)
# What a rule says; a rule of which one of these is changed is another one, and waits like a new one.
SAYS = ("kind", "instrument_id", "threshold", "direction", "window_seconds")


class AlertRuleQuerySet(models.QuerySet):
    def visible_to(self, user):
        """A user's own, and everybody's."""
        return self.filter(Q(owner=user) | Q(owner=None))

    def active(self, now):
        """What the feed goes by."""
        ended = Q(expires_at__lte=now)
        return self.filter(is_paused=False).exclude(ended).exclude(owner__is_active=False).select_related("instrument")

    def stamp(self) -> tuple:
        """Another one after every change of what `active` goes by, in whichever order changes are committed."""
        of_who_left = Sum("pk", filter=Q(owner__is_active=False))
        counts = {"count": Count("pk"), "last": Max("pk"), "changes": Sum("change_count"), "left": of_who_left}
        return tuple(self.aggregate(**counts).values())


class AlertRule(models.Model):
    """When somebody wants to be told. Without an owner it is everybody's."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.CASCADE, related_name="alert_rules",
        help_text="None: everybody is told.",
    )  # fmt: skip
    kind = models.CharField(max_length=16, choices=AlertKind)
    instrument = models.ForeignKey(
        Instrument, null=True, blank=True, on_delete=models.PROTECT, db_column="ticker", related_name="alert_rules",
        help_text="None: every ticker, each by itself.",
    )  # fmt: skip
    threshold = ExactDecimal(**PRICE, null=True, blank=True, help_text="In percent, or a price.")
    direction = models.CharField(max_length=4, choices=Direction, default=Direction.UP)
    window_seconds = models.PositiveIntegerField(default=60)
    cooldown_seconds = models.PositiveIntegerField(default=0, help_text="Between two alerts of a ticker at least.")
    expires_at = models.DateTimeField(null=True, blank=True)
    snoozed_until = models.DateTimeField(null=True, blank=True)
    is_paused = models.BooleanField(default=False)
    by_email = models.BooleanField(default=False)
    webhook_url = models.CharField(max_length=500, blank=True)
    webhook_secret = models.CharField(max_length=64, blank=True)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    made_at = models.DateTimeField(default=timezone.now, editable=False)
    changed_at = models.DateTimeField(default=timezone.now, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False, help_text="Counts what it says, and its pauses.")
    change_count = models.PositiveIntegerField(
        default=0, db_default=0, editable=False, help_text="Of every change: by it the feed sees that there was one."
    )

    objects = AlertRuleQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=AlertKind.values), name="alert_rule_kind_known"),
            models.CheckConstraint(
                condition=Q(kind=AlertKind.STALE, threshold=None) | Q(threshold__gt=Decimal(0)),
                name="alert_rule_threshold_above_0",
            ),
            models.CheckConstraint(
                condition=~Q(kind__in=PRICE_KINDS) | Q(instrument__isnull=False), name="alert_rule_price_of_a_ticker"
            ),
            models.CheckConstraint(condition=Q(window_seconds__gte=1), name="alert_rule_window_above_0"),
        ]

    def __str__(self) -> str:
        return f"{self.instrument_id or 'Every ticker'}: {self.words}"

    @property
    def ticker(self) -> str | None:
        return self.instrument_id

    @property
    def key(self) -> str:
        """What its state is kept by in the feed."""
        return f"{self.pk}.{self.version}"

    @property
    def tag(self) -> str:
        """The ETag of it: every change of it is noted, also a pause or a snooze."""
        return tag_of(self.changed_at)

    @property
    def words(self) -> str:
        """ "up 2% in 60 s", "above 150", "no price for 30 s"."""
        if self.kind == AlertKind.PERCENT_CHANGE:
            return f"{self.direction} {self.threshold.normalize():f}% in {self.window_seconds} s"
        if self.kind == AlertKind.STALE:
            return f"no price for {self.window_seconds} s"
        return f"{'above' if self.kind == AlertKind.PRICE_ABOVE else 'below'} {self.threshold.normalize():f}"

    @property
    def recipient(self):
        """Who gets its e-mails: its owner, or of everybody's rule the one who made it."""
        return self.owner or self.made_by

    def may_be_changed_by(self, user) -> bool:
        if self.owner_id is None:
            return user.may_in_all(Action.KEEP_ALERTS)
        return self.owner_id == user.pk and user.may(Action.KEEP_ALERTS)

    def standing(self, now) -> str:
        """active, paused, snoozed or expired."""
        if self.expires_at is not None and self.expires_at <= now:
            return "expired"
        if self.is_paused:
            return "paused"
        return "snoozed" if self.snoozed_until is not None and self.snoozed_until > now else "active"


class AlertQuerySet(models.QuerySet):
    def visible_to(self, user):
        return self.filter(Q(owner=user) | Q(owner=None))

    def in_full(self):
        return self.select_related("acknowledged_by")

    def timed(self):
        """Those whose latency says something of us: told, and neither for want of a price nor of a replay's past."""
        return self.exclude(published_at=None).exclude(kind=AlertKind.STALE).exclude(source=Source.REPLAY)


class Alert(models.Model):
    """A rule that fired, with the price that made it fire. Later changes of the rule do not change it."""

    rule = models.ForeignKey(AlertRule, null=True, on_delete=models.SET_NULL, related_name="alerts")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="alerts", db_index=False
    )
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, db_column="ticker", related_name="alerts")
    kind = models.CharField(max_length=16, choices=AlertKind)
    price = ExactDecimal(**PRICE)
    change_percentage = models.FloatField(null=True)
    window_seconds = models.PositiveIntegerField(null=True)
    threshold = models.FloatField(null=True, help_text="In percent, signed, or a price.")
    source = models.CharField(max_length=16, choices=Source)
    epoch = models.CharField(max_length=32, blank=True, help_text="Of the feed: a tape that is replayed fires anew.")
    tick_at = models.DateTimeField(help_text="When the price was made.")
    detected_at = models.DateTimeField(help_text="When the rule saw it.")
    published_at = models.DateTimeField(null=True, help_text="When it was handed to the open pages.")
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )

    objects = AlertQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "instrument", "tick_at", "epoch"], name="alert_once_a_rule_and_tick"
            ),
            models.CheckConstraint(condition=Q(price__gt=Decimal(0)), name="alert_price_above_0"),
            models.CheckConstraint(
                condition=Q(acknowledged_at=None) | Q(acknowledged_at__gte=F("tick_at")),
                name="alert_acknowledged_after_its_tick",
            ),
        ]
        indexes = [
            # The newest alerts, of all, of one ticker and of one user.
            models.Index(fields=["-tick_at", "-id"], name="alert_newest"),
            models.Index(fields=["instrument", "-tick_at"], name="alert_newest_of_ticker"),
            models.Index(fields=["owner", "-id"], name="alert_newest_of_owner"),
        ]

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.kind} at {self.price:f}"

    @property
    def ticker(self) -> str:
        return self.instrument_id

    @property
    def latency_ms(self) -> int | None:
        """From the tick to the open pages; None of a replay, whose ticks are of long ago."""
        if self.published_at is None or self.source == Source.REPLAY:
            return None
        return max(0, round((self.published_at - self.tick_at).total_seconds() * 1000))
