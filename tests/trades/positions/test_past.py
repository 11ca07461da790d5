"""The book as of a moment, as known after an entry, by another method: hand-worked, and against a brute-force fold."""

import itertools
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from market.models import Bar, Instrument, Mark
from tests.factories import act, book, make_account, make_user
from tests.trades.conftest import START, at
from tests.trades.test_ledger import CASE_1, METHODS, VECTORS
from trades.models import LedgerEntry, Position, Trade
from trades.positions.past import Asked, happened, read_past
from trades.services import correct_version, void_version

pytestmark = pytest.mark.django_db
MICROSECOND = timedelta(microseconds=1)


def book_all(account, rows, ticker="AAPL") -> list[Trade]:
    return [
        book(account, side, quantity, price, fees=fee, ticker=ticker, executed_at=at(minute))
        for minute, (side, quantity, price, fee) in enumerate(rows)
    ]


def seen(client, **asked) -> dict:
    answer = client.get("/positions/AAPL", asked)
    assert answer.status_code == 200, answer.content
    return answer.json()


def stamp(moment) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def state_price(price: str, moment, by, ticker="AAPL") -> Mark:
    Instrument.objects.ensure([ticker])
    return Mark.objects.create(instrument_id=ticker, at=moment, price=Decimal(price), made_by=by)


# By another method -----------------------------------------------------------------------


@pytest.mark.parametrize(("rows", "realized", "fees", "quantity"), VECTORS)
def test_the_worked_vectors_come_out_of_the_api_by_every_method(api, alice, account, rows, realized, fees, quantity):
    book_all(account, rows)
    client = api(alice)
    for method in METHODS:
        shown = seen(client, method=method.value)
        assert (shown["realized_pnl"], shown["fees"], shown["quantity"]) == (realized[method.value], fees, quantity)
        assert shown["method"] == method.value
        assert Decimal(shown["net_pnl"]) == Decimal(realized[method.value]) - Decimal(fees)


def test_another_method_shows_its_own_lots_and_leaves_the_book_alone(api, alice, account):
    first, second, _ = book_all(account, CASE_1)
    client = api(alice)
    lifo = seen(client, method="lifo")
    assert [(lot["trade"], lot["quantity"], lot["cost"]) for lot in lifo["lots"]] == [
        (first.trade_id, "100", "1000"), (second.trade_id, "50", "600"),
    ]  # fmt: skip
    assert (lifo["cost_basis"], lifo["average_cost"], lifo["lot_count"]) == ("1600", "10.666666666667", 2)
    assert seen(client)["realized_pnl"] == "250"
    listed = client.get("/positions/", {"method": "average_cost"}).json()["results"]
    assert [(one["realized_pnl"], one["method"]) for one in listed] == [("200", "average_cost")]


def test_a_dated_change_of_method_is_part_of_the_accounts_own_view_alone(api, alice, account):
    book_all(account, CASE_1[:2])
    act(account, "method_change", pnl_method="lifo", effective_at=at(2))
    book(account, "SELL", "50", "15", executed_at=at(3))
    client = api(alice)
    assert (seen(client)["realized_pnl"], seen(client)["method"]) == ("150", "lifo")
    assert seen(client, as_of=stamp(at(3)))["realized_pnl"] == "150"
    assert seen(client, as_of=stamp(at(1)))["method"] == "fifo"
    assert seen(client, method="fifo")["realized_pnl"] == "250"


# As of --------------------------------------------------------------------------------------


def test_executions_count_up_to_and_including_the_moment(api, alice, account):
    book_all(account, CASE_1)
    client = api(alice)
    assert seen(client, as_of=stamp(at(1)))["quantity"] == "200"
    assert seen(client, as_of=stamp(at(1) - MICROSECOND))["quantity"] == "100"
    late = seen(client, as_of=stamp(at(2)))
    assert (late["quantity"], late["realized_pnl"], late["fees"]) == ("150", "250", "3")
    before = seen(client, as_of=stamp(at(0) - MICROSECOND))
    assert (before["quantity"], before["lots"], before["average_cost"]) == ("0", [], None)
    assert before["as_of"] == stamp(at(0) - MICROSECOND)


