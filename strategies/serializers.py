"""What the backtest addresses take and answer, as DRF needs it for lists and for the schema.

The values of a request are checked by `backtest.make_spec` from the declared parameters; the fields below are made
from the same declarations, so the schema says the same.
"""

from rest_framework import serializers

from strategies.backtest import declared_parameters
from strategies.grid import IN_SAMPLE
from strategies.models import Run, Source, Sweep
from strategies.parameters import Parameter
from strategies.terms import SIDES


def schema_field(parameter: Parameter) -> serializers.Field:
    about = {"required": False, "default": parameter.default, "help_text": parameter.help}
    if parameter.kind == "ticker":
        return serializers.CharField(max_length=16, allow_blank=True, **about)
    if parameter.kind == "choice":
        return serializers.ChoiceField(choices=[(choice, choice) for choice in parameter.choices], **about)
    kind = serializers.IntegerField if parameter.kind == "integer" else serializers.FloatField
    return kind(min_value=parameter.minimum, max_value=parameter.maximum, **about)


class SpecSerializer(serializers.Serializer):
    """The parameters of a run, for the schema."""

    def get_fields(self):
        return {parameter.name: schema_field(parameter) for parameter in declared_parameters()}


class RunRequestSerializer(SpecSerializer):
    """A run on uploaded files, for the schema."""

    def get_fields(self):
        files = serializers.ListField(child=serializers.FileField(), help_text="One or several CSV files of prices.")
        ticker = serializers.CharField(
            required=False, max_length=16, help_text="The instrument of a single file that names none."
        )
        dry_run = serializers.BooleanField(required=False, help_text="Check the files and run nothing.")
        return {"file": files, "ticker": ticker, "dry_run": dry_run} | super().get_fields()


class SweepRequestSerializer(RunRequestSerializer):
    """A grid on uploaded files, for the schema."""

    def get_fields(self):
        grid = serializers.CharField(help_text='A JSON object of lists: {"fast": [10, 20], "slow": [100, 200]}.')
        dry_run = serializers.BooleanField(required=False, help_text="Tell what it would take and start nothing.")
        return {"grid": grid, "dry_run": dry_run, IN_SAMPLE.name: schema_field(IN_SAMPLE)} | super().get_fields()


class PendingStartedSerializer(serializers.Serializer):
    """A run that takes long: where it can be looked at."""

    id = serializers.IntegerField()
    status = serializers.CharField()
    status_url = serializers.CharField()
    estimated_seconds = serializers.FloatField(help_text="On one processor.")


class SweepStartedSerializer(serializers.Serializer):
    """What was started, where it can be looked at, and what it takes."""

    id = serializers.IntegerField()
    status = serializers.CharField()
    status_url = serializers.CharField()
    combinations = serializers.IntegerField()
    left_out = serializers.IntegerField(help_text="Combinations that break a rule of the strategy.")
    estimated_seconds = serializers.FloatField(help_text="On one processor.")
    parts = serializers.IntegerField()


class SweepSerializer(serializers.ModelSerializer):
    """A sweep in the list: what was asked."""

    owner = serializers.CharField(source="owner.username")
    data_hash = serializers.CharField(source="data_id")
    url = serializers.HyperlinkedIdentityField(view_name="strategies:sweep-detail", lookup_url_kwarg="sweep_id")

    class Meta:
        model = Sweep
        fields = (
            "id", "owner", "strategy", "grid", "combinations", "estimated_seconds", "data_hash", "cancelled_at",
            "created_at", "url",
        )  # fmt: skip


class TradeSerializer(serializers.Serializer):
    entry_date = serializers.CharField()
    entry_price = serializers.FloatField()
    exit_date = serializers.CharField(allow_null=True)
    exit_price = serializers.FloatField(allow_null=True)
    quantity = serializers.FloatField()
    fees = serializers.FloatField()
    profit_loss = serializers.FloatField()
    return_percentage = serializers.FloatField()
    open = serializers.BooleanField()
    side = serializers.ChoiceField(choices=SIDES)
    exit_reason = serializers.CharField(allow_null=True)
    max_adverse_percentage = serializers.FloatField()
    max_favorable_percentage = serializers.FloatField()

    class Meta:
        ref_name = "BacktestTrade"


