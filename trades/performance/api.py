"""The addresses of history and performance: what the accounts were worth, and what they made of it."""

from collections.abc import Iterator

from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tradeops.core.api import PagedParams
from tradeops.core.browsable import BrowsableAPIRenderer
from tradeops.core.csvfile import write_rows
from tradeops.core.decimals import plain
from tradeops.core.download import CsvRenderer, csv_response
from tradeops.core.pagination import NamePagination

from ..ledger import ZERO
from ..models import Trade
from ..requests import BookView
from .attribution import Group, TickerResult
from .benchmark import Benchmark, read_benchmark
from .history import History
from .portfolio import PerformanceParams, PortfolioParams, open_history
from .returns import Reason
from .serializers import (
    HistorySerializer,
    PerformanceSerializer,
    StrategyPerformanceSerializer,
    TagPerformanceSerializer,
    TickerPerformanceSerializer,
)

COLUMNS = (
    "day", "cash", "receivable", "market_value", "equity", "cash_flow", "pnl", "twr", "drawdown", "reason", "unmarked",
)  # fmt: skip
MOST_GROUPS = 1000  # listed, by name; all are counted


class PortfolioHistory(APIView):
    """Equity, cash flow and P&L by day, of one account or of all in one currency. `?format=csv` for a file.

    A day without a price for something held has no equity, and says for what. One account's days are its own,
    those of several begin at 00:00 UTC.
    """

    renderer_classes = [JSONRenderer, BrowsableAPIRenderer, CsvRenderer]

    @extend_schema(parameters=[PortfolioParams], responses=HistorySerializer)
    def get(self, request: Request) -> Response:
        asked = PortfolioParams.read(request)
        history = open_history(request.user, asked, timezone.now())
        rows = day_rows(history)
        if request.accepted_renderer.format == "csv":
            return csv_response(request._request, csv_texts(rows), "history.csv")
        answer = scope_of(history) | {"timeframe": asked["timeframe"], "days": rows}
        return Response(HistorySerializer(answer).data)


class PortfolioPerformance(APIView):
    """Returns, risk and round trips of a period, and what made them: by ticker, strategy, tag and month.

    `benchmark` names a ticker to compare with. A figure that is not defined is null with a reason, never 0.
    """

    @extend_schema(parameters=[PerformanceParams], responses=PerformanceSerializer)
    def get(self, request: Request) -> Response:
        asked, now = PerformanceParams.read(request), timezone.now()
        history = open_history(request.user, asked, now)
        ticker = asked.get("benchmark")
        benchmark = read_benchmark(ticker, history, now) if ticker else None
        return Response(PerformanceSerializer(performance_of(history, benchmark)).data)


class PartPagination(NamePagination):
    ordering = ("key",)


class PartsParams(PagedParams, PortfolioParams):
    """Whose performance, and of which days, of a list in pages."""


class PerformanceParts(BookView):
    """One of a performance's lists as a whole, by name, in pages."""

    queryset = Trade.objects.none()
    pagination_class = PartPagination
    filter_backends: list = []

    def parts(self, history: History) -> list:
        raise NotImplementedError

    def row(self, part: Group | TickerResult) -> dict:
        raise NotImplementedError

    def get(self, request: Request) -> Response:
        history = open_history(request.user, PartsParams.read(request), timezone.now())
        rows = [self.row(part) for part in self.paginate_queryset(self.parts(history))]
        return self.get_paginated_response(self.serializer_class(rows, many=True).data)


@extend_schema_view(get=extend_schema(parameters=[PortfolioParams], responses=TickerPerformanceSerializer(many=True)))
class PerformanceTickers(PerformanceParts):
    """What each ticker made in a period. The account's own interest less fees is told by `/portfolio/performance`."""

    serializer_class = TickerPerformanceSerializer

    def parts(self, history: History) -> list:
        return history.by_ticker()

    def row(self, part: TickerResult) -> dict:
        return ticker_row(part)