def test_a_moment_may_be_a_day_or_in_another_zone(api, alice, account):
    book_all(account, CASE_1)
    client = api(alice)
    assert seen(client, as_of="2025-01-15")["quantity"] == "0"
    assert seen(client, as_of="2025-01-16")["quantity"] == "150"
    assert seen(client, as_of="2025-01-15T09:31:00-05:00")["quantity"] == "200"


def test_marks_are_those_of_the_moment(api, alice, account):
    book_all(account, CASE_1)
    state_price("13", at(2), alice)
    state_price("14", at(60), alice)
    shown = seen(api(alice), as_of=stamp(at(2)))
    assert (shown["mark"], shown["mark_at"], shown["mark_source"], shown["mark_stale"]) == (
        "13", stamp(at(2)), "manual", False,
    )  # fmt: skip
    assert (shown["market_value"], shown["unrealized_pnl"]) == ("1950", "250")
    later = seen(api(alice), as_of=stamp(at(3)))
    assert (later["mark"], later["mark_stale"]) == ("13", True)
    assert seen(api(alice))["mark"] == "14"
    early = seen(api(alice), as_of=stamp(at(1)))
    assert (early["mark"], early["unrealized_pnl"], early["mark_reason"]) == (None, None, "no_price")


def test_a_simulated_price_of_the_past_marks_no_real_account(api, alice):
    account = make_account(alice, "Real", kind="real")
    book_all(account, CASE_1)
    bar = {"instrument_id": "AAPL", "timeframe": "1m", "start": at(3), "ends_at": at(4), "is_final": True}
    prices = dict.fromkeys(["open", "high", "low", "close"], Decimal(20))
    Bar.objects.create(**bar, **prices, source="simulated")
    client = api(alice)
    shown = seen(client, as_of=stamp(at(5)))
    assert (shown["mark"], shown["mark_reason"]) == (None, "simulated_price")
    Bar.objects.create(**bar, **dict.fromkeys(prices, Decimal(21)), source="upload")
    shown = seen(client, as_of=stamp(at(5)))
    assert (shown["mark"], shown["mark_source"], shown["mark_reason"]) == ("21", "upload", None)


def test_a_mark_is_carried_over_a_split(api, alice, account):
    book(account, "BUY", "10", "100", executed_at=at(0))
    state_price("100", at(1), alice)
    act(account, "split", ticker="AAPL", ratio_new=4, ratio_old=1, effective_at=at(5))
    client = api(alice)
    for asked in ({"as_of": stamp(at(5))}, {}):
        shown = seen(client, **asked)
        assert (shown["quantity"], shown["mark"], shown["unrealized_pnl"]) == ("40", "25", "0")
    assert (seen(client, as_of=stamp(at(4)))["quantity"], seen(client, as_of=stamp(at(4)))["mark"]) == ("10", "100")


def test_the_list_shows_what_there_was_and_no_more(api, alice, account):
    book(account, ticker="AAPL", executed_at=at(0))
    book(account, ticker="MSFT", executed_at=at(5))
    voided = book(account, ticker="TSLA", executed_at=at(5))
    void_version(voided, actor=alice)
    act(account, "transfer_in", ticker="KO", quantity=5, cost_basis=300, effective_at=at(1))
    client = api(alice)

    def tickers(**asked) -> list[str]:
        return [one["ticker"] for one in client.get("/positions/", asked).json()["results"]]

    assert tickers() == ["AAPL", "KO", "MSFT"]
    assert tickers(as_of=stamp(at(1))) == ["AAPL", "KO"]
    assert tickers(known_entry=3) == ["AAPL", "MSFT", "TSLA"]
    assert tickers(known_entry=3, as_of=stamp(at(4))) == ["AAPL"]
    assert tickers(known_entry=0) == []


def test_a_lot_that_came_in_by_transfer_names_its_activity(api, alice, account):
    transfer = act(account, "transfer_in", ticker="AAPL", quantity=5, cost_basis=300, effective_at=at(1))
    for asked in ({}, {"as_of": stamp(at(1))}):
        (lot,) = seen(api(alice), **asked)["lots"]
        assert (lot["trade"], lot["activity"], lot["cost"]) == (None, transfer.activity_id, "300")


