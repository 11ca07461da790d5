"""Round trips over HTTP: what each made, how long it took and how far it went, from bars."""

import csv
import io
from decimal import Decimal

import pytest

from market.models import Bar, Instrument, Timeframe
from tests.factories import act, book, make_account
from tests.trades.conftest import HUGE, at, problems
from tests.trades.positions.test_past import stamp

pytestmark = pytest.mark.django_db


def make_bar(minute: int, low, high, ticker="AAPL", source="upload") -> Bar:
    Instrument.objects.ensure([ticker])
    low, high = Decimal(low), Decimal(high)
    return Bar.objects.create(
        instrument_id=ticker, timeframe="1m", start=at(minute), ends_at=at(minute) + Timeframe.MINUTE.length,
        open=low, high=high, low=low, close=high, is_final=True, source=source,
    )  # fmt: skip


def trips(client, **asked) -> list[dict]:
    answer = client.get("/round-trips/", asked)
    assert answer.status_code == 200, answer.content
    return answer.json()["results"]


def make_trip(account, minute=0, entry="100", out="105", quantity="10", side="BUY", ticker="AAPL", fees="0"):
    other = "SELL" if side == "BUY" else "BUY"
    first = book(account, side, quantity, entry, ticker=ticker, fees=fees, executed_at=at(minute))
    return first, book(account, other, quantity, out, ticker=ticker, fees=fees, executed_at=at(minute + 10))


def reference(trade) -> dict:
    return {"kind": "trade", "id": trade.trade_id, "url": f"/trades/{trade.trade_id}"}


def test_a_round_trip_shows_all_that_was_on_its_way(api, alice, account):
    """10 at 100, 10 at 96, 20 out at 105: 140 less fees of 3 on 1960. Down to 90 with 20: -160; up to 110: +240."""
    first = book(account, "BUY", "10", "100", fees="1", executed_at=at(0))
    book(account, "BUY", "10", "96", fees="1", executed_at=at(10))
    last = book(account, "SELL", "20", "105", fees="1", executed_at=at(20))
    make_bar(1, 95, 104)
    make_bar(11, 90, 110)
    assert trips(api(alice)) == [{
        "account": account.pk, "ticker": "AAPL", "direction": "long", "opened_by": reference(first),
        "opened_at": stamp(at(0)), "closed_by": reference(last), "closed_at": stamp(at(20)),
        "holding_seconds": 1200.0, "quantity": "20", "entry_cost": "1960", "realized_pnl": "140", "fees": "3",
        "net_pnl": "137", "result": "won", "return_percentage": pytest.approx(137 / 19.6), "mae": "-160",
        "mae_percentage": pytest.approx(-160 / 19.6), "mfe": "240", "mfe_percentage": pytest.approx(240 / 19.6),
        "reason": None,
    }]  # fmt: skip


def test_a_fill_through_zero_ends_one_way_and_begins_the_next(api, alice, account):
    """Vector 3: 100 at 50; 150 sold at 55; 50 bought at 52, the fee of 3 split 2 + 1."""
    book(account, "BUY", "100", "50", executed_at=at(0))
    book(account, "SELL", "150", "55", fees="3", executed_at=at(10))
    book(account, "BUY", "50", "52", executed_at=at(20))
    make_bar(1, 49, 56)
    make_bar(11, 54, 57)
    shown = [(one["direction"], one["quantity"], one["entry_cost"], one["net_pnl"], one["mae"], one["mfe"])
             for one in trips(api(alice))]  # fmt: skip
    assert shown == [("short", "50", "2750", "149", "-100", "150"), ("long", "100", "5000", "498", "-100", "600")]


def test_without_bars_the_excursion_is_null_with_a_reason(api, alice, account):
    make_trip(account)
    (one,) = trips(api(alice))
    assert (one["mae"], one["mfe"], one["mae_percentage"], one["reason"]) == (None, None, None, "no_bars")
    assert (one["quantity"], one["return_percentage"]) == ("10", 5.0)


def test_simulated_bars_say_nothing_of_real_money(api, alice, account):
    make_bar(1, 90, 110, source="simulated")
    make_trip(make_account(alice, "Real", kind="real"))
    make_trip(account)
    real, paper = sorted(trips(api(alice)), key=lambda one: -one["account"])
    assert (real["mae"], real["reason"]) == (None, "no_bars")
    assert (paper["mae"], paper["mfe"]) == ("-100", "100")


def test_a_split_and_a_transfer_are_part_of_the_way(api, alice, account):
    """10 come at 1000; 4 for 1; 40 out at 26: 40 made on 1000."""
    transfer = act(account, "transfer_in", ticker="AAPL", quantity=10, cost_basis=1000, effective_at=at(0))
    act(account, "split", ticker="AAPL", ratio_new=4, ratio_old=1, effective_at=at(10))
    book(account, "SELL", "40", "26", executed_at=at(20))
    make_bar(11, 24, 27)
    (one,) = trips(api(alice))
    assert one["opened_by"] == {
        "kind": "activity", "id": transfer.activity_id, "url": f"/activities/{transfer.activity_id}",
    }  # fmt: skip
    assert (one["quantity"], one["entry_cost"], one["net_pnl"], one["mae"], one["mfe"]) == (
        "40", "1000", "40", "-40", "80",
    )  # fmt: skip


