"""Kept backtests: what was asked, what came out, and the exact price rows it came from."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from strategies.grid import IN_SAMPLE_PERCENTAGE
from strategies.terms import FILLS
from tradeops.core.tags import WIDEST, parted

NOTE_CHARACTERS = 4000


class PriceData(models.Model):
    """The price rows of one or more runs, named by their own hash: the same rows are kept once."""

    digest = models.CharField(max_length=64, primary_key=True, editable=False)
    packed = models.BinaryField(editable=False)
    bars = models.PositiveIntegerField(editable=False)
    tickers = models.JSONField(editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = verbose_name_plural = "price data"
        constraints = [models.CheckConstraint(condition=Q(bars__gte=1), name="price_data_has_bars")]

    def __str__(self) -> str:
        return self.digest[:12]


class OwnedQuerySet(models.QuerySet):
    def visible_to(self, user):
        return self if user.sees_all_books else self.filter(owner=user)


class RunQuerySet(OwnedQuerySet):
    def listed(self):
        """Newest first, without the results, which may be large."""
        return self.defer("summary").select_related("owner").order_by("-id")

    def asked_for(self, strategy: str | None, tag: str | None):
        """Those of one strategy, with one tag; of any where nothing is said."""
        runs = self.filter(strategy=strategy) if strategy else self
        if not tag:
            return runs
        # A comma cannot stand in a tag, and so finds none. That there are tags at all is what the index knows.
        tagged = runs.exclude(tags="")
        return tagged.filter(tags__icontains=f",{tag},") if "," not in tag else runs.none()


class Source(models.TextChoices):
    UPLOAD = "upload", "Uploaded files"
    SAMPLE = "sample", "Sample data, generated"
    STORED = "stored", "Bars of the desk"


class Run(models.Model):
    """One backtest. `summary` is the answer as it was given, without addresses and curves: those are made again.

    Tags and note are what people say about it; nothing else ever changes.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="runs")
    strategy = models.CharField(max_length=40)
    parameters = models.JSONField(help_text="The strategy's own parameters.")
    initial_investment = models.FloatField()
    fee_bps = models.FloatField()
    fill = models.CharField(max_length=16)
    terms = models.JSONField(default=dict, help_text="Everything else that was asked: sizes, costs, stops.")
    source = models.CharField(max_length=8, choices=Source)
    data = models.ForeignKey(PriceData, on_delete=models.PROTECT, related_name="runs", db_column="data_hash")
    fingerprint = models.CharField(max_length=64, help_text="Hash of code, strategy, parameters, fills, fees and rows.")
    tickers = models.JSONField()
    profit_loss = models.FloatField()
    return_percentage = models.FloatField()
    closed_trades = models.PositiveIntegerField()
    summary = models.JSONField()
    tags = models.CharField(max_length=WIDEST, blank=True, help_text="Each between commas: ,trend,keep,")
    note = models.TextField(max_length=NOTE_CHARACTERS, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(initial_investment__gt=0), name="run_initial_investment_above_0"),
            models.CheckConstraint(condition=Q(fee_bps__gte=0), name="run_fee_bps_from_0"),
            models.CheckConstraint(condition=Q(fill__in=FILLS), name="run_fill_known"),
            models.CheckConstraint(condition=Q(source__in=Source.values), name="run_source_known"),
        ]
        indexes = [
            # The list of one's own runs, newest first.
            models.Index(fields=["owner", "-id"], name="run_owner_newest"),
            # Those with a tag: few of all, and a text to be searched that stands behind the long results in its row.
            models.Index(fields=["owner", "-id"], condition=~Q(tags=""), name="run_owner_tagged"),
            # The sample run of these parameters, kept once for each user.
            models.Index(fields=["owner", "fingerprint"], name="run_owner_fingerprint"),
        ]

    def __str__(self) -> str:
        return f"Run {self.pk}, {self.strategy}"

    @property
    def result(self) -> dict:
        """The kept answer; empty where the row was tampered with."""
        return self.summary if isinstance(self.summary, dict) else {}

    @property
    def tag_list(self) -> list[str]:
        return parted(self.tags)

    @property
    def ticker_names(self) -> list[str]:
        return [name for name in self.tickers if isinstance(name, str)] if isinstance(self.tickers, list) else []

    @property
    def ticker_results(self) -> list[dict]:
        """The kept answer's part of each ticker."""
        parts = self.result.get("tickers")
        return (
            [part for part in parts if isinstance(part, dict) and "ticker" in part] if isinstance(parts, list) else []
        )