# As known ------------------------------------------------------------------------------------


def test_the_correction_of_case_10_is_seen_before_and_after(api, alice, account):
    """The first buy of case 1 was at 10.50: 25 less realized and 25 more cost by FIFO, 12.50 and 37.50 by average."""
    first, *_ = book_all(account, CASE_1)
    correct_version(first, {"price": Decimal("10.50")}, actor=alice)
    client, entries = api(alice), LedgerEntry.objects.filter(account=account)
    known = {entry.number: stamp(entry.recorded_at) for entry in entries}

    def figures(**asked) -> tuple:
        shown = seen(client, **asked)
        return shown["realized_pnl"], shown["cost_basis"], shown["known_entry"]

    assert figures() == figures(known_entry=4) == figures(known_at=known[4]) == ("225", "1725", 4)
    assert figures(known_entry=3) == figures(known_at=known[3]) == ("250", "1700", 3)
    assert figures(method="average_cost") == ("187.5", "1687.5", 4)
    assert figures(method="average_cost", known_entry=3) == ("200", "1650", 3)
    just_before = LedgerEntry.objects.get(account=account, number=4).recorded_at - MICROSECOND
    assert figures(known_at=stamp(just_before)) == ("250", "1700", 3)
    assert figures(known_at="2000-01-01") == ("0", "0", 0)
    # Both at once: what was held at noon, as it was known before the correction.
    both = seen(client, known_entry=3, as_of=stamp(at(0)))
    assert (both["quantity"], both["cost_basis"], both["as_of"]) == ("100", "1000", stamp(at(0)))


def test_what_was_voided_is_still_known_before_its_void(api, alice, account):
    trade = book(account, "BUY", "10", "100", executed_at=at(0))
    void_version(trade, actor=alice)
    client = api(alice)
    assert seen(client, known_entry=1)["quantity"] == "10"
    assert seen(client)["quantity"] == "0"


def test_entries_are_numbered_by_account(api, alice, carol, account):
    other = make_account(alice, "Other")
    book(account, executed_at=at(0))
    book(other, "BUY", "7", executed_at=at(0))
    book(other, "BUY", "7", executed_at=at(1))
    client = api(alice)
    refused = client.get("/positions/", {"known_entry": 1})
    assert refused.status_code == 400
    assert [(error["field"], error["code"]) for error in refused.json()["errors"]] == [("account", "required")]
    (one,) = client.get("/positions/", {"known_entry": 1, "account": other.pk}).json()["results"]
    assert (one["quantity"], one["known_entry"]) == ("7", 1)
    # By time each account has its own entry.
    everyone = client.get("/positions/", {"known_at": stamp(START + timedelta(days=9000))}).json()["results"]
    assert [(one["account"], one["known_entry"]) for one in everyone] == [(account.pk, 1), (other.pk, 2)]
    assert (
        api(carol).get("/positions/", {"known_entry": 2, "account": other.pk}).json()["results"][0]["quantity"] == "14"
    )


def test_pages_of_a_past_view_follow_each_other(api, alice, account):
    for minute, ticker in enumerate(("MSFT", "AAPL", "TSLA", "KO")):
        book(account, ticker=ticker, executed_at=at(minute))
    client, address, found = api(alice), f"/positions/?page_size=2&as_of={stamp(at(2))}", []
    while address:
        page = client.get(address).json()
        found += [one["ticker"] for one in page["results"]]
        address = page["next"]
    assert found == ["AAPL", "MSFT", "TSLA"]


def test_a_strangers_past_is_not_found(api, alice, bob, account):
    book(account, executed_at=at(0))
    for query in ("as_of=2025-02-01", "known_entry=1", "method=lifo", f"account={account.pk}&known_entry=1"):
        assert api(bob).get(f"/positions/AAPL?{query}").status_code == 404
        if "known_entry" not in query:
            assert api(bob).get(f"/positions/?{query}").json()["results"] == []