def test_a_way_that_went_on_under_another_ticker_says_so(api, alice, account):
    book(account, "BUY", "10", "100", ticker="FB", executed_at=at(0))
    act(account, "symbol_change", ticker="FB", new_ticker="META", effective_at=at(5))
    book(account, "SELL", "10", "105", ticker="META", executed_at=at(10))
    (one,) = trips(api(alice))
    assert (one["ticker"], one["net_pnl"], one["quantity"], one["mae"], one["reason"]) == (
        "META", "50", None, None, "symbol_change",
    )  # fmt: skip


def test_more_fills_than_a_page_reads_are_said(api, alice, account, monkeypatch):
    monkeypatch.setattr("trades.round_trips.reading.FILLS_READ", 3)
    make_trip(account, 0)
    make_trip(account, 20)
    late, early = trips(api(alice))
    assert (early["quantity"], early["reason"]) == ("10", "no_bars")
    assert (late["quantity"], late["return_percentage"], late["reason"]) == (None, None, "too_many_fills")


def test_filters_choose_what_is_listed(api, alice, account):
    other = make_account(alice, "Other")
    make_trip(account, 0, "100", "105")
    make_trip(account, 20, "100", "95", ticker="MSFT")
    make_trip(account, 40, "100", "100", side="SELL", ticker="KO")
    make_trip(other, 60, "100", "101", ticker="TSLA")
    client = api(alice)

    def listed(**asked) -> list[str]:
        return [one["ticker"] for one in trips(client, **asked)]

    assert listed() == ["TSLA", "KO", "MSFT", "AAPL"]
    assert listed(account=other.pk) == ["TSLA"]
    assert listed(ticker="AAPL,KO") == ["KO", "AAPL"]
    assert listed(result="won") == ["TSLA", "AAPL"]
    assert listed(result="lost") == ["KO", "MSFT"]
    assert listed(direction="short") == ["KO"]
    assert listed(opened_after=stamp(at(20)), opened_before=stamp(at(40))) == ["MSFT"]
    assert listed(closed_after=stamp(at(30)), closed_before=stamp(at(51))) == ["KO", "MSFT"]


def test_pages_follow_each_other_from_the_last_closed_on(api, alice, account):
    for number in range(5):
        make_trip(account, 20 * number, ticker=f"T{number}")
    client, address, found = api(alice), "/round-trips/?page_size=2", []
    while address:
        page = client.get(address).json()
        found += [one["ticker"] for one in page["results"]]
        address = page["next"]
    assert found == ["T4", "T3", "T2", "T1", "T0"]


def test_the_csv_has_all_that_match(api, alice, account):
    make_trip(account, 0, "100", "105", fees="1")
    make_trip(account, 20, "100", "95", ticker="MSFT")
    answer = api(alice).get("/round-trips/?format=csv&ticker=AAPL")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    (row,) = csv.DictReader(io.StringIO(b"".join(answer).decode()))
    assert (row["ticker"], row["net_pnl"], row["quantity"], row["return_percentage"], row["mae"], row["reason"]) == (
        "AAPL", "48", "10", "4.8", "", "no_bars",
    )  # fmt: skip
    assert (row["opened_at"], row["holding_seconds"]) == (stamp(at(0)), "600.0")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("result=drawn", "result"), ("direction=up", "direction"), (f"account={HUGE}", "account"),
        ("ticker=a", "ticker"), ("closed_after=x", "closed_after"), ("opened_before=2025-13-01", "opened_before"),
        ("won=1", "won"),
        ("ordering=net_pnl", "ordering"), ("page_size=201", "page_size"), ("cursor=x", "cursor"),
    ],
)  # fmt: skip
def test_a_bad_parameter_is_refused_by_its_name(api, alice, query, field):
    response = api(alice).get(f"/round-trips/?{query}")
    assert response.status_code == 400
    assert field in problems(response)


def test_a_stranger_sees_none_and_the_back_office_all(api, alice, bob, carol, account):
    make_trip(account)
    assert trips(api(bob)) == trips(api(bob), account=account.pk) == []
    assert len(trips(api(carol))) == 1
    assert api().get("/round-trips/").status_code == 401


def test_the_number_of_queries_is_fixed(api, alice, account, django_assert_num_queries):
    make_trip(account)
    make_bar(1, 90, 110)
    client = api(alice)
    trips(client)
    for number in range(1, 4):
        with django_assert_num_queries(8):
            trips(client)
        make_trip(account, 20 * number, ticker=f"T{number}")
