"""Accounts in JSON, and what of one may be changed."""

from rest_framework import serializers

from tradeops.core.api import StrictModelSerializer, StrictSerializer
from tradeops.core.moments import DayOrInstantField, InstantField

from ..models import Account, AccountKind, PnlMethod
from ..serializers import Money


class AccountSerializer(StrictModelSerializer):
    kind = serializers.ChoiceField(choices=AccountKind.choices, default=AccountKind.REAL)
    pnl_method = serializers.ChoiceField(choices=PnlMethod.choices, default=PnlMethod.FIFO)
    owner = serializers.CharField(source="owner.username", read_only=True)
    created_at = InstantField(read_only=True)
    closed_through = serializers.DateField(read_only=True, help_text="The last trade date that is closed.")
    cash = Money(read_only=True, help_text="Money that is there; what is announced and not yet paid is not.")
    receivable = Money(read_only=True, help_text="Announced and not yet paid; below 0 where it will be paid out.")

    class Meta:
        model = Account
        fields = [
            "id", "name", "owner", "currency", "kind", "pnl_method", "allows_short", "time_zone", "day_cutoff",
            "needs_approval", "closed_through", "created_at", "cash", "receivable",
        ]  # fmt: skip
        read_only_fields = ["needs_approval"]


class AccountChangeSerializer(StrictSerializer):
    """What of an account may be changed: its name and its need of approval at any time, its method from a moment on."""

    name = serializers.CharField(max_length=80, required=False)
    needs_approval = serializers.BooleanField(
        required=False, help_text="Whether a correction waits for another's approval; said by the back office."
    )
    pnl_method = serializers.ChoiceField(choices=PnlMethod.choices, required=False)
    effective_at = DayOrInstantField(required=False, help_text="From when the method holds; a day begins as its own.")

    def validate(self, said: dict) -> dict:
        """A method without its moment, and a moment without a method, are half of a change."""
        for given, needed in (("pnl_method", "effective_at"), ("effective_at", "pnl_method")):
            if given in said and needed not in said:
                message = serializers.ErrorDetail("A change of the method is dated: both are needed.", "required")
                raise serializers.ValidationError({needed: [message]})
        return said