class PendingRun(models.Model):
    """A run that takes long, as it was asked for; `run` is there when it is done."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="pending_runs")
    strategy = models.CharField(max_length=40)
    parameters = models.JSONField()
    terms = models.JSONField()
    source = models.CharField(max_length=8, choices=Source)
    data = models.ForeignKey(PriceData, on_delete=models.PROTECT, related_name="pending_runs", db_column="data_hash")
    estimated_seconds = models.FloatField(help_text="On one processor.")
    run = models.OneToOneField(Run, null=True, blank=True, on_delete=models.CASCADE, related_name="asked_for")
    cancelled_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [models.CheckConstraint(condition=Q(source__in=Source.values), name="pending_run_source_known")]
        indexes = [
            # One's own that are under way or were in vain, newest first.
            models.Index(fields=["owner", "-id"], condition=Q(run=None), name="pending_run_owner_without_run"),
        ]

    def __str__(self) -> str:
        return f"Pending run {self.pk}, {self.strategy}"


def is_list_of_values(kept: object) -> bool:
    return isinstance(kept, list) and all(isinstance(value, int | float | str) for value in kept)


class SweepQuerySet(OwnedQuerySet):
    def listed(self):
        return self.select_related("owner").order_by("-id")


class Sweep(models.Model):
    """A parameter grid that is tried, or was: what was asked. Its rows come part by part, each owed as a job."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="sweeps")
    strategy = models.CharField(max_length=40)
    parameters = models.JSONField(help_text="The strategy's own parameters; those of the grid vary.")
    terms = models.JSONField()
    grid = models.JSONField(help_text="The values tried of each parameter.")
    source = models.CharField(max_length=8, choices=Source)
    data = models.ForeignKey(PriceData, on_delete=models.PROTECT, related_name="sweeps", db_column="data_hash")
    in_sample_percentage = models.FloatField(default=IN_SAMPLE_PERCENTAGE, help_text="How much of the bars.")
    combinations = models.PositiveIntegerField()
    parts = models.PositiveIntegerField(help_text="How many jobs it is cut into; the rows are equal for any number.")
    estimated_seconds = models.FloatField(help_text="On one processor.")
    cancelled_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = SweepQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(combinations__gte=1), name="sweep_has_combinations"),
            models.CheckConstraint(condition=Q(parts__gte=1), name="sweep_has_parts"),
            models.CheckConstraint(condition=Q(source__in=Source.values), name="sweep_source_known"),
        ]
        indexes = [
            # The list of one's own sweeps, newest first.
            models.Index(fields=["owner", "-id"], name="sweep_owner_newest"),
        ]

    def __str__(self) -> str:
        return f"Sweep {self.pk}, {self.strategy}"

    @property
    def axes(self) -> dict[str, list]:
        """The grid; what is no list of values there, as only SQL can have put it, is passed over."""
        named = self.grid if isinstance(self.grid, dict) else {}
        return {name: values for name, values in named.items() if is_list_of_values(values)}

    @property
    def fixed(self) -> dict[str, dict]:
        """`parameters` that no combination changes, and `terms`; empty where the row was tampered with."""
        parameters, terms = (kept if isinstance(kept, dict) else {} for kept in (self.parameters, self.terms))
        return {
            "parameters": {name: value for name, value in parameters.items() if name not in self.axes},
            "terms": terms,
        }


class SweepPart(models.Model):
    """The rows of one part, written once: a part that is there is never worked out again."""

    sweep = models.ForeignKey(Sweep, on_delete=models.CASCADE, related_name="done_parts")
    number = models.PositiveIntegerField()
    rows = models.JSONField()
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["sweep", "number"], name="sweep_part_once")]

    def __str__(self) -> str:
        return f"{self.sweep}, part {self.number}"
