"""A version's JSON is made once for as long as it realized the same, and kept within a bound."""

from decimal import Decimal

import pytest

from trades.quick import kept_rows
from trades.quick.kept_rows import written_rows

pytestmark = pytest.mark.pure


class Writer:
    """Writes what each version realized, and notes which it was asked for."""

    def __init__(self, realized):
        self.realized, self.asked = realized, []

    def __call__(self, keys):
        self.asked.append(keys)
        return {key: (self.realized[key], f"{key}: {self.realized[key]}") for key in keys}


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch):
    monkeypatch.setattr(kept_rows, "_kept", {})
    monkeypatch.setattr(kept_rows, "_until", 0.0)


def test_a_version_is_written_once_and_again_when_it_realized_something_else():
    write = Writer({1: Decimal("1.5"), 2: None})
    rows = list(write.realized.items())
    assert written_rows(rows, write) == written_rows(rows, write) == ["1: 1.5", "2: None"]
    write.realized[2] = Decimal(3)
    assert written_rows(write.realized.items(), write) == ["1: 1.5", "2: 3"]
    assert write.asked == [[1, 2], [2]]


def test_rows_above_the_bound_are_given_and_not_kept(monkeypatch):
    monkeypatch.setattr(kept_rows, "MOST_ROWS", 2)
    write = Writer(dict.fromkeys(range(3)))
    for _ in range(2):
        assert written_rows(write.realized.items(), write) == ["0: None", "1: None", "2: None"]
    assert write.asked == [[0, 1, 2]] * 2


def test_what_was_kept_for_too_long_is_written_anew(monkeypatch):
    write = Writer({1: None})
    monkeypatch.setattr(kept_rows, "KEPT_SECONDS", -1.0)
    for _ in range(2):
        written_rows(write.realized.items(), write)
    assert write.asked == [[1], [1]]
