"""The positions an import would make: the book's own fold over what is there and what would be; nothing is written."""

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tradeops.core.decimals import plain

from .. import ledger
from ..folding import bulk_derived, refolding
from ..folding.bulk_fold import ROOM, FillColumns, TooLarge, fold_columns
from ..folding.columns import put_end_to_end, read_fills
from ..folding.events import place_of
from ..folding.reading import events_of, family_of
from ..ledger import Fill, Holding
from ..models import Account, Position, Trade
from .cells import EPOCH, MICROSECOND
from .plan import Plan

AHEAD = 2**62  # ids beyond all that are drawn: what is not booked yet comes last among equals
NUMBERS = ("quantity", "price", "fees")
FILL = ("executed_at", "ticker", "side", *NUMBERS)
FILLED = ("ids", "times", *NUMBERS)  # of FillColumns


@dataclass(frozen=True, slots=True)
class PositionAhead:
    """Where the account stands in a ticker, and where it would."""

    ticker: str
    quantity_before: Decimal
    quantity: Decimal
    cost_basis: Decimal
    realized_before: Decimal
    realized_pnl: Decimal
    fees: Decimal

    @property
    def average_cost(self) -> Decimal | None:
        return ledger.average(self.cost_basis, self.quantity)

    def in_words(self) -> dict[str, str]:
        """The numbers as plain text, by name."""
        names = ("quantity_before", "quantity", "cost_basis", "realized_before", "realized_pnl", "fees")
        return {"ticker": self.ticker} | {name: plain(getattr(self, name)) for name in names}


def positions_ahead(plan: Plan) -> list[PositionAhead]:
    """The positions that `plan` would make or move, by ticker.

    Raises Conflict where a rule of the book would be broken; its trades and activities of the file bear
    AHEAD + their place in the plan's events.
    """
    account, tickers = plan.account, family_of(plan.account, plan.tickers)
    shorts = None if account.allows_short else refolding.shorts_in(account, tickers)
    fill_count = Trade.objects.current().filter(account=account, instrument__in=tickers).count() + len(plan.trades)
    holdings = None
    if not plan.activities and bulk_derived.is_worth_it(account, tickers, fill_count):
        holdings = fold_in_columns(plan, shorts)
    holdings = holdings or fold_one_by_one(plan, tickers, shorts)
    before = {one.ticker: one for one in Position.objects.filter(account=account, instrument__in=tickers)}
    return [told(ticker, before.get(ticker), holding) for ticker, holding in sorted(holdings.items())]


def told(ticker: str, before: Position | None, after: Holding) -> PositionAhead:
    stood = (before.quantity, before.realized_pnl) if before else (ledger.ZERO, ledger.ZERO)
    return PositionAhead(ticker, stood[0], after.quantity, after.cost, stood[1], after.realized_pnl, after.fees)


# Event by event -----------------------------------------------------------------------------


def fold_one_by_one(plan: Plan, tickers: list[str], shorts: set[int] | None) -> dict[str, Holding]:
    events = sorted([*events_of(plan.account, tickers), *events_ahead(plan)], key=place_of)
    book = refolding.folded_or_refused(events, plan.account)
    if shorts is not None:
        refolding.refuse_new_shorts(book, shorts)
    return {ticker: folded.holding for ticker, folded in book.tickers.items()}


def events_ahead(plan: Plan) -> list:
    places = np.flatnonzero(plan.events < len(plan.checked))
    found, start = [], 0
    for batch in plan.checked.chunks(plan.trades, *FILL):
        ids = (AHEAD + places[start : start + len(batch)]).tolist()
        found += [fill_of(identity, row) for identity, row in zip(ids, batch.to_pylist(), strict=True)]
        start += len(batch)
    places = np.flatnonzero(plan.events >= len(plan.checked))
    for place, activity in zip(places.tolist(), plan.activities, strict=True):
        activity.activity_id = AHEAD + place
        found.append(activity.as_event())
    return found


def fill_of(identity: int, row: dict) -> Fill:
    quantity = Decimal(row["quantity"]) * (1 if row["side"] == "BUY" else -1)
    at = EPOCH + row["executed_at"] * MICROSECOND
    return Fill(identity, at, quantity, Decimal(row["price"]), Decimal(row["fees"]), row["ticker"])


# In columns ---------------------------------------------------------------------------------------


def fold_in_columns(plan: Plan, shorts: set[int] | None) -> dict[str, Holding] | None:
    """The same, some tickers at a time; None where numbers do not fit 64 bits. There are no activities."""
    holdings, digits = {}, most_digits(plan)
    codes, tickers = tickers_ahead(plan)
    counts = dict(zip(tickers, np.bincount(codes, minlength=len(tickers)).tolist(), strict=True))
    try:
        for group in bulk_derived.grouped(counts):
            wanted = [tickers[ticker] for ticker in group]
            columns = columns_ahead(plan, np.flatnonzero(np.isin(codes, wanted)), digits)
            pa.default_memory_pool().release_unused()  # the texts that they were read from
            for ticker in list(columns):
                holdings[ticker] = holding_ahead(plan.account, ticker, columns, shorts)
    except TooLarge:
        return None
    return holdings


