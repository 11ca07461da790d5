"""What a client may say on the live socket."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.socket_requests import Refused, read_channels, read_event_numbers, read_names, read_request, read_token

pytestmark = pytest.mark.pure


def refusal(read, *arguments) -> str:
    with pytest.raises(Refused) as caught:
        read(*arguments)
    assert caught.value.frame() == {"type": "error", "code": caught.value.code, "message": caught.value.message}
    return caught.value.code


def test_an_action_and_its_keys_are_read():
    assert read_request('{"action": "subscribe", "tickers": ["AAPL"]}') == ("subscribe", {"tickers": ["AAPL"]})


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (None, "malformed"),
        ("", "malformed"),
        ("{", "malformed"),
        ('{"action": "ping", "action": "ping"}', "malformed"),
        ('{"action": "ping", "id": NaN}', "malformed"),
        ("[" * 100 + "]" * 100, "malformed"),
        ('{"action": "ping", "id": "\\ud800"}', "malformed"),
        ('{"action": "ping", "id": "\ud800"}', "malformed"),
        ('{"action": "ping", "id": "\\u0000"}', "malformed"),
        ('"ping"', "malformed"),
        ("null", "malformed"),
        ("{}", "unknown_action"),
        ('{"action": "__class__"}', "unknown_action"),
        ('{"action": ["ping"]}', "unknown_action"),
        ('{"action": {"ping": 1}}', "unknown_action"),
        ('{"action": "ping", "tickers": []}', "unknown_field"),
        ('{"action": "subscribe", "symbols": ["AAPL"]}', "unknown_field"),
    ],
)
def test_what_is_no_request_is_refused(text, code):
    assert refusal(read_request, text) == code


@given(st.text(max_size=200))
def test_no_text_does_more_than_be_refused(text):
    try:
        read_request(text)
    except Refused as refused:
        assert refused.code


@pytest.mark.parametrize(
    "tickers", ["AAPL", [1], [None], [""], ["A" * 17], [["AAPL"]], {"AAPL": 1}, None, 5, ["A"] * 1_001]
)
def test_tickers_are_a_short_list_of_short_texts(tickers):
    assert refusal(read_names, {"tickers": tickers}, "tickers") == "invalid"


def test_a_ticker_named_twice_is_one():
    assert read_names({"tickers": ["AAPL", "TSLA", "AAPL"]}, "tickers") == ["AAPL", "TSLA"]
    assert read_names({}, "tickers") is None


def test_a_channel_that_is_none_is_refused_by_name():
    assert read_channels({"channels": ["quotes", "trades"]}) == ["quotes", "trades"]
    assert refusal(read_channels, {"channels": ["quotes", "orders"]}) == "unknown_channel"


@pytest.mark.parametrize(
    "events",
    [None, [], {"orders": 1}, {"alerts": -1}, {"alerts": 1.5}, {"alerts": True}, {"user": "5"}, {"user": 2**63}],
)
def test_event_numbers_are_whole_and_of_known_streams(events):
    assert refusal(read_event_numbers, {"events": events}) == "invalid"


def test_event_numbers_are_read():
    assert read_event_numbers({"events": {"alerts": 800, "user": 0}}) == {"alerts": 800, "user": 0}
    assert refusal(read_event_numbers, {}) == "invalid"


def test_a_token_is_a_text():
    assert read_token({"token": "tops_x"}) == "tops_x"
    assert refusal(read_token, {"token": 5}) == "invalid"
