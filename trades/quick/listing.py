"""The short way to a page of trades (see signing.py), for PostgreSQL: the database writes the page itself.

The page is chosen by an index, first; only its rows are joined with what else is shown, and each is written
by the database as the JSON that the serializer would give.
"""

from django.db import DataError, connection
from django.http import HttpRequest, HttpResponse

from tradeops.core.api import KeysetPagination
from tradeops.core.strict_json import old_line_ends, write_json
from tradeops.core.users.roles import Action

from ..filters import TradeFilter, checked_filters, read_ordering
from ..models import Account, LedgerEntry, Realization, Trade
from .booking import METHODS
from .signing import REFUSALS, SignedRequest, answer, sign_in

# Each filter as its condition; one that is not here is left to the view.
CONDITIONS = {
    "trade_type": "side = %s",
    "account": "account_id = %s",
    "executed_after": "executed_at >= %s",
    "executed_before": "executed_at < %s",
    "strategy": "strategy = %s",
    "client_trade_id": "client_trade_id = %s",
    "min_quantity": "quantity >= %s",
    "max_quantity": "quantity <= %s",
    "min_price": "price >= %s",
    "max_price": "price <= %s",
}
COLUMNS = {"instrument_id": "ticker"}


def instant(column: str) -> str:
    """A moment as `written_time` writes it: with microseconds where it has some."""
    at = f"{column} AT TIME ZONE 'UTC'"
    fraction = f"CASE WHEN {at} = date_trunc('second', {at}) THEN '' ELSE to_char({at}, '.US') END"
    return f"to_char({at}, 'YYYY-MM-DD\"T\"HH24:MI:SS') || {fraction} || 'Z'"


def plain(expression: str) -> str:
    return f"trim_scale({expression})::text"


REALIZED = f"(SELECT SUM(pnl) FROM {Realization._meta.db_table} WHERE closed_by = page.trade_id)"  # noqa: S608
WRITTEN = f"""
    SELECT page.trade_id AS id, page.version, page.account_id AS account, page.ticker, page.side AS trade_type,
           {plain("page.quantity")} AS quantity, {plain("page.price")} AS price, {plain("page.notional")} AS notional,
           {plain("page.fees")} AS fees, {plain(f"COALESCE({REALIZED}, 0)")} AS realized_pnl,
           {instant("page.executed_at")} AS executed_at,
           (page.executed_at AT TIME ZONE account.time_zone - account.day_cutoff)::date AS trade_date,
           {instant("entry.recorded_at")} AS recorded_at, page.strategy,
           array_remove(string_to_array(page.tags, ','), '') AS tags, page.note, page.client_trade_id
"""
PAGE = f"""
    SELECT row_to_json(written)::text, page.{{columns}}
    FROM (SELECT * FROM {Trade._meta.db_table} WHERE superseded_by_id IS NULL AND NOT is_void AND {{where}}
          ORDER BY {{order}} LIMIT %s) page
    JOIN {Account._meta.db_table} account ON account.id = page.account_id
    JOIN {LedgerEntry._meta.db_table} entry ON entry.id = page.entry_id
    CROSS JOIN LATERAL ({WRITTEN}) written
    ORDER BY {{order}}
"""  # noqa: S608 - names of ours


def list_quickly(request: HttpRequest) -> HttpResponse | None:
    """A plain page of trades; None for all else."""
    if request.method != "GET" or connection.vendor != "postgresql" or "format" in request.GET:
        return None
    signed = sign_in(request, Action.READ)
    if signed is None:
        return None
    try:
        return page_of(signed)
    except (*REFUSALS, DataError):  # the second: an odd value that SQL has put there, which the view can read
        return None


def page_of(signed: SignedRequest) -> HttpResponse | None:
    asked = checked_filters(TradeFilter, Trade.objects.none(), signed.query_params).form.cleaned_data
    asked = {name: value for name, value in asked.items() if value not in (None, "", [])}
    if not asked.keys() <= {"ticker", *CONDITIONS}:
        return None
    page = Page(signed, read_ordering(signed.query_params))
    conditions, parameters = chosen_by(asked)
    for where, values in (seen_by(signed), page.where()):
        conditions += where
        parameters += values
    texts = page.take(" AND ".join(conditions) or "true", parameters)
    links = write_json({"next": page.next_link(), "previous": page.previous_link()})
    results = old_line_ends(",".join(texts)).encode()
    return answer(links[:-1] + b',"results":[' + results + b"]}", METHODS)


def chosen_by(asked: dict) -> tuple[list[str], list]:
    """The conditions of the filters, with their parameters."""
    tickers = asked.pop("ticker", [])
    conditions, parameters = [CONDITIONS[name] for name in asked], list(asked.values())
    if tickers:
        # One alone leaves the index its order.
        conditions.append("ticker = %s" if len(tickers) == 1 else "ticker = ANY(%s)")
        parameters.append(tickers[0] if len(tickers) == 1 else tickers)
    return conditions, parameters


def seen_by(signed: SignedRequest) -> tuple[list[str], list]:
    """The condition that the user may see the account: a query, so that it knows of accounts opened just now."""
    if signed.user.may_in_all(Action.READ):
        return [], []
    accounts = Account.objects.visible_to(signed.user).order_by().values("pk")
    query, parameters = signed.remembered("accounts seen", accounts.query.sql_with_params)
    return [f"account_id IN ({query})"], list(parameters)


class Page(KeysetPagination):
    """The pagination of the list, of rows that are JSON already, each with the columns it is ordered by."""

    def __init__(self, signed: SignedRequest, ordering: tuple[str, ...]):
        self.request, self.ordering, self.model = signed, ordering, Trade
        self.size = self.get_page_size(signed)
        self.position, self.backward = self.read_cursor(signed)

    @property
    def columns(self) -> list[tuple[str, str]]:
        """Each column in SQL, with how it compares to what comes before it."""
        pairs = []
        for name in self.ordering:
            falls = name.startswith("-") != self.backward
            column = name.lstrip("-")
            pairs.append((COLUMNS.get(column, column), "<" if falls else ">"))
        return pairs

    def where(self) -> tuple[list[str], list]:
        """Beyond the cursor: `a <= x AND (a < x OR (a = x AND b < y))`, which an index on (a, b) serves."""
        if self.position is None:
            return [], []
        if len(self.columns) == 1:
            ((column, sign),) = self.columns
            return [f"{column} {sign} %s"], list(self.position)
        (first, sign), (second, other) = self.columns
        x, y = self.position
        return [f"{first} {sign}= %s AND ({first} {sign} %s OR {second} {other} %s)"], [x, x, y]

    def take(self, where: str, parameters: list) -> list[str]:
        """The page's rows as JSON."""
        names = [column for column, _ in self.columns]
        order = ", ".join(f"{column} {'DESC' if sign == '<' else 'ASC'}" for column, sign in self.columns)
        query = PAGE.format(columns=", page.".join(names), where=where, order=order)
        with connection.cursor() as cursor:
            cursor.execute(query, [*parameters, self.size + 1])
            rows = cursor.fetchall()
        self.settle(rows)
        return [text for text, *_ in self.rows]

    def place_of(self, row: tuple) -> list[str]:
        return [str(value) for value in row[1:]]
