"""Pages by position: every row once, there and back, whatever comes or goes between two of them."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from tradeops.core.pagination import KeysetPagination, NamePagination
from tradeops.core.users.models import User


class ByName(KeysetPagination):
    ordering = ("first_name", "-id")


@dataclass(frozen=True)
class Row:
    name: str


class ByRowName(NamePagination):
    ordering = ("name",)


def page_at(pagination, rows, address: str) -> tuple[list, str | None, str | None]:
    """The rows of the page at `address`, and the links to the next and the one before."""
    shown = pagination.paginate_queryset(rows, Request(APIRequestFactory().get(address)))
    return shown, pagination.next_link(), pagination.previous_link()


def walk(pagination_class, rows, size: int) -> tuple[list[list], list[list]]:
    """The pages from the first to the last, and those on the way back."""
    there, back = [], []
    shown, after, before = page_at(pagination_class(), rows, f"/rows/?page_size={size}&kept=1")
    there.append(list(shown))
    while after:
        assert "kept=1" in after
        shown, after, before = page_at(pagination_class(), rows, after)
        there.append(list(shown))
    while before:
        shown, after, before = page_at(pagination_class(), rows, before)
        back.append(list(shown))
    return there, back


@pytest.mark.django_db
@pytest.mark.parametrize("size", [1, 2, 3, 7, 8])
def test_pages_walk_over_rows_that_are_equal_but_for_their_key(size):
    User.objects.bulk_create(User(username=f"user-{n}", first_name=name) for n, name in enumerate("bacabab"))
    whole = list(User.objects.order_by("first_name", "-id"))
    there, back = walk(ByName, User.objects.all(), size)
    assert [row for page in there for row in page] == whole
    assert {len(page) for page in there[:-1]} <= {size}
    assert back == there[-2::-1]


@pytest.mark.django_db
def test_a_row_that_comes_before_a_page_that_was_read_moves_none_of_the_next():
    User.objects.bulk_create(User(username=name, first_name=name) for name in "bcde")
    _, after, _ = page_at(ByName(), User.objects.all(), "/rows/?page_size=2")
    User.objects.create(username="a", first_name="a")
    User.objects.filter(username="c").delete()  # the one that the cursor names
    shown, after, before = page_at(ByName(), User.objects.all(), after)
    assert ([row.username for row in shown], after) == (["d", "e"], None)
    shown, _, before = page_at(ByName(), User.objects.all(), before)
    assert [row.username for row in shown] == ["a", "b"]


@given(st.sets(st.text("abcé", min_size=1, max_size=3), min_size=1), st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_pages_of_names_are_the_list_cut_into_parts(names, size):
    rows = [Row(name) for name in sorted(names)]
    there, back = walk(ByRowName, rows, size)
    assert there == [rows[start : start + size] for start in range(0, len(rows), size)]
    assert back == there[-2::-1]


def test_a_page_of_names_begins_after_the_name_whether_that_is_still_there_or_not():
    rows = [Row(name) for name in "abcd"]
    _, after, _ = page_at(ByRowName(), rows, "/rows/?page_size=2")
    without = [row for row in rows if row.name != "b"]
    assert page_at(ByRowName(), without, after)[0] == [Row("c"), Row("d")]
