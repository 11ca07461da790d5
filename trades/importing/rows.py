"""A block of cells as trades, activities and faults: what each row is, and what its cells say."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..models import Activity
from . import plain as plainly
from .activities import ActivityReader, Refused
from .blocks import Block
from .cells import REQUIRED, Cells, Judges, Refusal
from .faults import Fault
from .heads import ACTIVITY_COLUMNS, OTHER_COLUMNS, TRADE_COLUMNS, Columns
from .reading import Reading
from .words import BUY, SELL, TRADE, meaning_of

TRADES = pa.schema(
    [
        ("line", pa.int64()),
        ("executed_at", pa.int64()),  # microseconds since 1970
        ("ticker", pa.string()),
        ("side", pa.string()),
        ("quantity", pa.string()),  # plain decimals, as the API spells them
        ("price", pa.string()),
        ("fees", pa.string()),
        ("strategy", pa.string()),
        ("tags", pa.string()),
        ("note", pa.string()),
        ("client_trade_id", pa.string()),
        ("id", pa.int64()),  # an export's own; orders trades of one moment
    ]
)
SHOWN_CHARACTERS = 80
LEFT_OUT = "left out"
UNKNOWN_WORD = Refusal("It is neither a purchase, a sale nor a kind of activity known here.", "invalid_choice")
CONTRADICTION = Refusal("The two columns that say what the row is contradict each other.", "contradiction")
BOUGHT_BELOW_ZERO = Refusal("A quantity below 0 is a sale, and the row says that it was bought.", "contradiction")
NEVER_EXECUTED = Refusal("It must lie after 1900 and no more than a day ahead.", "out_of_range")


@dataclass(frozen=True, slots=True)
class ActivityRow:
    """A row that is no trade: the unsaved activity, the line it stands on, and an export's own id."""

    line: int
    activity: Activity
    exported_id: int | None


@dataclass(slots=True)
class Rows:
    """What a block came to. Where there are faults, the trades are not all there."""

    trades: pa.RecordBatch
    activities: list[ActivityRow]
    faults: list[Fault]
    has_sales_below_zero: bool
    left_out: Counter = field(default_factory=Counter)  # rows that are no trades, by the word they bear


