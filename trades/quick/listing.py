"""The short way to a page of trades (see signing.py), for PostgreSQL: the database writes the rows itself.

The page is chosen by an index, and told as one text: its versions, what each realized, where it stands. Of a page that
is kept (kept_pages.py) no more is asked; of another the database writes the rows as well, as the JSON that the
serializer would give. A page is asked for first and waited for later, so that several travel together.
"""

from collections.abc import Callable, Hashable
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from django.core.exceptions import SuspiciousOperation
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import DataError
from django.http import HttpRequest, QueryDict

from tradeops.core.bulk import ask
from tradeops.core.pagination import KeysetPagination
from tradeops.core.strict_json import old_line_ends, write_json
from tradeops.core.turns import step_aside
from tradeops.core.users.models import User

from ..export import moment, number
from ..filters import TradeFilter, checked_values, read_ordering
from ..models import Account, LedgerEntry, Realization, Trade
from .booking import METHODS
from .kept_pages import is_kept, keep_page, kept_page
from .signing import REFUSALS, Answer, ShortAnswer, SignedRequest, answer, answered, sign_in_to_read

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
LONGEST_REMEMBERED = 500


def plain(expression: str) -> str:
    return f"{number(expression)}::text"


REALIZED = f"SELECT SUM(pnl) AS pnl FROM {Realization._meta.db_table} WHERE closed_by = page.trade_id"  # noqa: S608
WRITTEN = f"""
    SELECT page.trade_id AS id, page.version, page.account_id AS account, page.ticker, page.side AS trade_type,
           {plain("page.quantity")} AS quantity, {plain("page.price")} AS price, {plain("page.notional")} AS notional,
           {plain("page.fees")} AS fees, {plain("COALESCE(realized.pnl, 0)")} AS realized_pnl,
           {moment("page.executed_at")} AS executed_at,
           (page.executed_at AT TIME ZONE account.time_zone - account.day_cutoff)::date AS trade_date,
           {moment("entry.recorded_at")} AS recorded_at, page.strategy,
           array_remove(string_to_array(page.tags, ','), '') AS tags, page.note, page.client_trade_id
"""
CHOSEN = f"""
    (SELECT * FROM {Trade._meta.db_table} WHERE superseded_by_id IS NULL AND NOT is_void AND {{where}}
     ORDER BY {{order}} LIMIT {{most}}) page
"""  # noqa: S608 - names of ours
# Of a few accounts: as many rows of each as the page has, by the index that begins with the account. So one plan is
# the best for any filter, and PostgreSQL need not make it anew for each page.
OF_EACH = "({accounts}) seen CROSS JOIN LATERAL " + CHOSEN.replace("{where}", "account_id = seen.pk AND {where}")
OF_PAGE = "(SELECT page.* FROM {chosen} ORDER BY {page_order} LIMIT {most}) page"
BETWEEN_CELLS, BETWEEN_ROWS = "\x1f", "\x1e"  # which no column of these may have, and no JSON
CELLS = f"concat_ws('{BETWEEN_CELLS}', page.id, COALESCE(({REALIZED})::text, ''), {{places}})"
TOLD = f"""
    SELECT string_agg(cells, '{BETWEEN_ROWS}')
    FROM (SELECT {CELLS} AS cells FROM {OF_PAGE} ORDER BY {{page_order}}) of_page
"""  # noqa: S608 - names of ours
WHOLE = f"""
    SELECT string_agg(cells, '{BETWEEN_ROWS}'), string_agg(json, '{BETWEEN_ROWS}')
    FROM (
        SELECT {CELLS.replace(f"({REALIZED})", "realized.pnl")} AS cells, row_to_json(written)::text AS json
        FROM {OF_PAGE}
        JOIN {Account._meta.db_table} account ON account.id = page.account_id
        JOIN {LedgerEntry._meta.db_table} entry ON entry.id = page.entry_id
        CROSS JOIN LATERAL ({REALIZED}) realized
        CROSS JOIN LATERAL ({WRITTEN}) written
        ORDER BY {{page_order}}
    ) of_page
"""  # noqa: S608
FEW = 8
ODD = (DjangoValidationError, ArithmeticError, ValueError)  # what Python says to a value that only SQL could put there


def list_quickly(request: HttpRequest) -> ShortAnswer | None:
    """A plain page of trades; None for all else."""
    return answered(ask_page(request))


def ask_page(request: HttpRequest) -> Answer | None:
    """The same, asked for now and there when it is called."""
    signed = sign_in_to_read(request)
    if signed is None:
        return None
    try:
        query_string = request.META.get("QUERY_STRING", "")
        asked = read_query(query_string) if query_string.isascii() else None
        page = ask_rows(asked, signed) if asked and signed.is_within_limit() else None
    except (*REFUSALS, SuspiciousOperation, DataError):  # too many parameters; an odd value that SQL has put there
        return None
    return page and (lambda: answer_with(page))


def answer_with(page: Callable[[], bytes]) -> ShortAnswer | None:
    try:
        return answer(page(), METHODS)
    except (DataError, *ODD):
        return None


