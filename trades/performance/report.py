"""What the performance page shows of a history: figures, charts, calendar and the parts, each with its query string."""

import calendar
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from urllib.parse import urlencode

from tradeops.core.moments import written_time

from ..ledger import EXACT
from ..models import RoundTrip
from .attribution import Group, Month
from .benchmark import Benchmark
from .equity import DayValue
from .history import Books, History
from .plots import Plot, plot
from .returns import Drawdown, Figure

ROUND_TRIPS_SHOWN, FLOWS_SHOWN, DAYS_LISTED, GROUPS_SHOWN = 100, 100, 800, 500
MONTHS_OF_DAYS = 12


def books_query(books: Books) -> dict[str, str]:
    """The parameters that name these accounts."""
    if books.only:
        return {"account": str(books.only.pk)}
    return {"currency": books.currency} if books.currency else {}


# Figures ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ratio:
    """A row of the table of ratios: `form` is percent, number or money, `target` where what made it stands."""

    name: str
    figure: Figure
    form: str
    target: str


def ratios_of(figures: dict[str, Figure], currency: str) -> list[Ratio]:
    return [
        Ratio("Modified Dietz, %", figures["modified_dietz"], "percent", "flows"),
        Ratio("Volatility a year, %", figures["volatility"], "percent", "days"),
        Ratio("Sharpe ratio", figures["sharpe_ratio"], "number", "days"),
        Ratio("Sortino ratio", figures["sortino_ratio"], "number", "days"),
        Ratio("Calmar ratio", figures["calmar_ratio"], "number", "drawdown"),
        Ratio("Win rate, %", figures["win_rate"], "percent", "trips"),
        Ratio("Profit factor", figures["profit_factor"], "number", "trips"),
        Ratio(f"Expectancy, {currency}", figures["expectancy"], "money", "trips"),
    ]


@dataclass(frozen=True)
class Fall:
    """The deepest fall: the peak before it, its bottom."""

    peak: date
    bottom: date


def deepest_fall(curve: Sequence[Drawdown]) -> Fall | None:
    """None where the index never fell."""
    if not curve or min(point.drawdown for point in curve) == 0.0:
        return None
    bottom = min(range(len(curve)), key=lambda place: curve[place].drawdown)
    peak = max(range(bottom + 1), key=lambda place: curve[place].index)
    return Fall(curve[peak].day, curve[bottom].day)


@dataclass(frozen=True)
class Gap:
    """Days whose equity nobody knows: how many, for want of which prices, and since when all are known again."""

    count: int
    tickers: list[str]
    known_from: date | None


def gap_of(days: Sequence[DayValue]) -> Gap | None:
    unknown = [place for place, day in enumerate(days) if day.equity is None or day.cash_flow is None]
    if not unknown:
        return None
    after = days[unknown[-1] + 1 :]
    tickers = sorted({ticker for place in unknown for ticker in days[place].unmarked})
    return Gap(len(unknown), tickers, after[0].day if len(after) > 1 else None)


# Charts ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Charts:
    """The plots, and the same numbers by day for the pointer to read."""

    equity: Plot | None
    growth: Plot | None
    drawdown: Plot | None
    points: dict[str, list]


def charts_of(history: History, benchmark: Benchmark | None) -> Charts:
    days = history.equity.days
    dates, curve = [day.day for day in days], {point.day: point for point in history.curve}
    levels = benchmark.growths if benchmark else {}
    equity = [number(day.equity) for day in days]
    capital = [number(amount) for amount in capital_of(history)]
    twr = [100.0 * (curve[day].index - 1.0) if day in curve else None for day in dates]
    drawdown = [100.0 * curve[day].drawdown if day in curve else None for day in dates]
    compared = (
        {"benchmark": [100.0 * (levels[day] - 1.0) if day in levels else None for day in dates]} if levels else {}
    )
    pnl = [number(day.pnl) for day in days]
    points = {"day": [f"{day}" for day in dates], "equity": equity, "pnl": pnl, "twr": twr, "drawdown": drawdown}
    return Charts(
        equity=plot(dates, {"capital": capital, "equity": equity}),
        growth=plot(dates, compared | {"twr": twr}),
        drawdown=plot(dates, {"drawdown": drawdown}, filled="drawdown"),
        points=points | compared,
    )


