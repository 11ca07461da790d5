"""What makes a position's figures, and what a trade would do to it, in JSON."""

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from tradeops.core.decimals import plain
from tradeops.core.moments import InstantField

from ..models import PnlMethod
from ..serializers import Money, ReferenceSerializer

# What makes the figures -----------------------------------------------------------------------


class RealizedPartSerializer(serializers.Serializer):
    """What one trade closed of one lot. Quantity and cost bear the lot's sign."""

    closed_by = ReferenceSerializer(source="closer")
    closed_at = InstantField(source="part.closed_at")
    opened_by = ReferenceSerializer(source="opener")
    opened_at = InstantField(source="part.opened_at")
    quantity = Money(source="part.quantity")
    cost = Money(source="part.cost")
    proceeds = Money(source="part.proceeds")
    pnl = Money(source="part.pnl")


class LotPartSerializer(serializers.Serializer):
    """An open lot at the mark."""

    opened_by = ReferenceSerializer(source="opener")
    opened_at = InstantField(source="part.lot.opened_at")
    quantity = Money(source="part.lot.quantity")
    cost = Money(source="part.lot.cost")
    unit_cost = Money(source="part.unit_cost", allow_null=True)
    market_value = Money(source="part.market_value", allow_null=True)
    unrealized_pnl = Money(source="part.unrealized_pnl", allow_null=True)


class FeePartSerializer(serializers.Serializer):
    """A fill that cost a fee."""

    paid_for = ReferenceSerializer(source="opener")
    executed_at = InstantField(source="part.at")
    quantity = Money(source="part.quantity", help_text="Above 0 bought, below 0 sold.")
    price = Money(source="part.price")
    fee = Money(source="part.fee")


class IncomePartSerializer(serializers.Serializer):
    """A dividend on what was held before its ex-date."""

    paid_by = ReferenceSerializer(source="opener")
    ex_at = InstantField(source="part.at")
    pay_at = InstantField(source="part.pay_at")
    quantity = Money(source="part.quantity")
    amount = Money(source="part.amount")


class LeftOutSerializer(serializers.Serializer):
    """The parts that are not shown: how many, and what they sum to."""

    count = serializers.IntegerField(source="left_out_count")
    total = Money(source="left_out", allow_null=True)


class FigureSerializer(serializers.Serializer):
    """A figure, some of its parts, and what those not shown sum to."""

    total = Money(allow_null=True)
    count = serializers.IntegerField(help_text="Of all its parts.")
    left_out = LeftOutSerializer(source="*")


class RealizedSerializer(FigureSerializer):
    parts = RealizedPartSerializer(many=True, help_text="The last first.")


class UnrealizedSerializer(FigureSerializer):
    parts = LotPartSerializer(many=True, help_text="The oldest lot first.")


class FeesSerializer(FigureSerializer):
    parts = FeePartSerializer(many=True, help_text="The last first.")


class IncomeSerializer(FigureSerializer):
    parts = IncomePartSerializer(many=True, help_text="The last first.")


class MethodRowSerializer(serializers.Serializer):
    """What the same events come to by one method throughout."""

    method = serializers.ChoiceField(choices=PnlMethod.choices)
    quantity = Money(source="holding.quantity")
    average_cost = Money(allow_null=True)
    cost_basis = Money(source="holding.cost")
    realized_pnl = Money(source="holding.realized_pnl")
    unrealized_pnl = Money(allow_null=True)
    income = Money(source="holding.income")
    fees = Money(source="holding.fees")
    total_pnl = Money(allow_null=True, help_text="Realized + unrealized + income - fees.")
    transferred_cost = Money(
        source="holding.transferred_cost", help_text="What came in by transfer, less what left so, at cost."
    )
    cash_and_value = Money(
        allow_null=True,
        help_text="Total P&L + transferred cost: what the events did to cash, and what is held at the mark.",
    )


class LawSerializer(serializers.Serializer):
    """That all methods come to the same: they only share it out between realized and unrealized."""

    holds = serializers.BooleanField(source="law_holds")
    formula = serializers.CharField()