def ask_rows(asked: "Asked", signed: SignedRequest) -> Callable[[], bytes]:
    seen = signed.remembered("accounts seen", lambda: seen_by(signed.user))
    meta = signed.request.META
    address = (meta.get("HTTP_HOST"), signed.request.is_secure(), signed.path, meta.get("QUERY_STRING", ""))
    name = (*address, *seen.parameters)
    step_aside()
    if not is_kept(name):
        return write_whole(name, asked, seen, signed)
    rows = ask(*statement_for(asked, seen, TOLD))

    def page() -> bytes:
        ((told,),) = rows()
        return kept_page(name, told or "") or write_whole(name, asked, seen, signed)()

    return page


def write_whole(name: Hashable, asked: "Asked", seen: "Seen", signed: SignedRequest) -> Callable[[], bytes]:
    """The page, asked for with its rows, and kept."""
    rows = ask(*statement_for(asked, seen, WHOLE))

    def page() -> bytes:
        ((told, texts),) = rows()
        return keep_page(name, told or "", written(asked, signed, told or "", texts or ""))

    return page


def written(asked: "Asked", signed: SignedRequest, told: str, texts: str) -> bytes:
    page = copy(asked.page)
    page.request = signed
    rows = page.settle(list(zip(told.split(BETWEEN_ROWS), texts.split(BETWEEN_ROWS), strict=True)) if told else [])
    links = write_json({"next": page.next_link(), "previous": page.previous_link()})
    results = old_line_ends(",".join(text for _, text in rows)).encode()
    return links[:-1] + b',"results":[' + results + b"]}"


class Seen(NamedTuple):
    """The accounts that a user sees: a query, so that it knows of those opened just now; None for all there are."""

    query: str | None
    parameters: tuple
    are_few: bool


def seen_by(user: User) -> Seen:
    if user.sees_all_books:
        return Seen(None, (), False)
    accounts = Account.objects.visible_to(user).order_by().values("pk")
    query, parameters = accounts.query.sql_with_params()
    return Seen(query, parameters, accounts.count() <= FEW)


# What is asked for -----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Asked:
    """A query string, read: the page's place, and the conditions of its rows with their parameters."""

    page: "Page"
    conditions: list[str]
    parameters: list


def read_query(query_string: str) -> Asked | None:
    """`asked_by`, remembered for what is short enough to be asked again."""
    return asked_by(query_string) if len(query_string) <= LONGEST_REMEMBERED else asked_by.__wrapped__(query_string)


@lru_cache(maxsize=500)
def asked_by(query_string: str) -> Asked | None:
    """What a query string asks for; None where that is the view's. Raises ValidationError by parameter."""
    given = QueryDict(query_string)
    values = checked_values(TradeFilter, given)
    values = {name: value for name, value in values.items() if value not in (None, "", [])}
    if "format" in given or not values.keys() <= {"ticker", *CONDITIONS}:
        return None
    page = Page(given)
    conditions, parameters = chosen_by(values)
    beyond, places = page.where()
    return Asked(page, conditions + beyond, parameters + places)


@lru_cache(maxsize=1000)
def statement_for(asked: Asked, seen: Seen, form: str) -> tuple[str, list, bool]:
    """The query of a page (TOLD or WHOLE) with its parameters, and whether one plan serves for all parameters."""
    page, conditions, parameters = asked.page, asked.conditions, asked.parameters
    order = [f"{column} {'DESC' if sign == '<' else 'ASC'}" for column, sign in page.columns]
    if seen.query and not seen.are_few:
        conditions, parameters = [*conditions, f"account_id IN ({seen.query})"], [*parameters, *seen.parameters]
    where, most = " AND ".join(conditions) or "true", page.size + 1
    # The size is written out: of an unknown one PostgreSQL expects a tenth of the table, and joins all of it.
    chosen = (OF_EACH if seen.are_few else CHOSEN).format(
        accounts=seen.query, where=where, order=", ".join(order), most=most
    )
    query = form.format(
        places=", ".join(f"page.{column}" for column, _ in page.columns),
        chosen=chosen,
        page_order=", ".join(f"page.{column}" for column in order),
        most=most,
    )
    of_each = seen.parameters if seen.are_few else ()
    return query, [*of_each, *parameters], seen.are_few


def chosen_by(values: dict) -> tuple[list[str], list]:
    """The conditions of the filters, with their parameters."""
    tickers = values.pop("ticker", [])
    conditions, parameters = [CONDITIONS[name] for name in values], list(values.values())
    if tickers:
        # One alone leaves the index its order.
        conditions.append("ticker = %s" if len(tickers) == 1 else "ticker = ANY(%s)")
        parameters.append(tickers[0] if len(tickers) == 1 else tickers)
    return conditions, parameters


class Page(KeysetPagination):
    """The pagination of the list, of rows that are JSON already."""

    def __init__(self, query_params: QueryDict):
        self.query_params, self.ordering, self.model = query_params, read_ordering(query_params), Trade
        self.size = self.get_page_size(self)
        self.position, self.backward = self.read_cursor(self)

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

    def place_of(self, row: tuple[str, str]) -> list[str]:
        _, _, *places = row[0].split(BETWEEN_CELLS)
        fields = [self.model._meta.get_field(name.lstrip("-")) for name in self.ordering]
        return [str(field.to_python(text)) for field, text in zip(fields, places, strict=True)]
