"""The short way to the totals of all that one may see (see signing.py), for PostgreSQL: they are kept by position."""

from django.http import HttpRequest

from tradeops.core.api import Conflict
from tradeops.core.bulk import ask
from tradeops.core.decimals import plain
from tradeops.core.strict_json import write_json

from ..stats import MOST_TICKERS, Totals, kept_sums, statistics_from
from .kept_pages import keep_page, kept_page
from .signing import Answer, ShortAnswer, answer, sign_in_to_read

METHODS = "GET, HEAD, OPTIONS"


def ask_statistics(request: HttpRequest) -> Answer | None:
    """The totals, asked for now and there when the answer is called; None for what is left to the view."""
    signed = None if request.META.get("QUERY_STRING") else sign_in_to_read(request)
    if signed is None or not signed.is_within_limit():
        return None
    rows = ask(*signed.remembered("sums of what is seen", lambda: kept_sums(signed.user, {}).query.sql_with_params()))

    def told() -> ShortAnswer | None:
        sums, name = rows(), ("totals", signed.user.pk)
        try:
            return answer(kept_page(name, sums) or keep_page(name, sums, written(sums)), METHODS)
        except Conflict:  # which the view explains
            return None

    return told


def written(rows: list[tuple]) -> bytes:
    """The JSON of StatsSerializer; a test holds the two equal."""
    statistics = statistics_from(rows)
    by_ticker = [{"ticker": one.instrument_id} | written_totals(one) for one in statistics.by_ticker[:MOST_TICKERS]]
    counted = {"ticker_count": len(statistics.by_ticker), "by_ticker": by_ticker}
    return write_json(written_totals(statistics.total) | counted)


def written_totals(totals: Totals) -> dict:
    bought, sold = totals.average_buy_price, totals.average_sell_price
    return {
        "trade_count": totals.trade_count,
        "buy_count": totals.buy_count,
        "sell_count": totals.sell_count,
        "total_quantity": plain(totals.total_quantity),
        "total_notional": plain(totals.total_notional),
        "total_fees": plain(totals.fees),
        "average_buy_price": None if bought is None else plain(bought),
        "average_sell_price": None if sold is None else plain(sold),
        "realized_pnl": plain(totals.traded_pnl),
        "closed_trades": totals.closed_trades,
        "win_rate_percentage": totals.win_rate_percentage,
    }
