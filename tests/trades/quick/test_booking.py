"""The short way books what the view books, answers what it answers, and leaves all else to it."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework.exceptions import ValidationError

from tests.factories import bearer, book, make_account
from tests.trades.conftest import SEED_BODY, at
from trades.booking.checks import check
from trades.booking.writing import with_realized
from trades.models import Account, KeptAnswer, LedgerEntry, Trade
from trades.quick import booking as quick_booking
from trades.quick.written import rows_of, written_rows, written_trade
from trades.serializers import TradeRequestSerializer, TradeSerializer, field_values

VOLATILE = {"Date", "X-Request-ID", "X-RateLimit-Remaining", "X-RateLimit-Reset"}


@pytest.fixture
def ways(monkeypatch):
    """`ways(quick)` chooses the way; `taken` counts answers that the short one gave."""

    class Ways:
        taken = 0

        def __call__(self, quick: bool):
            monkeypatch.setattr("trades.api.book_quickly", self.book if quick else lambda request: None)

        def book(self, request):
            answer = quick_booking.book_quickly(request)
            self.taken += answer is not None
            return answer

    return Ways()


def send(client, signed, body, **headers):
    body = body if isinstance(body, str | bytes) else json.dumps(body)
    return client.post("/trades/", body, content_type="application/json", headers=signed | headers)


def shape(answer) -> tuple:
    """An answer without what differs from one request to the next."""
    body = json.loads(answer.content)
    for name in ("id", "recorded_at", "executed_at", "trade_date", "request_id", "client_trade_id"):
        body.pop(name, None) if isinstance(body, dict) else None
    headers = {name: value for name, value in answer.headers.items() if name not in VOLATILE}
    headers.pop("Content-Length", None)
    return answer.status_code, headers, list(body), body


BODIES = [
    SEED_BODY,
    SEED_BODY | {"fees": "1.5", "strategy": " swing ", "tags": ["b", "a"], "note": " kept \u2028 as <it> is é"},
    SEED_BODY | {"executed_at": "2025-01-15T14:30:00+02:00", "quantity": "0.000000000001", "price": "1e3"},
    SEED_BODY | {"executed_at": "2999-01-15T14:30:00Z"},
    SEED_BODY | {"quantity": 0},
    SEED_BODY | {"quantity": True},
    SEED_BODY | {"price": "NaN"},
    SEED_BODY | {"price": "1" * 17},
    SEED_BODY | {"trade_type": "HOLD"},
    SEED_BODY | {"ticker": "no ticker"},
    SEED_BODY | {"colour": "red"},
    SEED_BODY | {"account": 10**9},
    SEED_BODY | {"account": "first"},
    SEED_BODY | {"tags": ["a,b"]},
    SEED_BODY | {"client_trade_id": None},
    {"ticker": "AAPL"},
    [],
    None,
    "{",
    '{"ticker": "A", "ticker": "B"}',
]


@pytest.mark.django_db
@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_both_ways_answer_alike(client, alice, bob, ways, body):
    answers = []
    for user, is_quick in ((alice, True), (bob, False)):
        make_account(user, "First")
        ways(is_quick)
        answers.append(send(client, bearer(user, "trade"), body))
    quick, full = map(shape, answers)
    assert quick[0] == full[0]
    accounts = [content.pop("account", None) for *_, content in (quick, full) if isinstance(content, dict)]
    assert quick == full
    assert ways.taken == (quick[0] == 201)
    assert len(set(accounts)) == len([one for one in accounts if one]) or accounts == [None, None]


@pytest.mark.django_db
def test_what_a_browser_a_form_or_a_stranger_sends_is_left_to_the_view(client, alice, dave, ways):
    ways(True)
    signed = bearer(alice, "trade")
    assert send(client, signed, SEED_BODY, Accept="text/html").status_code == 201
    assert client.post("/trades/?format=json", SEED_BODY, "application/json", headers=signed).status_code == 201
    assert client.post("/trades/", {"a": 1}, headers=signed).status_code == 415
    assert send(client, {}, SEED_BODY).status_code == 401
    assert send(client, {"Authorization": "Bearer tops_unknown"}, SEED_BODY).status_code == 401
    assert send(client, bearer(alice, "read"), SEED_BODY).status_code == 403
    assert send(client, bearer(dave), SEED_BODY).status_code == 403
    assert send(client, signed, SEED_BODY, **{"Idempotency-Key": "with space"}).status_code == 400
    assert ways.taken == 0


@pytest.mark.django_db
def test_a_repeat_is_answered_as_the_first_was_and_another_body_is_refused(client, alice, ways):
    ways(True)
    signed, key = bearer(alice, "trade"), {"Idempotency-Key": "k"}
    first = send(client, signed, SEED_BODY, **key)
    again = send(client, signed, SEED_BODY | {"price": "150.250"}, **key)
    assert (again.status_code, again["Idempotent-Replayed"]) == (201, "true")
    assert again.content == first.content
    assert send(client, signed, SEED_BODY | {"price": 1}, **key).status_code == 422
    assert LedgerEntry.objects.count() == KeptAnswer.objects.count() == 1
    ways(False)
    assert send(client, signed, SEED_BODY, **key).content == first.content


@pytest.mark.django_db
def test_a_token_bound_to_an_account_books_there_alone(client, alice, ways):
    ways(True)
    first, second = make_account(alice, "First"), make_account(alice, "Second")
    bound = bearer(alice, "trade", account_id=second.pk)
    assert send(client, bound, SEED_BODY).json()["account"] == second.pk
    assert send(client, bound, SEED_BODY | {"account": first.pk}).status_code == 400


@pytest.mark.django_db
def test_the_limit_counts_a_request_once_whichever_way_it_goes(client, alice, ways, monkeypatch):
    monkeypatch.setattr("tradeops.core.users.limits.REQUESTS_A_WINDOW", 4)
    monkeypatch.setattr("tradeops.core.users.limits.time.time", lambda: 1_800_000_010.0)
    ways(True)
    signed = bearer(alice, "trade")
    bodies = [SEED_BODY, SEED_BODY | {"quantity": 0}, SEED_BODY, SEED_BODY, SEED_BODY]
    answers = [send(client, signed, body) for body in bodies]
    assert [answer.status_code for answer in answers] == [201, 400, 201, 201, 429]
    assert [answer["X-RateLimit-Remaining"] for answer in answers] == ["3", "2", "1", "0", "0"]


@pytest.mark.django_db
def test_an_outage_is_told_and_not_tried_twice(client, alice, ways, monkeypatch):
    from django.db import OperationalError

    tries = []

    def away(*_, **__):
        tries.append(1)
        raise OperationalError("away")

    monkeypatch.setattr("trades.services.book_trade", away)
    ways(True)
    answer = send(client, bearer(alice, "trade"), SEED_BODY)
    assert (answer.status_code, answer["Retry-After"], len(tries)) == (503, "5", 1)
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.pure
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "ticker": st.sampled_from(["AAPL", "a", "", 7, "BRK.B", "X" * 17, None]),
            "quantity": st.one_of(st.integers(-5, 5), st.decimals(places=13).map(str), st.text(max_size=3)),
            "price": st.one_of(st.decimals(allow_nan=True).map(str), st.booleans(), st.none()),
            "trade_type": st.sampled_from(["BUY", "SELL", "buy", None, 1]),
            "fees": st.sampled_from([0, "0.1", -1, "x", "9" * 16, "0." + "1" * 12]),
            "executed_at": st.sampled_from(["2025-01-15T14:30:00Z", "2025-01-15", None, 5]),
            "note": st.text(max_size=5),
            "strategy": st.sampled_from(["", " swing ", "x" * 81, "\x00"]),
            "client_trade_id": st.sampled_from([None, "", "a", "x" * 129]),
            "tags": st.one_of(st.none(), st.lists(st.text(max_size=4), max_size=3)),
            "unknown": st.just(1),
        },
    )
)
@settings(max_examples=300)
def test_the_short_way_reads_what_the_serializer_reads_and_nothing_that_the_book_would_refuse(body):
    own = TradeRequestSerializer(data=body)
    if not own.is_valid():
        with pytest.raises(ValidationError):
            quick_booking.said_in(body)
        return
    said = quick_booking.said_in(body)
    assert said == own.validated_data
    trade = quick_booking.trade_of(Account(pk=1), field_values(said))
    assert all(getattr(trade, name) == value for name, value in field_values(said).items())
    check(trade)  # all the rules, of which the short way asks for the few that no serializer keeps


@pytest.mark.django_db
def test_a_trade_is_written_as_the_serializer_writes_it(alice):
    account = make_account(alice, time_zone="Pacific/Kiritimati", day_cutoff="17:00")
    book(account, "BUY", "10", "3.5", executed_at=at(0), tags=",a,b,", note="é\u2028 <b>", strategy="s")
    book(account, "SELL", "12", "4.123456789012", fees="0.1", executed_at=at(1), client_trade_id="x")
    trades = Trade.objects.select_related("entry", "account").order_by("trade_id")
    shown = [dict(TradeSerializer(with_realized(trade)).data) for trade in trades]
    assert [written_trade(with_realized(trade)) for trade in trades] == shown
    assert written_rows(rows_of(Trade.objects.order_by("trade_id"))) == shown
