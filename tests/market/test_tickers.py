"""What is a ticker and what is none."""

import pytest

from market.tickers import is_ticker

pytestmark = pytest.mark.pure


@pytest.mark.parametrize("text", ["A", "AAPL", "BRK.B", "BF-B", "0700.HK", "3M", "ABCDEFGHIJKLMNOP"])
def test_tickers(text):
    assert is_ticker(text)


@pytest.mark.parametrize(
    "text", ["", "aapl", ".A", "-A", "A B", "A\n", "\nA", "A\0", "Ａ", "É", "A_B", "ABCDEFGHIJKLMNOPQ"]
)
def test_what_is_no_ticker(text):
    assert not is_ticker(text)
