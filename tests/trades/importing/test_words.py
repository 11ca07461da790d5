import pytest

from trades.importing.words import MEANINGS, meaning_of
from trades.models import ActivityKind

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        ("BUY", "BUY"),
        ("b", "BUY"),
        (" Bought ", "BUY"),
        ("You Bought", "BUY"),
        ("buy_to_cover", "BUY"),
        ("Buy-To-Open", "BUY"),
        ("S", "SELL"),
        ("SLD", "SELL"),
        ("sell  short", "SELL"),
        ("Trade", "trade"),
        ("Cash Dividend", "dividend"),
        ("reverse_split", "reverse_split"),
        ("TRANSFER IN", "transfer_in"),
        ("", ""),
        ("  ", ""),
        ("journal", None),
        ("ＢＵＹ", None),
    ],
)
def test_words_are_known_in_any_case_and_spacing(word, meaning):
    assert meaning_of(word) == meaning


def test_each_kind_of_activity_is_known_by_its_own_name():
    assert [meaning_of(kind) for kind in ActivityKind.values] == ActivityKind.values
    assert set(MEANINGS.values()) == {*ActivityKind.values, "BUY", "SELL", "trade"}
