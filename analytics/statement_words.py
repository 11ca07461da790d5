"""The words and figures of a daily statement, the same in HTML and PDF."""

from decimal import Decimal

from analytics.account_day import AccountDay, Line
from analytics.layout import plain

HELD_HEAD = ("Ticker", "Quantity", "Day before", "Mark", "Change, %", "Exposure", "Day before", "Day P&L")
TRADED_HEAD = ("Ticker", "Trades", "Volume", "Day before", "VWAP", "High", "Low", "Notional", "Fees", "Realized P&L")


def figures_of(told: AccountDay) -> list[tuple[str, str]]:
    """(name, value) of the statement's head."""
    money = told.money
    return [
        ("Equity", money(told.closing_equity)),
        ("Equity the day before", money(told.opening_equity)),
        ("Day P&L", money(told.pnl, sign=True)),
        ("Cash flow", money(told.cash_flow, sign=True)),
        ("Cash", money(told.cash)),
        ("Gross exposure", money(told.gross_exposure)),
        ("Realized P&L", money(told.realized_pnl, sign=True)),
        ("Fees", money(told.fees)),
        ("Trades", f"{told.trade_count:,}"),
        ("Notional", money(told.notional)),
        ("Notional the day before", money(told.previous_notional)),
        ("Receivable", money(told.receivable)),
    ]


def held_row(told: AccountDay, line: Line) -> tuple[str, ...]:
    return (
        line.ticker,
        units(line.quantity),
        units(line.previous_quantity),
        price(line.mark),
        percent(line.change),
        told.money(line.exposure),
        told.money(line.previous_exposure),
        told.money(line.day_pnl, sign=True),
    )


def traded_row(told: AccountDay, line: Line) -> tuple[str, ...]:
    traded = line.traded
    return (
        line.ticker,
        f"{traded.trades:,}",
        units(traded.volume),
        units(line.before.volume),
        price(traded.vwap),
        price(traded.high),
        price(traded.low),
        told.money(traded.notional),
        told.money(traded.fees),
        told.money(traded.realized_pnl, sign=True),
    )


def tables_of(told: AccountDay) -> list[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
    """(title, head, rows) of each table."""
    return [
        ("Held at the day's end", HELD_HEAD, [held_row(told, line) for line in told.held]),
        ("Traded", TRADED_HEAD, [traded_row(told, line) for line in told.traded]),
    ]


def notes_of(told: AccountDay) -> list[str]:
    """What is said in sentences under the figures."""
    notes = [
        mover_words(told),
        f"No price is known of {', '.join(told.unmarked)}: what depends on it is left out." if told.unmarked else "",
        "" if told.held else "Nothing is held at the day's end.",
        "" if told.traded else "Nothing was traded.",
    ]
    return [note for note in notes if note]


def mover_words(told: AccountDay) -> str:
    """The top movers in a line; nothing where no mark moved."""
    moved = ", ".join(f"{line.ticker} {percent(line.change)} %" for line in told.movers)
    return f"Top movers against the day before: {moved}" if moved else ""


def units(quantity: Decimal) -> str:
    whole, point, rest = plain(quantity.copy_abs()).partition(".")
    return f"{'−' if quantity < 0 else ''}{int(whole):,}{point}{rest}"


def price(value: Decimal | None) -> str:
    return "–" if value is None else f"{value:,.4f}"


def percent(fraction: Decimal | None) -> str:
    if fraction is None:
        return "–"
    text = f"{fraction * 100:+.2f}"
    return "0.00" if text in ("+0.00", "-0.00") else text.replace("-", "−")
