"""A page is given again for as long as the same is told of its rows, and no more are kept than there is room for."""

import pytest

from trades.quick import kept_pages
from trades.quick.kept_pages import is_kept, keep_page, kept_page

pytestmark = pytest.mark.pure


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch):
    monkeypatch.setattr(kept_pages, "_pages", {})
    monkeypatch.setattr(kept_pages, "_until", float("inf"))


def test_a_page_is_given_for_as_long_as_the_same_is_told():
    assert not is_kept("a")
    assert kept_page("a", "1") is None
    assert keep_page("a", "1", b"first") == b"first"
    assert is_kept("a")
    assert kept_page("a", "1") == b"first"
    assert kept_page("a", "2") is None
    assert keep_page("a", "2", b"second") == kept_page("a", "2") == b"second"
    assert kept_page("a", "1") is None
    assert kept_page("b", "2") is None


@pytest.mark.parametrize(
    ("bound", "most", "kept"), [("MOST_PAGES", 1, "b"), ("LARGEST_PAGE_BYTES", 0, ""), ("MOST_PAGES", 2, "ab")]
)
def test_pages_above_the_bounds_are_given_and_not_kept(monkeypatch, bound, most, kept):
    monkeypatch.setattr(kept_pages, bound, most)
    for name in "ab":
        assert keep_page(name, "1", b"p") == b"p"
    assert [name for name in "ab" if is_kept(name)] == list(kept)


def test_what_was_kept_for_too_long_is_forgotten(monkeypatch):
    keep_page("a", "1", b"p")
    monkeypatch.setattr(kept_pages, "_until", 0.0)
    assert kept_page("a", "1") is None
    assert kept_pages._until > 0