def holding_ahead(account: Account, ticker: str, columns: dict[str, FillColumns], shorts: set[int] | None) -> Holding:
    """What one ticker would come to; its fills are taken out of `columns`, to be held no longer than is needed."""
    fills = joined(read_fills(account, ticker), columns.pop(ticker))
    if shorts is not None:
        bulk_derived.refuse_new_shorts(fills, ticker, shorts)
    return bulk_derived.holding_of(fills, fold_columns(fills))


def tickers_ahead(plan: Plan) -> tuple[np.ndarray, dict[str, int]]:
    """(the number of each trade's ticker, int32[k]; the numbers by ticker)."""
    numbers, parts = {}, [np.empty(0, np.int32)]
    for batch in plan.checked.chunks(plan.trades, "ticker"):
        encoded = batch["ticker"].dictionary_encode()
        known = [numbers.setdefault(ticker, len(numbers)) for ticker in encoded.dictionary.to_pylist()]
        parts.append(np.array(known, np.int32)[encoded.indices.to_numpy()])
    return np.concatenate(parts), numbers


def columns_ahead(plan: Plan, events: np.ndarray, digits: list[int]) -> dict[str, FillColumns]:
    """The trades at these places of the plan's events, by ticker. Raises TooLarge."""
    parts, start = defaultdict(lambda: [[] for _ in FILLED]), 0
    for batch in plan.checked.chunks(plan.events[events], *FILL):
        sign = np.where(pc.equal(batch["side"], "BUY").to_numpy(zero_copy_only=False), 1, -1)
        scaled = [scaled_numbers(batch[name], count) for name, count in zip(NUMBERS, digits, strict=True)]
        ids = AHEAD + events[start : start + len(batch)]
        columns = [ids, batch["executed_at"].to_numpy(), sign * scaled[0], *scaled[1:]]
        encoded = batch["ticker"].dictionary_encode()
        codes = encoded.indices.to_numpy()
        for code, ticker in enumerate(encoded.dictionary.to_pylist()):
            for values, column in zip(parts[ticker], columns, strict=True):
                values.append(column[codes == code])
        start += len(batch)
    return {ticker: FillColumns(*map(put_end_to_end, some), *digits) for ticker, some in parts.items()}


def most_digits(plan: Plan) -> list[int]:
    """How many decimal places the plan's quantities, prices and fees have at most."""
    most = [0, 0, 0]
    for batch in plan.checked.chunks(plan.trades, *NUMBERS):
        for place, name in enumerate(NUMBERS):
            fractions = pc.replace_substring_regex(batch[name], r"^[0-9]*\.?", "")
            most[place] = max(most[place], pc.max(pc.binary_length(fractions)).as_py())
    return most


def scaled_numbers(texts: pa.Array, places: int) -> np.ndarray:
    """Plain decimals x 10^places, as int64. Raises TooLarge."""
    numbers = pc.cast(pc.cast(texts, pa.decimal128(28, 12)), pa.decimal128(28, places))
    halves = np.frombuffer(numbers.buffers()[1], np.int64).reshape(-1, 2)[
        numbers.offset : numbers.offset + len(numbers)
    ]
    if halves[:, 1].any() or (halves[:, 0] < 0).any():
        raise TooLarge("A number does not fit 64 bits.")
    return halves[:, 0]


def joined(booked: FillColumns, ahead: FillColumns) -> FillColumns:
    """The fills of both, in order. Raises TooLarge."""
    places = [max(pair) for pair in zip(places_of(booked), places_of(ahead), strict=True)]
    pairs = list(zip(*(rescaled(fills, places) for fills in (booked, ahead)), strict=True))
    order = np.lexsort([np.concatenate(pair) for pair in pairs[:2]])
    return FillColumns(*(np.concatenate(pair)[order] for pair in pairs), *places)


def places_of(fills: FillColumns) -> tuple[int, int, int]:
    return fills.quantity_places, fills.price_places, fills.fee_places


def rescaled(fills: FillColumns, places: list[int]) -> list[np.ndarray]:
    columns = zip((fills.quantity, fills.price, fills.fee), places, places_of(fills), strict=True)
    return [fills.ids, fills.times, *(times_ten_to(column, wanted - given) for column, wanted, given in columns)]


def times_ten_to(numbers: np.ndarray, power: int) -> np.ndarray:
    """`numbers` x 10^power. Raises TooLarge where that does not fit."""
    if not power:
        return numbers
    if len(numbers) and float(np.abs(numbers.astype(np.float64)).max()) * 10.0**power >= ROOM:
        raise TooLarge("A number does not fit 64 bits.")
    return numbers * 10**power
