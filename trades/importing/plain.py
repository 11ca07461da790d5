"""Which cells of a column are plainly sound, told for all of them at once, and what they say.

These tests are narrower than the API's: a cell that fails one is not wrong, it is judged by itself (see `cells`).
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

NUMBER = r"^[0-9]{1,16}(\.[0-9]{1,12})?$"
SIGNED_NUMBER = r"^-?[0-9]{1,16}(\.[0-9]{1,12})?$"
MOMENT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z$"
INSTANT = pa.timestamp("us", "UTC")


def as_mask(condition: pa.Array) -> np.ndarray:
    return condition.to_numpy(zero_copy_only=False)


def plain_numbers(texts: pa.Array, *, above_zero: bool, signed: bool = False) -> tuple[pa.Array, np.ndarray]:
    """(numbers, is_plain): each number without needless zeros; nothing is said of those that are not plain."""
    is_plain = pc.match_substring_regex(texts, SIGNED_NUMBER if signed else NUMBER)
    if above_zero:
        is_plain = pc.and_(is_plain, pc.match_substring_regex(texts, "[1-9]"))
    return without_zeros(texts), as_mask(is_plain)


def without_zeros(numbers: pa.Array) -> pa.Array:
    """Plain decimals without zeros before the whole part and after the fraction: "0150.250" is "150.25"."""
    has_point = pc.match_substring(numbers, ".")
    if pc.any(has_point).as_py():
        shortened = pc.ascii_rtrim(pc.ascii_rtrim(numbers, "0"), ".")
        numbers = pc.if_else(has_point, shortened, numbers)
    if pc.any(pc.match_substring_regex(numbers, "^-?0[0-9]")).as_py():
        numbers = pc.replace_substring_regex(numbers, "^(-?)0+([0-9])", r"\1\2")
    return numbers


def plain_moments(texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """(microseconds since 1970, is_plain) of RFC 3339 times in UTC."""
    is_plain = pc.match_substring_regex(texts, MOMENT)
    try:
        moments = pc.cast(pc.if_else(is_plain, texts, None), INSTANT)
    except pa.ArrowInvalid:  # a 13th month: let each be looked at
        return np.zeros(len(texts), np.int64), np.zeros(len(texts), bool)
    return pc.fill_null(pc.cast(moments, pa.int64()), 0).to_numpy(), as_mask(is_plain)


def plain_texts(texts: pa.Array, most: int) -> np.ndarray:
    """Which texts are short enough and begin with no quote that an export put there."""
    is_short = pc.less_equal(pc.utf8_length(texts), most)
    return as_mask(pc.and_not(is_short, pc.starts_with(texts, "'")))


def product(left: pa.Array, right: pa.Array) -> pa.Array:
    """The exact products of plain decimals, of at most 12 decimal places and 16 digits before them, plain again."""
    wide = pa.decimal256(28, 12)
    numbers = [pc.cast(pc.cast(side, pa.decimal128(28, 12)), wide) for side in (left, right)]
    return spelled(pc.multiply(*numbers))


def total(columns: list[pa.Array]) -> pa.Array:
    """The exact sums, row by row, of columns of plain decimals."""
    wide = pa.decimal256(40, 12)
    numbers = [pc.cast(pc.cast(column, pa.decimal128(28, 12)), wide) for column in columns]
    result = numbers[0]
    for more in numbers[1:]:
        result = pc.cast(pc.add(result, more), wide)
    return spelled(result)


def spelled(numbers: pa.Array) -> pa.Array:
    """Decimals as plain text. Arrow writes the smallest ones with an exponent: those are written by hand."""
    texts = without_zeros(pc.cast(numbers, pa.string()))
    odd = np.flatnonzero(as_mask(pc.match_substring(texts, "E")))
    if len(odd):
        rewritten = pa.array([format(number.as_py(), "f") for number in numbers.take(pa.array(odd))])
        texts = pc.replace_with_mask(texts, np.isin(np.arange(len(texts)), odd), without_zeros(rewritten))
    return texts
