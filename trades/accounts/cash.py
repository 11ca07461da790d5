"""The cash of accounts, worked out from what is kept of them: once, for API, pages and Today."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import QuerySet
from django.utils import timezone

from tradeops.core.fields import ExactSum

from ..ledger import EXACT, ZERO, total
from ..models import CASH_KINDS, Account, Activity, Income, Position

# What adds to cash, and what takes from it, of all that is kept of a position.
ADDS, TAKES = ("realized_pnl", "transferred_cost", "income"), ("cost_basis", "fees")


@dataclass(frozen=True, slots=True)
class Cash:
    """Money that is there, and money that is announced and not yet paid (below 0 where it will be paid out)."""

    cash: Decimal = ZERO
    receivable: Decimal = ZERO


def cash_by_account(accounts: Iterable[Account] | QuerySet, now: datetime) -> dict[int, Cash]:
    """The cash of `accounts` by id; one that nothing ever happened to is left out. Three queries."""
    return cash_by("account_id", accounts, now)


def cash_by(column: str, accounts: Iterable[Account] | QuerySet, now: datetime) -> dict:
    """The cash of `accounts`, summed by a column of positions, activities and incomes alike."""
    booked: dict[object, list[Decimal]] = defaultdict(list)
    sums = {f"{name}_sum": ExactSum(name) for name in (*ADDS, *TAKES)}
    for row in grouped(Position.objects.all(), accounts, column).annotate(**sums):
        booked[row[column]] += [row[f"{name}_sum"] for name in ADDS]
        booked[row[column]] += [row[f"{name}_sum"].copy_negate() for name in TAKES]
    moves = Activity.objects.current().filter(kind__in=CASH_KINDS)
    for row in grouped(moves, accounts, column, "kind").annotate(moved=ExactSum("amount")):
        booked[row[column]].append(EXACT.multiply(row["moved"] or ZERO, CASH_KINDS[row["kind"]]))
    unpaid = grouped(Income.objects.filter(pay_at__gt=now), accounts, column).annotate(owed=ExactSum("amount"))
    owed = {row[column]: row["owed"] for row in unpaid}
    return {
        key: Cash(EXACT.subtract(total(amounts), owed.get(key, ZERO)), owed.get(key, ZERO))
        for key, amounts in booked.items()
    }


def grouped(rows: QuerySet, accounts, *columns: str) -> QuerySet:
    return rows.filter(account__in=accounts).order_by().values(*columns)


def with_cash(accounts: list[Account]) -> list[Account]:
    """The accounts, each with its `cash`, and the `receivable` that is not yet part of it."""
    found = cash_by_account(accounts, timezone.now())
    for account in accounts:
        kept = found.get(account.pk, Cash())
        account.cash, account.receivable = kept.cash, kept.receivable
    return accounts
