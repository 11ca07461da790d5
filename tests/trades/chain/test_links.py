"""What is hashed, and how: against SHA-256 worked out by hand, and read in one way only."""

import hashlib
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trades.chain import links

pytestmark = pytest.mark.pure
VALUES = st.one_of(st.none(), st.text(max_size=6), st.integers(), st.booleans())


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (Decimal("100.50"), b"5:100.5,"),
        (Decimal("1E+3"), b"4:1000,"),
        (datetime(2025, 1, 15, 14, 30, tzinfo=UTC), b"32:2025-01-15T14:30:00.000000+00:00,"),
        (datetime(2025, 1, 15, 16, 30, tzinfo=timezone(timedelta(hours=2))), b"32:2025-01-15T14:30:00.000000+00:00,"),
        (date(2025, 1, 15), b"10:2025-01-15,"),
        (True, b"1:1,"),
        ("é,", b"3:\xc3\xa9,,"),
        ("", b"0:,"),
        (None, b"~"),
    ],
)
def test_a_value_has_one_spelling(value, line):
    assert links.netstring(value) == line


@given(st.lists(VALUES, max_size=4), st.lists(VALUES, max_size=4))
def test_two_lines_are_equal_only_where_what_they_spell_is(one, other):
    def told(values):
        return [None if value is None else links.spelled(value) for value in values]

    assert (links.line(one) == links.line(other)) == (told(one) == told(other))


def test_an_entry_is_linked_to_the_one_before_it():
    entry = SimpleNamespace(
        account_id=7, number=2, recorded_at=datetime(2025, 1, 15, tzinfo=UTC), actor_id=3, kind="booking", reason="",
        idempotency_key=None, request_hash="", closes_day=None,
    )  # fmt: skip
    spelled = b"1:7,1:2,32:2025-01-15T00:00:00.000000+00:00,1:3,7:booking,0:,~0:,~\n"
    before, rows = "a" * 64, "b" * 64
    assert links.link(before, entry, rows) == hashlib.sha256(before.encode() + spelled + rows.encode()).hexdigest()
