"""What becomes of the cells that are not plainly sound: the API's own fields judge them, so that a file may say what
a request may say, and is refused in the same words. A text that stands in a column many times is judged once.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rest_framework import exceptions

from tradeops.core.api import flat_errors
from tradeops.core.csvfile import unsafe_text
from tradeops.core.decimals import plain
from tradeops.core.tags import joined

from ..serializers import TradeRequestSerializer
from . import plain as plainly
from .moments import MomentError
from .numerals import NumberFormat, plain_number
from .reading import Reading

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def microseconds(moment: datetime) -> int:
    """Since 1970."""
    return (moment - EPOCH) // MICROSECOND


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a cell is refused."""

    message: str
    code: str = "invalid"


REQUIRED = Refusal("This field is required.", "required")


@dataclass(slots=True)
class Cells:
    """A column's values, and by place what is refused in it (there the value says nothing)."""

    values: pa.Array
    refusals: dict[int, Refusal] = field(default_factory=dict)


def judge_rest(texts: pa.Array, is_plain: np.ndarray, values: pa.Array, judge: Callable[[str], object]) -> Cells:
    """`values` where the cell is plain; elsewhere what `judge` makes of its text: a value or a Refusal."""
    rest = np.flatnonzero(~is_plain)
    if not len(rest):
        return Cells(values)
    encoded = texts.take(pa.array(rest)).dictionary_encode()
    outcomes = [judge(text) for text in encoded.dictionary.to_pylist()]
    sound = [None if isinstance(outcome, Refusal) else outcome for outcome in outcomes]
    replacements = pa.array(sound, values.type).take(encoded.indices)
    values = pc.replace_with_mask(values, pa.array(~is_plain), replacements)
    bad = [place for place, outcome in enumerate(outcomes) if isinstance(outcome, Refusal)]
    indices = encoded.indices.to_numpy()
    refused = np.flatnonzero(np.isin(indices, bad))
    return Cells(values, {int(rest[place]): outcomes[indices[place]] for place in refused})


def judge_all(texts: pa.Array, judge: Callable[[str], object]) -> Cells:
    return judge_rest(texts, np.zeros(len(texts), bool), texts, judge)


class Judges:
    """The columns of trades, each read by what the API's field of that name takes."""

    def __init__(self, reading: Reading):
        self.reading = reading
        self.fields = TradeRequestSerializer().fields

    def ask(self, name: str, value) -> object:
        """What the API's field makes of `value`, or a Refusal in its words."""
        try:
            return self.fields[name].run_validation(value)
        except exceptions.ValidationError as error:
            first = flat_errors(error.detail)[0]
            return Refusal(first["message"], first["code"])

    # Names, numbers and times ----------------------------------------------------------------

    def tickers(self, texts: pa.Array) -> Cells:
        return judge_all(texts, self.judge_ticker)

    def judge_ticker(self, text: str) -> object:
        text = text.strip(" ")
        return self.ask("ticker", text) if text else REQUIRED

    def quantities(self, texts: pa.Array) -> Cells:
        """Signed: brokers write a sale as a quantity below zero."""
        return self.numbers(texts, "quantity", self.judge_quantity)

    def prices(self, texts: pa.Array) -> Cells:
        return self.numbers(texts, "price", self.judge_price)

    def numbers(self, texts: pa.Array, name: str, judge: Callable[[str], object]) -> Cells:
        values, is_plain = plainly.plain_numbers(texts, above_zero=name != "fees", signed=name == "quantity")
        if self.reading.numbers != NumberFormat.PLAIN or (name == "fees" and self.reading.has_negative_fees):
            is_plain = np.zeros(len(texts), bool)
        return judge_rest(texts, is_plain, values, lambda text: judge(text.strip(" ")))

    def ask_number(self, name: str, number: str) -> object:
        value = self.ask(name, number)
        return value if isinstance(value, Refusal) else plain(value)

    def judge_price(self, text: str) -> object:
        return self.ask_number("price", plain_number(text, self.reading.numbers)) if text else REQUIRED

    def judge_quantity(self, text: str) -> object:
        if not text:
            return REQUIRED
        number = plain_number(text, self.reading.numbers)
        sign, number = ("-", number[1:]) if number.startswith("-") else ("", number)
        value = self.ask_number("quantity", number)
        return value if isinstance(value, Refusal) else sign + value

    def fees(self, texts: pa.Array) -> Cells:
        return self.numbers(texts, "fees", self.judge_fees)

    def judge_fees(self, text: str) -> object:
        number = plain_number(text, self.reading.numbers) or "0"
        if self.reading.has_negative_fees:
            number = number[1:] if number.startswith("-") else f"-{number}"
        return self.ask_number("fees", number)

    def summed_fees(self, columns: list[Cells]) -> Cells:
        """The fees of a row, whose parts may stand in several columns."""
        refusals = {place: why for column in columns for place, why in column.refusals.items()}
        if len(columns) == 1 or refusals:
            return Cells(columns[0].values, refusals)
        return judge_all(
            plainly.total([column.values for column in columns]), lambda text: self.ask_number("fees", text)
        )

    def moments(self, texts: pa.Array) -> Cells:
        """Microseconds since 1970."""
        values, is_plain = plainly.plain_moments(texts)
        if self.reading.clock.form:
            is_plain = np.zeros(len(texts), bool)
        return judge_rest(texts, is_plain, pa.array(values), self.judge_moment)

    def judge_moment(self, text: str) -> object:
        if not text.strip():
            return REQUIRED
        try:
            return microseconds(self.reading.clock.read(text))
        except MomentError as error:
            return Refusal(str(error), error.code)

    # Words ---------------------------------------------------------------------------------------

    def strategies(self, texts: pa.Array) -> Cells:
        return judge_all(texts, lambda text: self.ask("strategy", unsafe_text(text)))

    def notes(self, texts: pa.Array) -> Cells:
        most = self.fields["note"].max_length
        return judge_rest(
            texts, plainly.plain_texts(texts, most), texts, lambda text: self.ask("note", unsafe_text(text))
        )

    def tags(self, texts: pa.Array) -> Cells:
        """Each between commas, as Trade keeps them."""
        return judge_all(texts, self.judge_tags)

    def judge_tags(self, text: str) -> object:
        tags = [tag.strip() for tag in unsafe_text(text).split(",")]
        value = self.ask("tags", [tag for tag in tags if tag])
        return value if isinstance(value, Refusal) else joined(value)

    def client_trade_ids(self, texts: pa.Array) -> Cells:
        """None where there is none."""
        most = self.fields["client_trade_id"].max_length
        is_plain = plainly.plain_texts(texts, most) & plainly.as_mask(pc.not_equal(texts, ""))
        return judge_rest(texts, is_plain, texts, lambda text: self.ask("client_trade_id", unsafe_text(text) or None))
