"""Packed price rows: exact there and back, one hash for one set of rows."""

import numpy as np
import pytest

from strategies import pricepack
from strategies.prices import read_file, read_files

pytestmark = pytest.mark.pure

FULL = b"date,open,high,low,close,volume\n2024-01-02,9,11,8,10.1,100\n2024-01-03,10,13,9,12.5,0\n"
BARE = b"date,close\n2024-01-02T10:00Z,0.1\n"


def packed(*files) -> bytes:
    return pricepack.pack(read_files(list(files)))


def test_what_is_packed_comes_back_to_the_last_bit():
    before = read_files([("B.csv", FULL), ("A.csv", BARE)])
    after = pricepack.unpack(pricepack.decompress(pricepack.compress(pricepack.pack(before))))
    assert [prices.ticker for prices in after] == ["A", "B"]
    for left, right in zip(before, after, strict=True):
        assert (left.ticker, left.is_utc, left.dates()) == (right.ticker, right.is_utc, right.dates())
        for column in pricepack.COLUMNS:
            one, other = getattr(left, column), getattr(right, column)
            assert (one is None and other is None) or np.array_equal(one, other)


def test_an_empty_ticker_survives():
    (kept,) = pricepack.unpack(pricepack.pack(read_file("w.csv", b"date,KO,A\n2024-01-02,,1\n")[:1]))
    assert (kept.ticker, len(kept)) == ("KO", 0)


def test_the_hash_moves_with_any_price_date_or_ticker():
    same = pricepack.digest(packed(("A.csv", FULL)))
    others = [
        packed(("B.csv", FULL)),
        packed(("A.csv", FULL.replace(b"10.1", b"10.2"))),
        packed(("A.csv", FULL.replace(b"2024-01-03", b"2024-01-04"))),
        packed(("A.csv", FULL.replace(b"volume", b"amount"))),
    ]
    assert len({same, *map(pricepack.digest, others)}) == 5


def test_other_bytes_are_no_pack():
    with pytest.raises(ValueError, match="no price pack"):
        pricepack.unpack(b"PK\x03\x04")