def capital_of(history: History) -> Iterator[Decimal | None]:
    """What was put in up to each day's end, the opening equity among it; None from where nobody knows it."""
    capital = history.equity.opening_equity
    for day in history.equity.days:
        capital = None if None in (capital, day.cash_flow) else EXACT.add(capital, day.cash_flow)
        yield capital


def number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


# Days and months --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cell:
    """A day of the calendar; `query` leads to its trades, where something happened."""

    value: DayValue
    query: str


@dataclass(frozen=True)
class Sheet:
    """A month of the calendar by weeks from Monday; None where a day is not of it. `query` opens it as a period."""

    month: Month
    query: str
    weeks: list[list[Cell | None]]


def calendar_of(history: History, months: Sequence[Month]) -> list[Sheet]:
    """The last months, day by day."""
    cells = {}
    for day, standing, value in zip(history.days, history.equity.walk.days, history.equity.days, strict=True):
        query = trades_query(history.books, day.start, day.end) if standing.has_events else ""
        cells[day.day] = Cell(value, query)
    shown = months[-MONTHS_OF_DAYS:]
    return [Sheet(month, month_query(history.books, month), weeks_of(month.start, cells)) for month in shown]


def weeks_of(first: date, cells: dict[date, Cell]) -> list[list[Cell | None]]:
    days = calendar.Calendar().monthdatescalendar(first.year, first.month)
    weeks = [[cells.get(day) if day.month == first.month else None for day in week] for week in days]
    return [week for week in weeks if any(week)]


def trades_query(books: Books, start: datetime, end: datetime, **filters: str) -> str:
    """The blotter's query for the trades of start <= time < end."""
    moments = {"executed_after": start, "executed_before": end}
    within = {name: written_time(moment.astimezone(UTC)) for name, moment in moments.items()}
    whose = {"account": str(books.only.pk)} if books.only else {}
    return urlencode(within | whose | filters)


# The parts -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Linked:
    """Something, and the query of the address that shows what it is made of; "" where none does."""

    item: object
    query: str = ""


def parts_of(history: History) -> dict:
    """The tables of the page, by the name the template gives them."""
    books, months = history.books, history.by_month()
    start, end = history.days[0].start, history.days[-1].end
    trips = RoundTrip.objects.filter(account__in=books.accounts, closed_at__gte=start, closed_at__lt=end)
    tickers, strategies, tags = history.by_ticker(), history.by_strategy(), history.by_tag()
    flows = list(zip(history.equity.walk.flows, history.equity.flow_values, strict=True))
    return {
        "months": [Linked(month, month_query(books, month)) for month in reversed(months)],
        "sheets": calendar_of(history, months)[::-1],
        "days_listed": history.equity.days[-DAYS_LISTED:][::-1],
        "tickers": tickers[:GROUPS_SHOWN],
        "ticker_count": len(tickers),
        "money": history.equity.walk.money,
        "strategies": linked(history, "strategy", strategies[:GROUPS_SHOWN]),
        "strategy_count": len(strategies),
        "tags": linked(history, "tag", tags[:GROUPS_SHOWN]),
        "tag_count": len(tags),
        "trips": trips.select_related("account").order_by("-closed_at", "-closed_by")[:ROUND_TRIPS_SHOWN],
        "trip_count": history.trips.count,
        "flows": flows[::-1][:FLOWS_SHOWN],
        "flow_count": len(flows),
        "all_trades": all_trades(history),
    }


def all_trades(history: History, **filters: str) -> str:
    """The blotter's query for the trades of the history."""
    return trades_query(history.books, history.days[0].start, history.days[-1].end, **filters)


def linked(history: History, label: str, groups: Sequence[Group]) -> list[Linked]:
    """Groups by a label, each with its trades; those without the label cannot be asked for."""
    return [Linked(group, all_trades(history, **{label: group.key}) if group.key else "") for group in groups]


def month_query(books: Books, month: Month) -> str:
    return urlencode({"start": month.start, "end": month.end} | books_query(books))
