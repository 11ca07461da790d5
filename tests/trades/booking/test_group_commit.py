"""Bookings that wait together are written together: each as if alone, none answered before its commit."""

import contextlib
import random
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, OperationalError, connection, transaction

from tests.factories import book, make_account, make_user
from tests.trades.conftest import SEED_BODY, at, post
from tradeops.core.api import Conflict
from tradeops.core.events.models import Event
from trades.booking import acts
from trades.booking.acts import Act, lock
from trades.booking.group_commit import Line
from trades.booking.orders import Group, Order, book_orders
from trades.chain import verification
from trades.folding import moving_on
from trades.folding.moving_on import KeptStandings, Standing
from trades.ledger import Method
from trades.models import Account, DayTotal, EntryKind, LedgerEntry, Lot, Position, Realization, RoundTrip, Trade
from trades.services import ASKED_OF_TRADE, asked, book_trade, correct_version, void_version


def unsaved(account, side="BUY", quantity="100", price="150.25", ticker="AAPL", key=None, executed_at=None) -> Trade:
    return Trade(
        account=account,
        instrument_id=ticker,
        side=side,
        quantity=Decimal(quantity),
        price=Decimal(price),
        notional=Decimal(quantity) * Decimal(price),
        executed_at=executed_at,
        client_trade_id=key,
    )


def order(account, *values, **named) -> Order:
    trade = unsaved(account, *values, **named)
    act = Act(account.owner, EntryKind.BOOKING, key=trade.client_trade_id, request_hash=asked(trade, ASKED_OF_TRADE))
    return Order(trade, act)


# The line ----------------------------------------------------------------------------------------


class Gate:
    """A writer that waits to be let through, and keeps what it was given."""

    def __init__(self, fails=lambda orders: None):
        self.open, self.entered, self.groups, self.fails = threading.Event(), threading.Event(), [], fails

    def __call__(self, orders):
        self.groups.append(list(orders))
        self.entered.set()
        assert self.open.wait(60)
        if error := self.fails(orders):
            raise error


def stand_in_line(line: Line, orders) -> tuple[list[threading.Thread], dict]:
    """Each order in a thread of its own, one after the other; what each thread ended with."""
    outcomes, threads = {}, []

    def run(one):
        try:
            line.book(one)
            outcomes[one] = "written"
        except Exception as error:
            outcomes[one] = error

    for place, one in enumerate(orders):
        threads.append(threading.Thread(target=run, args=[one]))
        threads[-1].start()
        if place == 0:
            assert line.write.entered.wait(60)
        else:
            while len(line.waiting) < place:
                threads[-1].join(0.001)
    return threads, outcomes


def finish(line: Line, threads) -> None:
    line.write.open.set()
    for thread in threads:
        thread.join(60)


@pytest.mark.pure
def test_the_first_writes_alone_and_those_who_come_meanwhile_together():
    line = Line(Gate())
    threads, outcomes = stand_in_line(line, "abcde")
    assert line.write.groups == [["a"]]
    finish(line, threads)
    assert line.write.groups == [["a"], ["b", "c", "d", "e"]]
    assert outcomes == dict.fromkeys("abcde", "written")
    assert (line.waiting, line.has_writer) == ([], False)


@pytest.mark.pure
def test_one_that_fails_fails_alone():
    line = Line(Gate(lambda orders: KeyError("c") if "c" in orders else None))
    threads, outcomes = stand_in_line(line, "abcde")
    finish(line, threads)
    assert isinstance(outcomes.pop("c"), KeyError)
    assert outcomes == dict.fromkeys("abde", "written")


@pytest.mark.pure
def test_an_outage_is_told_to_all_and_tried_once():
    line = Line(Gate(lambda orders: OperationalError("away") if len(orders) > 1 else None))
    threads, outcomes = stand_in_line(line, "abcde")
    finish(line, threads)
    assert outcomes.pop("a") == "written"
    assert {type(error) for error in outcomes.values()} == {OperationalError}
    assert len(line.write.groups) == 2


@pytest.mark.pure
def test_the_line_goes_on_after_a_failure():
    line = Line(Gate(lambda orders: OperationalError("away")))
    threads, outcomes = stand_in_line(line, "ab")
    finish(line, threads)
    line.write.fails = lambda orders: None
    line.book("c")
    assert line.write.groups[-1] == ["c"]


# A group -----------------------------------------------------------------------------------------


