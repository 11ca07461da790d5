"""The JSON parser: hostile bodies are refused, numbers arrive exactly."""

from decimal import Decimal

import pytest
from rest_framework.exceptions import ParseError

from tradeops.core.strict_json import parse_json

pytestmark = pytest.mark.pure

HOSTILE = [
    b"",
    b"{",
    b"nul",
    b"NaN",
    b'{"a": Infinity}',
    b'{"a": -Infinity}',
    b'{"a": 1, "a": 2}',
    b'{"x": {"a": 1, "a": 2}}',
    b"[" * 100_000,
    b"[" * 65 + b"]" * 65,
    b'{"a":' * 70 + b"1" + b"}" * 70,
    b'"\\ud800"',
    b'{"\\udfff": 1}',
    b'["\\u0000"]',
    b'"\x00"',
    b"\xff\xfe",
    b"1" * 5000,
    b'{"a": 1}x',
    b"{'a': 1}",
    b"\xef\xbb\xbf{}",
]


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_json_is_a_parse_error(body):
    with pytest.raises(ParseError):
        parse_json(body)


def test_numbers_arrive_exactly():
    assert parse_json(b'{"a": 0.1000000000000000000000000001}') == {"a": Decimal("0.1000000000000000000000000001")}


def test_brackets_in_text_do_not_count_as_depth():
    assert parse_json(b'"' + b"[" * 200 + b'"') == "[" * 200


def test_text_outside_the_basic_plane_is_kept():
    assert parse_json(b'"\\ud83d\\ude80"') == "\U0001f680"


def test_an_object_has_no_more_than_a_thousand_members():
    def members(count: int) -> bytes:
        return b"{" + b", ".join(b'"k%d": 1' % number for number in range(count)) + b"}"

    assert len(parse_json(members(1000))) == 1000
    with pytest.raises(ParseError, match="more than 1,000 members"):
        parse_json(b'{"inner": ' + members(1001) + b"}")
