"""What adjusts a trade or activity of a closed day: rows dated now that take it back and book it as it should be.

The closed day keeps its figures. From now on quantity, cash and total P&L are as they would be had it been booked
right at once; the difference shows on the day of adjusting. What of it is realized may differ, for lots are
taken as they stand now. Fees are no trade's to give back: what comes back of them is booked as interest.
"""

from datetime import datetime
from decimal import Decimal

from django.core.exceptions import ValidationError

from tradeops.core.api import Conflict

from .. import ledger
from ..models import Activity, ActivityKind, Adjustment, Income, Side, Target, Trade, Version

NOTE_CHARACTERS = 2000
CHANGES_UNITS = {"instrument_id", "side", "quantity", "is_void"}
CONCERNS_UNITS = (
    ActivityKind.DIVIDEND,
    ActivityKind.RETURN_OF_CAPITAL,
    ActivityKind.SPLIT,
    ActivityKind.REVERSE_SPLIT,
    ActivityKind.SYMBOL_CHANGE,
)
BY_HAND = "book what sets it right, dated now."
BACK = {
    ActivityKind.DEPOSIT: ActivityKind.WITHDRAWAL,
    ActivityKind.WITHDRAWAL: ActivityKind.DEPOSIT,
    ActivityKind.INTEREST: ActivityKind.INTEREST,  # below 0
    ActivityKind.FEE: ActivityKind.INTEREST,
}


def rows_for(latest: Version, values: dict, now: datetime) -> list[Version]:
    """The rows, unsaved, that adjust `latest` to what `values` say, in the order they are to be booked.

    Raises ValidationError for what cannot be said of a row booked now, and Conflict where nothing can be booked back.
    """
    after = latest.next_version(values)
    moved = latest.differences(after).keys() & latest.MOVES_BOOK
    if not moved:
        detail = f"This changes nothing that is counted of {latest.name}: correct it without an adjustment."
        raise Conflict(detail, "nothing_to_adjust")
    if latest.AT in moved:
        message = "An adjustment is booked now: leave the time as it is."
        raise ValidationError({latest.AT: ValidationError(message, code="fixed")})
    wanted = None if after.is_void else after
    if isinstance(latest, Trade):
        refuse_entitled(latest, after, moved)
        return rows_of_trade(latest, wanted, moved, now)
    if latest.kind in BACK:
        return rows_of_cash(latest, wanted, now)
    if latest.kind == ActivityKind.DIVIDEND and moved <= {"amount_per_unit", "is_void"}:
        return rows_of_dividend(latest, wanted, now)
    detail = f"{latest.name} moved all that came after it and cannot be booked back: " + BY_HAND
    raise Conflict(detail, "not_adjustable")


def refuse_entitled(latest: Trade, after: Trade, moved: set[str]) -> None:
    """Raises Conflict where units change that something has happened to since: they were split, or paid a dividend."""
    if not moved & CHANGES_UNITS:
        return
    since = Activity.objects.current().filter(account=latest.account, kind__in=CONCERNS_UNITS)
    since = since.filter(instrument__in={latest.ticker, after.ticker}, effective_at__gte=latest.at)
    found = sorted(since.values_list("activity_id", flat=True)[:100])
    if found:
        named = ", ".join(map(str, found[:20]))
        detail = f"Since {latest.name.lower()}, units were split, renamed or paid for (activities {named}): {BY_HAND}"
        raise Conflict(detail, "not_adjustable", activities=found)


def refuse_open_or_adjusted(latest: Version) -> None:
    if not latest.account.is_closed_at(latest.at):
        detail = f"{latest.trade_date} is not closed: correct {latest.name} itself, without an adjustment."
        raise Conflict(detail, "not_closed")
    standing = adjusted_by(latest)
    if standing:
        names = ", ".join(row.name.lower() for row in standing)
        detail = f"{latest.name} is adjusted by {names}: correct or void those."
        raise Conflict(detail, "adjusted", **numbers_of(standing))


