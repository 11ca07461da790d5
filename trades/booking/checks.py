"""The rules of a trade's and of an activity's own fields, whichever door it came through."""

from datetime import UTC, datetime, timedelta

from django.core.exceptions import ValidationError
from django.utils import timezone

from .. import ledger
from ..models import Activity, ActivityKind, Trade

EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
FUTURE_ALLOWED = timedelta(days=1)  # clocks differ, and so do time zones
PAY_DAY_WITHIN = timedelta(days=3 * 366)
MOST_RATIO = 1_000_000
FOREIGN_KEYS = ["entry", "superseded_by", "account", "instrument", "new_instrument"]
# kind -> the columns it must fill, and those it may fill; all others stay empty.
REQUIRED = {
    ActivityKind.DEPOSIT: {"amount"},
    ActivityKind.WITHDRAWAL: {"amount"},
    ActivityKind.INTEREST: {"amount"},
    ActivityKind.FEE: {"amount"},
    ActivityKind.DIVIDEND: {"instrument_id", "amount_per_unit"},
    ActivityKind.RETURN_OF_CAPITAL: {"instrument_id", "amount_per_unit"},
    ActivityKind.SPLIT: {"instrument_id", "ratio_new", "ratio_old"},
    ActivityKind.REVERSE_SPLIT: {"instrument_id", "ratio_new", "ratio_old"},
    ActivityKind.SYMBOL_CHANGE: {"instrument_id", "new_instrument_id"},
    ActivityKind.TRANSFER_IN: {"instrument_id", "quantity", "cost_basis"},
    ActivityKind.TRANSFER_OUT: {"instrument_id", "quantity"},
    ActivityKind.METHOD_CHANGE: {"pnl_method"},
}
OPTIONAL = {
    ActivityKind.DIVIDEND: {"pay_at"},
    ActivityKind.SPLIT: {"cash_in_lieu_price"},
    ActivityKind.REVERSE_SPLIT: {"cash_in_lieu_price"},
    ActivityKind.TRANSFER_IN: {"acquired_at"},
    # What a statement says of units that leave is kept; what leaves the book is what they cost it.
    ActivityKind.TRANSFER_OUT: {"cost_basis", "acquired_at"},
}
# The names that columns bear outside, where they differ.
OUTSIDE_NAMES = {
    "instrument_id": "ticker", "new_instrument_id": "new_ticker", "side": "trade_type", "ratio_new": "ratio",
    "ratio_old": "ratio",
}  # fmt: skip
ABOVE_ZERO = ("quantity", "price", "amount", "amount_per_unit", "cash_in_lieu_price")


def check(row: Trade | Activity) -> None:
    """The rules of a row's own fields. Raises ValidationError by field."""
    if isinstance(row, Trade):
        check_trade(row)
    else:
        check_activity(row)


def check_trade(trade: Trade) -> None:
    """The same for a trade, whose `executed_at` may still be None: that is the moment when it is booked."""
    trade.notional = ledger.multiply(trade.quantity, trade.price)
    unset = ["executed_at"] if trade.executed_at is None else []
    trade.clean_fields(exclude=[*FOREIGN_KEYS, *unset, "trade_id", "client_trade_id"])
    if trade.client_trade_id is not None and len(trade.client_trade_id) > 128:
        raise ValidationError({"client_trade_id": ValidationError("At most 128 characters.", code="max_length")})
    errors = errors_of_amounts(trade) | error_of_time("executed_at", trade.executed_at)
    if trade.fees < 0:
        errors["fees"] = ValidationError("They must be 0 or more.", code="min_value")
    if errors:
        raise ValidationError(errors)


def check_read_trade(trade: Trade) -> None:
    """What is left to check of a trade whose every field the API's serializer has read (see trades/serializers.py)."""
    trade.notional = ledger.multiply(trade.quantity, trade.price)
    if errors := error_of_time("executed_at", trade.executed_at):
        raise ValidationError(errors)