class UnfilledSerializer(serializers.Serializer):
    date = serializers.CharField()
    side = serializers.ChoiceField(choices=SIDES)
    code = serializers.CharField()
    reason = serializers.CharField()


class TickerResultSerializer(serializers.Serializer):
    ticker = serializers.CharField()
    bars = serializers.IntegerField()
    first_date = serializers.CharField()
    last_date = serializers.CharField()
    initial_investment = serializers.FloatField()
    final_value = serializers.FloatField()
    profit_loss = serializers.FloatField()
    return_percentage = serializers.FloatField()
    buy_and_hold_return_percentage = serializers.FloatField()
    max_drawdown_percentage = serializers.FloatField(allow_null=True)
    sharpe_ratio = serializers.FloatField(allow_null=True)
    bars_per_year = serializers.FloatField()
    closed_trades = serializers.IntegerField()
    win_rate_percentage = serializers.FloatField(allow_null=True)
    trades = TradeSerializer(many=True)
    unfilled = UnfilledSerializer(many=True)


class CountsSerializer(serializers.Serializer):
    profitable_tickers = serializers.IntegerField()
    losing_tickers = serializers.IntegerField()
    flat_tickers = serializers.IntegerField()
    win_rate_percentage = serializers.FloatField(allow_null=True)


class PortfolioSerializer(serializers.Serializer):
    """Equity of all accounts together; `dates` and `equity` are of one length, oldest first."""

    bars = serializers.IntegerField()
    first_date = serializers.CharField(allow_null=True)
    last_date = serializers.CharField(allow_null=True)
    max_drawdown_percentage = serializers.FloatField(allow_null=True)
    sharpe_ratio = serializers.FloatField(allow_null=True)
    dates = serializers.ListField(child=serializers.CharField())
    equity = serializers.ListField(child=serializers.FloatField())


class SkippedSerializer(serializers.Serializer):
    ticker = serializers.CharField()
    code = serializers.CharField()
    reason = serializers.CharField()


class WarningSerializer(serializers.Serializer):
    """A doubt about a ticker's rows: where it is first seen, and how often."""

    ticker = serializers.CharField()
    code = serializers.CharField()
    date = serializers.CharField()
    count = serializers.IntegerField()
    message = serializers.CharField()


class ResultSerializer(serializers.Serializer):
    """A backtest's result."""

    status = serializers.CharField()
    run_id = serializers.IntegerField()
    strategy = serializers.CharField()
    parameters = serializers.DictField()
    data_hash = serializers.CharField()
    total_initial_investment = serializers.FloatField()
    final_value = serializers.FloatField()
    overall_profit_loss = serializers.FloatField()
    overall_return_percentage = serializers.FloatField()
    summary = CountsSerializer()
    tickers = TickerResultSerializer(many=True)
    portfolio = PortfolioSerializer()
    metrics = serializers.DictField(child=serializers.JSONField())
    monthly_returns = serializers.ListField(child=serializers.DictField())
    bootstrap = serializers.DictField(allow_null=True)
    look_ahead = serializers.DictField()
    warnings = WarningSerializer(many=True)
    charts = serializers.DictField(child=serializers.CharField())
    skipped = SkippedSerializer(many=True)
    assumptions = serializers.DictField(child=serializers.JSONField())
    source = serializers.ChoiceField(choices=Source)
    fingerprint = serializers.CharField()
    created_at = serializers.DateTimeField()


class RunListSerializer(serializers.ModelSerializer):
    """A kept run in the list: its inputs and headline figures."""

    run_id = serializers.IntegerField(source="pk")
    owner = serializers.CharField(source="owner.username")
    data_hash = serializers.CharField(source="data_id")
    tags = serializers.ListField(source="tag_list", child=serializers.CharField())
    url = serializers.HyperlinkedIdentityField(view_name="strategies:run-detail", lookup_url_kwarg="run_id")

    class Meta:
        model = Run
        fields = (
            "run_id", "owner", "strategy", "parameters", "initial_investment", "fee_bps", "fill", "source", "data_hash",
            "tickers", "profit_loss", "return_percentage", "closed_trades", "tags", "note", "created_at", "url",
        )  # fmt: skip