def adjusted_by(latest: Version) -> list[Version]:
    """What adjusts it, as it now stands."""
    entries = Adjustment.objects.filter(target=Target.of(latest), target_id=latest.identity).values("entry")
    found: list[Version] = []
    for model in (Trade, Activity):
        written = model.objects.filter(entry__in=entries).values(model.IDENTITY)
        found += model.objects.current().filter(**{f"{model.IDENTITY}__in": written}).order_by(model.IDENTITY)
    return found


def numbers_of(rows: list[Version]) -> dict[str, list[int]]:
    """Ids of trades and of activities, under the names that problems give them."""
    return {target.plural: [row.identity for row in rows if isinstance(row, target.model)] for target in Target}


# Rows --------------------------------------------------------------------------------------


def rows_of_trade(latest: Trade, after: Trade | None, moved: set[str], now: datetime) -> list[Version]:
    fees = ledger.EXACT.subtract(after.fees if after else ledger.ZERO, latest.fees)
    if moved == {"fees"}:
        return [fee(latest, fees, now)]
    side = Side.SELL if latest.side == Side.BUY else Side.BUY
    back = trade_like(latest, now, side=side, fees=ledger.ZERO, note=said(latest, "taken back"))
    rows = [back]
    if after:
        note = said(latest, "as it should have been", after.note)
        rows.append(trade_like(after, now, side=after.side, fees=max(fees, ledger.ZERO), note=note))
        rows.sort(key=lambda row: row.side != Side.BUY)  # first what adds: no short on the way
    return [*rows, fee(latest, fees, now)] if fees < 0 else rows


def trade_like(trade: Trade, now: datetime, **values) -> Trade:
    kept = ("account", "instrument_id", "quantity", "price", "strategy", "tags")
    return Trade(executed_at=now, **{name: getattr(trade, name) for name in kept}, **values)


def fee(latest: Trade, amount: Decimal, now: datetime) -> Activity:
    """More fees as a fee of the account; fewer, as interest that comes back."""
    kind = ActivityKind.FEE if amount > 0 else ActivityKind.INTEREST
    note = said(latest, "its fees" if amount > 0 else "fees given back")
    return Activity(account=latest.account, kind=kind, amount=amount.copy_abs(), effective_at=now, note=note)


def rows_of_cash(latest: Activity, after: Activity | None, now: datetime) -> list[Version]:
    sign = -1 if latest.kind == ActivityKind.INTEREST else 1
    back = money(latest, BACK[latest.kind], latest.amount * sign, "taken back", now)
    if after is None:
        return [back]
    return [back, money(latest, after.kind, after.amount, "as it should have been", now, after.note)]


def rows_of_dividend(latest: Activity, after: Activity | None, now: datetime) -> list[Version]:
    """The difference of what those entitled on the ex-date received, or paid."""
    income = Income.objects.filter(activity_id=latest.activity_id).first()
    if income is None:
        raise Conflict(f"Nobody was entitled to {latest.name}: there is nothing to adjust.", "nothing_to_adjust")
    owed = ledger.EXACT.multiply(income.quantity, after.amount_per_unit) if after else ledger.ZERO
    # As exactly as an amount is booked: units and rate may have twelve decimals each.
    difference = ledger.EXACT.subtract(owed, income.amount).quantize(ledger.ROUNDED_UNIT, context=ledger.DIVIDING)
    return [money(latest, ActivityKind.INTEREST, difference, f"{latest.ticker}, the difference", now)]


def money(latest: Activity, kind: str, amount: Decimal, words: str, now: datetime, note: str = "") -> Activity:
    return Activity(account=latest.account, kind=kind, amount=amount, effective_at=now, note=said(latest, words, note))


def said(latest: Version, words: str, note: str = "") -> str:
    """What the note of an adjusting row says, before the note that it bears itself."""
    return f"{opening(latest.name)} {words}.\n{note}".strip()[:NOTE_CHARACTERS]


def opening(name: str) -> str:
    """How the note of every row begins that adjusts what is called `name`."""
    return f"Adjustment of {name.lower()}:"