def check_activity(activity: Activity) -> None:
    """The same; an error bears the name its field has outside."""
    activity.clean_fields(exclude=[*FOREIGN_KEYS, "activity_id"])
    errors = errors_of_columns(activity) or (
        errors_of_amounts(activity)
        | errors_of_times(activity)
        | errors_of_tickers(activity)
        | errors_of_ratio(activity)
    )
    if errors:
        raise ValidationError({OUTSIDE_NAMES.get(name, name): error for name, error in errors.items()})


def errors_of_columns(activity: Activity) -> dict[str, ValidationError]:
    """What the kind needs and does not have, and what it has and does not know."""
    required, known = REQUIRED[activity.kind], REQUIRED[activity.kind] | OPTIONAL.get(activity.kind, set())
    errors = {}
    for name in set().union(*REQUIRED.values(), *OPTIONAL.values()):
        is_empty = getattr(activity, name) in (None, "")
        if is_empty and name in required:
            errors[name] = ValidationError(f"The kind {activity.kind} needs it.", code="required")
        elif not is_empty and name not in known:
            message = f"The kind {activity.kind} has none."
            errors[name] = ValidationError(message, code="not_of_this_kind")
    return errors


def errors_of_amounts(row: Trade | Activity) -> dict[str, ValidationError]:
    may_be_below = getattr(row, "kind", None) == ActivityKind.INTEREST  # interest is paid as well as received
    errors = {}
    for name in ABOVE_ZERO:
        value = getattr(row, name, None)
        if value is not None and (value == 0 or (value < 0 and not may_be_below)):
            message = "It must not be 0." if may_be_below else "It must be greater than 0."
            errors[name] = ValidationError(message, code="min_value")
    if (getattr(row, "cost_basis", None) or 0) < 0:
        errors["cost_basis"] = ValidationError("It must be 0 or more.", code="min_value")
    return errors


def errors_of_times(activity: Activity) -> dict[str, ValidationError]:
    errors = error_of_time("effective_at", activity.effective_at)
    pay_at, acquired_at = activity.pay_at, activity.acquired_at
    if pay_at is not None and not activity.effective_at <= pay_at <= activity.effective_at + PAY_DAY_WITHIN:
        message = "It must not lie before the ex-date, nor more than three years after it."
        errors["pay_at"] = ValidationError(message, code="out_of_range")
    if acquired_at is not None and not EARLIEST <= acquired_at <= activity.effective_at:
        message = "It must lie after 1900 and not after the transfer."
        errors["acquired_at"] = ValidationError(message, code="out_of_range")
    return errors


def error_of_time(name: str, at: datetime | None) -> dict[str, ValidationError]:
    if at is None or EARLIEST <= at <= timezone.now() + FUTURE_ALLOWED:
        return {}
    return {name: ValidationError("It must lie after 1900 and no more than a day ahead.", code="out_of_range")}


def errors_of_tickers(activity: Activity) -> dict[str, ValidationError]:
    if activity.new_instrument_id and activity.new_instrument_id == activity.instrument_id:
        return {"new_instrument_id": ValidationError("It must be another ticker.", code="same_ticker")}
    return {}


def errors_of_ratio(activity: Activity) -> dict[str, ValidationError]:
    """A split makes more of few (4:1), a reverse split fewer of many (1:3)."""
    new, old = activity.ratio_new, activity.ratio_old
    if new is None:
        return {}
    is_reverse = activity.kind == ActivityKind.REVERSE_SPLIT
    sound = 0 < new <= MOST_RATIO and 0 < old <= MOST_RATIO and (new < old if is_reverse else new > old)
    if sound:
        return {}
    example = "fewer for more, such as 1:3" if is_reverse else "more for fewer, such as 4:1"
    return {"ratio_new": ValidationError(f"The ratio of new units to old must be {example}.", code="ratio")}