class RowReader:
    """Reads the blocks of one file. `latest` is the last moment, in microseconds since 1970, a trade may bear."""

    def __init__(self, columns: Columns, reading: Reading, earliest: int, latest: int):
        self.columns, self.judges, self.activities = columns, Judges(reading), ActivityReader(reading)
        self.moment = "executed_at" if "executed_at" in columns else "date"
        self.earliest, self.latest = earliest, latest
        self.only_trades = reading.only_trades
        self.faults: list[Fault] = []
        self.left_out: Counter = Counter()

    def read(self, block: Block) -> Rows:
        self.faults, self.left_out = list(block.faults), Counter()
        kinds, sides = self.read_words(block)
        is_trade = kinds == TRADE
        activities = self.read_activities(block, kinds) if not is_trade.all() else []
        if not is_trade.all():
            chosen = pa.array(np.flatnonzero(is_trade))
            block = Block([column.take(chosen) for column in block.columns], block.lines[is_trade], [])
        trades, has_sales_below_zero = self.read_trades(block, sides[is_trade])
        places = {name: place for place, name in enumerate(self.columns.names)}
        self.faults.sort(key=lambda fault: (fault.row, places.get(fault.column, -1)))
        return Rows(trades, activities, self.faults, has_sales_below_zero, self.left_out)

    # What a row is -----------------------------------------------------------------------------

    def read_words(self, block: Block) -> tuple[np.ndarray, np.ndarray]:
        """(kinds, sides): "trade", an activity's kind, "left out" or "" for a bad one; BUY, SELL or "" where the sign
        says it.
        """
        texts = [self.texts(block, field) for field in ("type", "trade_type")]
        encoded = [column.dictionary_encode() for column in texts]
        known = [column.dictionary.to_pylist() for column in encoded]
        width = len(known[1]) + 1
        pairs = encoded[0].indices.to_numpy() * np.int64(width) + encoded[1].indices.to_numpy()
        distinct, places = np.unique(pairs, return_inverse=True)
        words = [(known[0][pair // width], known[1][pair % width]) for pair in distinct.tolist()]
        meanings, counts = [self.chosen(*pair) for pair in words], np.bincount(places).tolist()
        for number, (kind, _, refusal, refused_field) in enumerate(meanings):
            if refusal:
                self.refuse(block, refused_field, dict.fromkeys(np.flatnonzero(places == number).tolist(), refusal))
            if kind == LEFT_OUT:
                self.left_out[spoken(words[number])] += counts[number]
        kinds, sides = (np.array([meaning[part] for meaning in meanings], object) for part in (0, 1))
        return kinds[places], sides[places]

    def chosen(self, kind_text: str, side_text: str) -> tuple[str, str, Refusal | None, str]:
        """The same as `settle`; where trades alone are asked for, what is none is left out."""
        settled = self.settle(kind_text, side_text)
        says_trade = {BUY, SELL} & {meaning_of(kind_text), meaning_of(side_text)}
        if not self.only_trades or settled[0] == TRADE or (settled[2] and says_trade):
            return settled
        return LEFT_OUT, "", None, ""

    def settle(self, kind_text: str, side_text: str) -> tuple[str, str, Refusal | None, str]:
        """(kind, side, refusal, the field that is refused) of a row whose two columns of words say this."""
        kind, side = meaning_of(kind_text), meaning_of(side_text)
        if kind is None:
            return "", "", UNKNOWN_WORD, "type"
        if kind not in ("", TRADE, BUY, SELL):
            return kind, "", None, ""
        if side is None:
            return "", "", UNKNOWN_WORD, "trade_type"
        if side not in ("", TRADE, BUY, SELL):
            return (side, "", None, "") if kind in ("", TRADE) else ("", "", CONTRADICTION, "trade_type")
        sides = {one for one in (kind, side) if one in (BUY, SELL)}
        if len(sides) > 1:
            return "", "", CONTRADICTION, "trade_type"
        if not sides and "trade_type" in self.columns:
            return "", "", REQUIRED, "trade_type"
        return TRADE, next(iter(sides), ""), None, ""

    def read_activities(self, block: Block, kinds: np.ndarray) -> list[ActivityRow]:
        fields = [field for field in (*TRADE_COLUMNS, *ACTIVITY_COLUMNS, *OTHER_COLUMNS) if field in self.columns]
        chosen = np.flatnonzero((kinds != TRADE) & (kinds != LEFT_OUT) & (kinds != ""))
        cells = [self.texts(block, field).take(pa.array(chosen)).to_pylist() for field in fields]
        found = []
        for place, *texts in zip(chosen.tolist(), *cells, strict=True):
            given = dict(zip(fields, texts, strict=True))
            given.setdefault("executed_at", f"{given.get('date', '')} {given.get('time', '')}")
            try:
                activity = self.activities.read(kinds[place], given)
            except Refused as refusal:
                for field, code, message in refusal.reasons:
                    self.refuse(
                        block, self.moment if field == "executed_at" else field, {place: Refusal(message, code)}
                    )
            else:
                found.append(ActivityRow(int(block.lines[place]), activity, whole_number(given.get("id", ""))))
        return found

    # Trades ---------------------------------------------------------------------------------------

    def read_trades(self, block: Block, sides: np.ndarray) -> tuple[pa.RecordBatch, bool]:
        quantities, prices = self.column(block, "quantity"), self.column(block, "price")
        sides, below_zero = self.read_sides(block, sides, quantities)
        arrays = {
            "line": pa.array(block.lines),
            "executed_at": self.read_moments(block),
            "ticker": self.column(block, "ticker"),
            "side": sides,
            "quantity": pc.replace_substring_regex(quantities, "^-", "") if below_zero else quantities,
            "price": prices,
            "fees": self.read_fees(block),
            "strategy": self.column(block, "strategy"),
            "tags": self.column(block, "tags"),
            "note": self.column(block, "note"),
            "client_trade_id": self.column(block, "client_trade_id"),
            "id": whole_numbers(self.texts(block, "id")),
        }
        return pa.record_batch(list(arrays.values()), schema=TRADES), below_zero

    def read_sides(self, block: Block, sides: np.ndarray, quantities: pa.Array) -> tuple[pa.Array, bool]:
        """BUY or SELL for each trade, by its word or else by its sign; and whether any quantity is below zero."""
        negative = plainly.as_mask(pc.fill_null(pc.starts_with(quantities, "-"), False))
        contradicting = np.flatnonzero(negative & (sides == BUY))
        self.refuse(block, "quantity", dict.fromkeys(contradicting.tolist(), BOUGHT_BELOW_ZERO))
        settled = np.where(sides == "", np.where(negative, SELL, BUY), sides)
        return pa.array(settled.tolist(), pa.string()), bool(negative.any())

    def read_moments(self, block: Block) -> pa.Array:
        texts = self.texts(block, self.moment)
        if self.moment == "date":
            texts = pc.binary_join_element_wise(texts, self.texts(block, "time"), " ")
        cells = self.judges.moments(texts)
        moments = pc.fill_null(cells.values, self.latest).to_numpy()
        beyond = np.flatnonzero((moments < self.earliest) | (moments > self.latest))
        self.refuse(block, self.moment, dict.fromkeys(beyond.tolist(), NEVER_EXECUTED) | cells.refusals)
        return cells.values

    def read_fees(self, block: Block) -> pa.Array:
        places = self.columns.places.get("fees", [])
        if not places:
            return pa.repeat("0", len(block))
        cells = self.judges.summed_fees([self.judges.fees(block.columns[place]) for place in places])
        self.refuse(block, "fees", cells.refusals)
        return cells.values

    # Columns ---------------------------------------------------------------------------------------

    def texts(self, block: Block, field: str) -> pa.Array:
        places = self.columns.places.get(field)
        return block.columns[places[0]] if places else pa.repeat("", len(block))

    def column(self, block: Block, field: str) -> pa.Array:
        readers = {
            "ticker": self.judges.tickers,
            "quantity": self.judges.quantities,
            "price": self.judges.prices,
            "strategy": self.judges.strategies,
            "tags": self.judges.tags,
            "note": self.judges.notes,
            "client_trade_id": self.judges.client_trade_ids,
        }
        cells: Cells = readers[field](self.texts(block, field))
        self.refuse(block, field, cells.refusals)
        return cells.values

    def refuse(self, block: Block, field: str, refusals: dict[int, Refusal]) -> None:
        if not refusals:
            return
        texts, column = self.texts(block, field), self.columns.name_of(field)
        for place, why in refusals.items():
            value = texts[place].as_py()[:SHOWN_CHARACTERS]
            self.faults.append(Fault(why.message, why.code, int(block.lines[place]), column, field, value))


def spoken(words: tuple[str, str]) -> str:
    """What a row says of itself, as it is told."""
    return " ".join(word.strip() for word in words if word.strip())[:SHOWN_CHARACTERS] or "nothing"


def whole_numbers(texts: pa.Array) -> pa.Array:
    """The numbers of texts that are plain whole numbers; null elsewhere."""
    is_whole = pc.match_substring_regex(texts, "^[0-9]{1,18}$")
    return pc.cast(pc.if_else(is_whole, texts, None), pa.int64())


def whole_number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None
