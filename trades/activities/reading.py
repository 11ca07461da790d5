"""Reading activities: each with what it did to the book."""

from collections.abc import Iterator
from decimal import Decimal

from django.db.models import Q, QuerySet

from tradeops.core.download import pages_of

from .. import ledger
from ..export import BOOK_COLUMNS, activity_row, written
from ..models import Account, Activity, ActivityKind, Income, Realization

NEWEST_FIRST = ("-effective_at", "-activity_id")
# kind -> what it may have done, by the names under which it is shown.
EFFECTS = {
    ActivityKind.DIVIDEND: {"entitled_quantity", "income"},
    ActivityKind.RETURN_OF_CAPITAL: {"realized_pnl"},
    ActivityKind.SPLIT: {"realized_pnl"},
    ActivityKind.REVERSE_SPLIT: {"realized_pnl"},
}


def with_effects(activities: list[Activity]) -> list[Activity]:
    """The activities, each with what it did: of a dividend its income, else what it realized. Two queries at most."""
    by_effect = {name: ids_with(activities, name) for name in ("income", "realized_pnl")}
    incomes = Income.objects.in_bulk(by_effect["income"], field_name="activity_id") if by_effect["income"] else {}
    realized = Realization.objects.by_closing_trade(by_effect["realized_pnl"]) if by_effect["realized_pnl"] else {}
    return give_effects(activities, incomes, realized)


def give_effects(activities: list[Activity], incomes: dict, realized: dict[int, Decimal]) -> list[Activity]:
    """The activities, each with what it did, by its id: `incomes` in units and money, and what was `realized`."""
    for activity in activities:
        effects = EFFECTS.get(activity.kind, ())
        if "income" in effects:
            income = incomes.get(activity.activity_id)
            activity.entitled_quantity = income.quantity if income else ledger.ZERO
            activity.income = income.amount if income else ledger.ZERO
        if "realized_pnl" in effects:
            activity.realized_pnl = realized.get(activity.activity_id, ledger.ZERO)
    return activities


def csv_pages(activities: QuerySet) -> Iterator[bytes]:
    """All of `activities` as CSV, with the columns of an account's export: an import takes them."""
    yield written([BOOK_COLUMNS])
    for page in pages_of(activities, NEWEST_FIRST):
        yield written(map(activity_row, page))


def ids_with(activities: list[Activity], effect: str) -> list[int]:
    return [activity.activity_id for activity in activities if effect in EFFECTS.get(activity.kind, ())]


def method_changes(account: Account) -> QuerySet:
    """The dated changes of an account's method, the last first."""
    return Activity.objects.current().filter(account=account, kind=ActivityKind.METHOD_CHANGE)


def concerning(ticker: str) -> Q:
    """The activities that a position in `ticker` shows: a symbol change concerns both its tickers."""
    return Q(instrument=ticker) | Q(new_instrument=ticker)