@extend_schema_view(get=extend_schema(parameters=[PortfolioParams], responses=StrategyPerformanceSerializer(many=True)))
class PerformanceStrategies(PerformanceParts):
    """What the trades of each strategy made in a period."""

    serializer_class = StrategyPerformanceSerializer

    def parts(self, history: History) -> list:
        return history.by_strategy()

    def row(self, part: Group) -> dict:
        return strategy_row(part)


@extend_schema_view(get=extend_schema(parameters=[PortfolioParams], responses=TagPerformanceSerializer(many=True)))
class PerformanceTags(PerformanceParts):
    """What the trades of each tag made in a period; a trade of two tags counts in both."""

    serializer_class = TagPerformanceSerializer

    def parts(self, history: History) -> list:
        return history.by_tag()

    def row(self, part: Group) -> dict:
        return tag_row(part)


# What is answered --------------------------------------------------------------------------------------


def scope_of(history: History) -> dict:
    books, equity = history.books, history.equity
    return {
        "account": books.only.pk if books.only else None,
        "accounts": [account.pk for account in books.accounts],
        "currency": books.currency,
        "time_zone": books.time_zone,
        "day_cutoff": books.day_cutoff,
        "start": history.first,
        "end": history.last,
        "opening_equity": equity.opening_equity,
        "closing_equity": equity.closing_equity,
        "cash_flow": equity.cash_flow,
        "pnl": equity.pnl,
    }


def day_rows(history: History) -> list[dict]:
    """The days with the growth and the drawdown at their ends."""
    curve = {point.day: point for point in history.curve}
    rows = []
    for day in history.equity.days:
        point = curve.get(day.day)
        row = {name: getattr(day, name, None) for name in COLUMNS}
        row |= {"twr": point.index - 1.0, "drawdown": point.drawdown} if point else {}
        row["reason"] = Reason.NO_MARK if None in (day.equity, day.pnl) else None
        rows.append(row)
    return rows


def csv_texts(rows: list[dict]) -> Iterator[str]:
    yield from write_rows([COLUMNS])
    for row in rows:
        money = ["" if row[name] is None else plain(row[name]) for name in COLUMNS[1:7]]
        fractions = ["" if row[name] is None else repr(row[name]) for name in ("twr", "drawdown")]
        yield from write_rows([[row["day"], *money, *fractions, row["reason"] or "", " ".join(row["unmarked"])]])


def performance_of(history: History, benchmark: Benchmark | None) -> dict:
    tickers, strategies, tags = history.by_ticker(), history.by_strategy(), history.by_tag()
    return (
        scope_of(history)
        | history.figures()
        | {
            "periods_per_year": history.periods_per_year,
            "closed_trades": history.trips.count,
            "benchmark": benchmark,
            "by_ticker": [*map(ticker_row, tickers[:MOST_GROUPS]), *money_row(history)],
            "ticker_count": len(tickers),
            "by_strategy": [*map(strategy_row, strategies[:MOST_GROUPS])],
            "strategy_count": len(strategies),
            "by_tag": [*map(tag_row, tags[:MOST_GROUPS])],
            "tag_count": len(tags),
            "by_month": history.by_month(),
        }
    )


def group_row(group: Group) -> dict:
    names = ("trade_count", "realized_pnl", "fees", "net_pnl", "closed_trades")
    return {name: getattr(group, name) for name in names} | group.figures


def strategy_row(group: Group) -> dict:
    return group_row(group) | {"strategy": group.key}


def tag_row(group: Group) -> dict:
    return group_row(group) | {"tag": group.key}


def ticker_row(result: TickerResult) -> dict:
    made = result.made
    return group_row(result.group) | {
        "ticker": made.ticker,
        "pnl": made.pnl,
        "unrealized_pnl": result.unrealized_pnl,
        "income": made.income,
        "fees": made.fees,
        "reason": Reason.NO_MARK if made.pnl is None else None,
    }


def money_row(history: History) -> list[dict]:
    """Interest less the account's own fees, where there were any: with it the rows sum to the whole."""
    money = history.equity.walk.money
    own = {"ticker": None, "pnl": money, "unrealized_pnl": ZERO, "income": money, "reason": None}
    return [group_row(Group("")) | own] if money else []