def test_the_number_of_queries_of_a_view_does_not_grow_with_the_book(api, alice, account, django_assert_num_queries):
    client, asked = api(alice), {"as_of": "2030-01-01", "method": "lifo", "known_at": "2030-01-01"}
    book(account, ticker="AAPL")
    client.get("/positions/", asked)
    for ticker in ("MSFT", "TSLA"):
        with django_assert_num_queries(8):
            assert client.get("/positions/", asked).status_code == 200
        book(account, ticker=ticker)


# Against brute force --------------------------------------------------------------------------

numbers = itertools.count()
acts = st.tuples(
    st.sampled_from(["book", "book", "correct", "void"]),
    st.sampled_from(["BUY", "SELL"]),
    st.integers(1, 4),
    st.integers(1, 5),
    st.integers(0, 6),
)


def make_book(said: list[tuple]):
    account = make_account(make_user(f"past-{next(numbers)}"))
    trades: list[int] = []
    for kind, side, quantity, price, minute in said:
        if kind == "book" or not trades:
            trades.append(book(account, side, quantity, price, executed_at=at(minute)).trade_id)
            continue
        latest = Trade.objects.latest_versions().select_related("account").get(trade_id=trades[price % len(trades)])
        if latest.is_void:
            continue
        if kind == "void":
            void_version(latest, actor=account.owner)
        else:
            changes = {"side": side, "quantity": Decimal(quantity), "price": Decimal(price), "executed_at": at(minute)}
            correct_version(latest, changes, actor=account.owner)
    account.refresh_from_db()
    return account


def chosen(account, as_of, number) -> list[Trade]:
    """The rows that count, picked one by one: of each trade the last version known, unless it was voided."""
    known: dict[int, Trade] = {}
    for row in Trade.objects.filter(account=account).select_related("entry").order_by("version"):
        if row.entry.number <= number:
            known[row.trade_id] = row
    rows = [row for row in known.values() if not row.is_void and row.executed_at <= as_of]
    return sorted(rows, key=lambda row: (row.executed_at, row.trade_id))


def matched_unit_by_unit(rows: list[Trade], method: str) -> tuple[int, Fraction, Fraction]:
    """Quantity, cost and realized P&L, every unit by itself."""
    units: list[tuple[int, Fraction]] = []  # sign, cost
    realized = Fraction(0)
    for row in rows:
        sign, price = (1 if row.side == "BUY" else -1), Fraction(row.price)
        for _ in range(int(row.quantity)):
            if not units or units[0][0] == sign:
                units.append((sign, price))
                continue
            held, costs = units[0][0], [cost for _, cost in units]
            if method == "average_cost":
                average = sum(costs) / len(costs)
                realized += held * (price - average)
                units = [(held, average)] * (len(units) - 1)
                continue
            dearest = max(range(len(units)), key=lambda place: (held * costs[place], -place))
            place = {"fifo": 0, "lifo": len(units) - 1, "hifo": dearest}[method]
            realized += held * (price - units.pop(place)[1])
    return sum(sign for sign, _ in units), sum((sign * cost for sign, cost in units), Fraction(0)), realized


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(said=st.lists(acts, min_size=1, max_size=12), minute=st.integers(-1, 7), data=st.data())
def test_any_view_is_the_fold_of_the_rows_picked_by_hand(said, minute, data):
    account = make_book(said)
    number = data.draw(st.integers(0, account.last_number))
    method = data.draw(st.sampled_from(METHODS))
    rows = chosen(account, at(minute), number)
    quantity, cost, realized = matched_unit_by_unit(rows, method.value)
    asked = Asked(as_of=at(minute), known_entry=number, method=method)
    positions = Position.objects.filter(account=account).select_related("account")
    (shown,) = read_past(list(positions), asked, 100)
    assert shown.quantity == quantity
    assert abs(Fraction(shown.cost_basis) - cost) < Fraction(1, 10**9)
    assert abs(Fraction(shown.realized_pnl) - realized) < Fraction(1, 10**9)
    assert sum((lot.quantity for lot in shown.lots), Decimal(0)) == quantity
    assert happened(positions, asked).exists() == bool(rows)
