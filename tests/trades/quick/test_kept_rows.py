"""A version's JSON is made once for as long as it realized the same, a page for as long as its rows are the same."""

import pytest

from trades.quick import kept_rows
from trades.quick.kept_rows import kept_page, written_rows

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
    monkeypatch.setattr(kept_rows, "_pages", {})
    monkeypatch.setattr(kept_rows, "_until", 0.0)


def test_a_version_is_written_once_and_again_when_it_realized_something_else():
    write = Writer({1: "1.5", 2: ""})
    rows = list(write.realized.items())
    assert written_rows(rows, write) == written_rows(rows, write) == ["1: 1.5", "2: "]
    write.realized[2] = "3"
    assert written_rows(write.realized.items(), write) == ["1: 1.5", "2: 3"]
    assert write.asked == [[1, 2], [2]]


def test_rows_above_the_bound_are_given_and_not_kept(monkeypatch):
    monkeypatch.setattr(kept_rows, "MOST_ROWS", 2)
    write = Writer(dict.fromkeys(range(3), ""))
    for _ in range(2):
        assert written_rows(write.realized.items(), write) == ["0: ", "1: ", "2: "]
    assert write.asked == [[0, 1, 2]] * 2


def test_what_was_kept_for_too_long_is_written_anew(monkeypatch):
    write = Writer({1: ""})
    monkeypatch.setattr(kept_rows, "KEPT_SECONDS", -1.0)
    for _ in range(2):
        written_rows(write.realized.items(), write)
    assert write.asked == [[1], [1]]


class Maker:
    """Makes pages, and counts them."""

    def __init__(self, size=1):
        self.made, self.size = 0, size

    def __call__(self):
        self.made += 1
        return b"p" * self.size


def test_a_page_is_made_once_and_again_when_other_rows_are_told():
    make = Maker()
    for name, rows in (("a", "1"), ("a", "1"), ("a", "2"), ("b", "2"), ("a", "2")):
        assert kept_page(name, rows, make) == b"p"
    assert make.made == 3


@pytest.mark.parametrize(
    ("bound", "most", "made"), [("MOST_PAGES", 1, 4), ("LARGEST_PAGE_BYTES", 0, 4), ("MOST_PAGES", 2, 2)]
)
def test_pages_above_the_bounds_are_given_and_not_kept(monkeypatch, bound, most, made):
    monkeypatch.setattr(kept_rows, bound, most)
    make = Maker()
    for name in "abab":
        kept_page(name, "1", make)
    assert make.made == made
    assert len(kept_rows._pages) <= 2