def facts(account: Account) -> dict:
    """All that is kept of an account, without the numbers that rows happen to have."""

    def rows(model, *names):
        return sorted(map(str, model.objects.filter(account=account).values_list("instrument_id", *names)))

    return {
        "positions": rows(Position, "quantity", "cost_basis", "realized_pnl", "fees", "event_count", "buy_count"),
        "lots": rows(Lot, "opened_at", "quantity", "cost"),
        "realizations": rows(Realization, "closed_at", "opened_at", "quantity", "cost", "proceeds", "pnl"),
        "round trips": rows(RoundTrip, "opened_at", "closed_at", "net_pnl"),
        "days": rows(DayTotal, "day", "buy_count", "sell_count", "buy_notional", "traded_pnl", "closed_trades"),
        "numbers": sorted(account.entries.values_list("number", flat=True)),
    }


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["fifo", "average_cost", "lifo", "hifo"])
def test_a_group_leaves_what_booking_one_by_one_leaves(alice, bob, method):
    chance = random.Random(3)
    singly, together = (make_account(user, pnl_method=method) for user in (alice, bob))
    for round_ in range(8):
        plans = [
            (chance.choice(("BUY", "SELL")), str(chance.randint(1, 9)), str(chance.randint(1, 99)), chance.choice("AB"))
            for _ in range(6)
        ]
        moments = [at(round_ * 10 + chance.randint(0, 9)) for _ in plans]
        for plan, moment in sorted(zip(plans, moments, strict=True), key=lambda pair: pair[1]):
            book_trade(unsaved(singly, *plan, executed_at=moment), actor=alice)
        orders = [order(together, *plan, executed_at=moment) for plan, moment in zip(plans, moments, strict=True)]
        book_orders(orders)
        assert all(one.is_booked for one in orders)
    assert facts(singly) == facts(together)
    assert list(verification.differences()) == []


@pytest.mark.django_db
@pytest.mark.parametrize("method", list(Method))
def test_a_writer_that_keeps_where_accounts_stand_leaves_what_one_that_reads_each_time_leaves(alice, bob, method):
    """Between its groups others book too, late and in time, correct and void; and a group is taken back."""
    chance, kept = random.Random(5), KeptStandings()
    read, remembered = (make_account(user, pnl_method=method) for user in (alice, bob))
    for round_ in range(30):
        plan = [
            (chance.choice(("BUY", "SELL")), str(chance.randint(1, 9)), str(chance.randint(1, 99)), chance.choice("AB"))
            for _ in range(chance.randint(1, 4))
        ]
        day, act, moved = round_ // 10, chance.choice(("", "late", "correct", "void", "fail")), chance.randint(1, 9)
        for account, keeping in ((read, KeptStandings()), (remembered, kept)):
            orders = [
                order(account, *one, executed_at=at(round_ * 10 + place) + timedelta(days=day))
                for place, one in enumerate(plan)
            ]
            if act == "fail":
                with pytest.raises(ZeroDivisionError), kept.or_forgotten(), transaction.atomic():
                    book_orders(orders, keeping)
                    raise ZeroDivisionError
            book_orders(orders, keeping)
            assert all(one.is_booked for one in orders)
            disturb(account, act, moved)
    assert facts(read) == facts(remembered)
    assert list(verification.differences()) == []


def disturb(account, act: str, number: int) -> None:
    """Another's act in the account."""
    trade = Trade.objects.current().filter(account=account).order_by("executed_at", "trade_id")[0]
    if act == "late":
        book(account, "SELL", "2", str(number), ticker="A", executed_at=trade.executed_at)
    elif act == "correct":
        correct_version(trade, {"price": Decimal(number)}, actor=account.owner)
    elif act == "void":
        void_version(trade, actor=account.owner, reason="Not ours.")


@pytest.mark.django_db
def test_what_is_kept_is_not_read_again_unless_others_have_written(account, monkeypatch):
    kept, read, ask = KeptStandings(), [], moving_on.ask_rows_at

    def noted(model, key, values, *more):
        values = list(values)
        read.extend([model] * len(values))
        return ask(model, key, values, *more)

    monkeypatch.setattr(moving_on, "ask_rows_at", noted)
    for place in range(3):
        book_orders([order(account, executed_at=at(place))], kept)
    assert read == [Position, DayTotal]
    book(account, executed_at=at(4))
    read.clear()
    book_orders([order(account, executed_at=at(5))], kept)
    assert read == [Position, DayTotal]


@pytest.mark.django_db
def test_many_accounts_are_written_in_one_transaction(django_assert_max_num_queries):
    accounts = [make_account(make_user(f"user{number}")) for number in range(20)]
    orders = [order(account, ticker=ticker, key=ticker) for account in accounts for ticker in ("AAPL", "MSFT")]
    with django_assert_max_num_queries(20):
        book_orders(orders)
    assert all(one.is_booked for one in orders)
    assert Event.objects.count() == 2 * len(orders)
    assert [account.entries.count() for account in accounts] == [2] * 20
    assert list(verification.differences()) == []