class InsightSerializer(serializers.Serializer):
    """Every figure of a position opened into the lots and fills that make it."""

    account = serializers.IntegerField(source="position.account_id")
    ticker = serializers.CharField(source="position.ticker")
    currency = serializers.CharField(source="position.account.currency")
    method = serializers.ChoiceField(choices=PnlMethod.choices, source="position.method")
    as_of = InstantField(source="position.as_of", allow_null=True)
    known_entry = serializers.IntegerField(source="position.known_entry")
    quantity = Money(source="position.quantity")
    mark = Money(source="position.valuation.mark", allow_null=True)
    mark_at = InstantField(source="position.valuation.mark_at", allow_null=True)
    mark_reason = serializers.CharField(source="position.valuation.reason", allow_null=True)
    total_pnl = Money(source="explanation.total", allow_null=True, help_text="Realized + unrealized + income - fees.")
    realized_pnl = RealizedSerializer(source="explanation.realized")
    unrealized_pnl = UnrealizedSerializer(source="explanation.unrealized")
    fees = FeesSerializer(source="explanation.fees")
    income = IncomeSerializer(source="explanation.income")
    methods = MethodRowSerializer(source="rows", many=True)
    law = LawSerializer(source="*")
    next = serializers.SerializerMethodField(help_text="Where the parts that follow are shown.")

    def get_next(self, insight) -> str | None:
        return self.context["next"]


# What if ------------------------------------------------------------------------------------------


class TakenSerializer(serializers.Serializer):
    """What a lot would give. Quantity and cost bear the lot's sign."""

    opened_by = serializers.SerializerMethodField()
    opened_at = InstantField()
    quantity = Money()
    cost = Money()
    realized_pnl = serializers.SerializerMethodField()

    @extend_schema_field(ReferenceSerializer)
    def get_opened_by(self, taken) -> dict:
        return ReferenceSerializer(self.context["prospect"].references[taken.opened_by]).data

    def get_realized_pnl(self, taken) -> str | None:
        return None if self.context["prospect"].price is None else plain(taken.pnl)


class OutcomeSerializer(serializers.Serializer):
    """What one method would make of it."""

    method = serializers.ChoiceField(choices=PnlMethod.choices)
    realized_pnl = Money(allow_null=True)
    lot_count = serializers.SerializerMethodField(help_text="How many lots it takes.")
    lots = serializers.SerializerMethodField(help_text="The first of them, in the order in which they are taken.")
    quantity_after = Money(source="after.quantity")
    cost_basis_after = Money(source="cost_after", allow_null=True)
    average_cost_after = Money(source="average_after", allow_null=True)

    def get_lot_count(self, outcome) -> int:
        return len(outcome.taken)

    @extend_schema_field(TakenSerializer(many=True))
    def get_lots(self, outcome) -> list[dict]:
        return TakenSerializer(outcome.taken[: self.context["most_lots"]], many=True, context=self.context).data


class ProspectSerializer(serializers.Serializer):
    """What a trade that is not booked would do."""

    account = serializers.IntegerField(source="position.account_id")
    ticker = serializers.CharField(source="position.ticker")
    as_of = InstantField(source="position.as_of", allow_null=True)
    known_entry = serializers.IntegerField(source="position.known_entry")
    side = serializers.ChoiceField(choices=["buy", "sell"])
    quantity = Money(source="units")
    price = Money(allow_null=True, help_text="The one asked for, or else the mark.")
    price_source = serializers.CharField(allow_null=True, help_text="given, or where the mark is from.")
    price_reason = serializers.CharField(
        allow_null=True, help_text="Why there is no price: no_price or simulated_price."
    )
    position_before = Money(source="position.quantity")
    makes_short = serializers.BooleanField()
    is_forbidden = serializers.BooleanField(help_text="It would make a short in an account that allows none.")
    own = OutcomeSerializer(help_text="By the account's own method, with its dated changes: what booking it would do.")
    methods = OutcomeSerializer(source="by_method", many=True, help_text="By each method throughout.")