@pytest.mark.django_db
def test_one_that_is_refused_hurts_no_other(alice, dave):
    account = make_account(alice, allows_short=False)
    buy, sell, more = order(account, "BUY", "10"), order(account, "SELL", "11"), order(account, "SELL", "10")
    reader = order(account)
    reader.act = Act(dave, EntryKind.BOOKING)
    book_orders([buy, reader, sell, more])
    assert [one.is_booked for one in (buy, reader, sell, more)] == [True, False, False, True]
    assert isinstance(sell.refusal, Conflict)
    assert isinstance(reader.refusal, PermissionDenied)
    assert list(LedgerEntry.objects.order_by("number").values_list("number", flat=True)) == [1, 2]
    assert list(verification.differences()) == []


@pytest.mark.django_db
def test_a_repeat_is_left_to_be_answered_and_the_others_are_booked(account):
    book(account, idempotency_key="used")
    used, new, twice = order(account, key="used"), order(account, key="new"), order(account, key="new")
    book_orders([used, new, twice, order(account)])
    assert [one.is_booked for one in (used, new, twice)] == [False, True, False]
    assert (used.refusal, twice.refusal) == (None, None)
    assert Trade.objects.count() == 3
    assert list(verification.differences()) == []


@pytest.mark.django_db
def test_a_late_trade_is_left_to_be_folded_in(account):
    book(account, executed_at=at(5))
    late, timely = order(account, executed_at=at(1)), order(account, executed_at=at(9))
    book_orders([late, timely])
    assert (late.is_booked, late.refusal, timely.is_booked) == (False, None, True)
    book_trade(late.trade, actor=account.owner)
    assert Position.objects.get().event_count == 3
    assert list(verification.differences()) == []


@contextlib.contextmanager
def while_another(does: Callable[[], object]):
    """Inside, another connection is in a transaction in which it `does` something."""
    is_done, is_over = threading.Event(), threading.Event()

    def hold() -> None:
        with contextlib.closing(connection), transaction.atomic():
            does()
            is_done.set()
            assert is_over.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert is_done.wait(60)
        yield
    finally:
        is_over.set()
        holder.join()


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_who_books_into_an_account_that_another_holds_holds_up_no_other(alice, bob):
    held, free = order(make_account(alice)), order(make_account(bob))
    with while_another(lambda: lock(held.trade.account)):
        book_orders([held, free])
        with pytest.raises(OperationalError):  # booked alone it waits, but not for ever
            book_trade(held.trade, actor=alice)
    assert [(one.is_booked, one.refusal) for one in (held, free)] == [(False, None), (True, None)]
    book_trade(held.trade, actor=alice)
    assert list(verification.differences()) == []


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_where_all_accounts_are_held_a_booking_is_told_to_come_again(alice, api, monkeypatch):
    """As long as the trades are parted by month."""
    monkeypatch.setattr(acts, "BOOKING_PATIENCE_SECONDS", 0.2)
    make_account(alice)
    client = api(alice)
    with while_another(lambda: connection.cursor().execute("LOCK TABLE trades_account IN EXCLUSIVE MODE")):
        away = post(client, SEED_BODY)
    assert (away.status_code, away["Retry-After"], Trade.objects.count()) == (503, "5", 0)
    assert post(client, SEED_BODY).status_code == 201


@pytest.mark.django_db
def test_what_the_database_refuses_for_another_reason_is_not_taken_for_a_repeat(account):
    odd = order(account)
    odd.trade.quantity = Decimal(-1)
    with pytest.raises((IntegrityError, ValueError)):
        book_orders([odd])
    assert LedgerEntry.objects.count() == 0


@pytest.mark.django_db
def test_positions_are_told_once_a_group_as_they_are_after_it(account):
    book_orders([order(account, "BUY", "1"), order(account, "BUY", "2"), order(account, "SELL", "1")])
    kinds = Counter(Event.objects.values_list("kind", flat=True))
    assert kinds == {"trade": 3, "position": 1}
    assert Event.objects.get(kind="position").payload["quantity"] == "2"


@pytest.mark.django_db
def test_a_late_trade_is_left_alone_even_where_an_attempt_before_refused_it(alice):
    account = make_account(alice)
    late = order(account, "SELL", executed_at=at(0))
    late.refusal = Conflict("Of an attempt that was taken back.")
    standing = Standing(Position(account=account, instrument_id="AAPL", last_at=at(1), last_id=1))
    Group([late], standings={(account.pk, "AAPL"): standing}).take(late, 2, 1)
    assert (late.refusal, late.is_booked) == (None, False)
