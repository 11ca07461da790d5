"""Lists of trades: filters, sorting, cursors, CSV, statistics, and what they cost."""

import base64
import json

import pytest

from tests.factories import book, make_account

from .conftest import HUGE, at, problems

pytestmark = pytest.mark.django_db


@pytest.fixture
def blotter(alice):
    first, second = make_account(alice, "First"), make_account(alice, "Second")
    book(first, "BUY", "10", "100", executed_at=at(0), strategy="swing", tag_list=["earnings", "a_b"])
    book(first, "SELL", "4", "110", executed_at=at(1), fees="1")
    book(first, "BUY", "1", "50.5", ticker="MSFT", executed_at=at(2), client_trade_id="c-1")
    book(second, "SELL", "7", "51", ticker="MSFT", executed_at=at(3), tag_list=["axb"])
    return first, second


def listed(client, query="") -> list[str]:
    response = client.get(f"/trades/?{query}")
    assert response.status_code == 200, response.content
    return [f"{trade['ticker']} {trade['quantity']}" for trade in response.json()["results"]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["MSFT 7", "MSFT 1", "AAPL 4", "AAPL 10"]),
        ("ticker=AAPL", ["AAPL 4", "AAPL 10"]),
        ("ticker=AAPL,MSFT&trade_type=BUY", ["MSFT 1", "AAPL 10"]),
        ("trade_type=SELL", ["MSFT 7", "AAPL 4"]),
        ("executed_after=2025-01-15T14:31:00Z&executed_before=2025-01-15T14:33:00Z", ["MSFT 1", "AAPL 4"]),
        ("executed_after=2025-01-15T16:32:00%2B02:00", ["MSFT 7", "MSFT 1"]),
        ("executed_after=2025-01-15T16:32:00+02:00", ["MSFT 7", "MSFT 1"]),
        ("executed_before=2025-01-15", []),
        ("executed_after=2025-01-15&executed_before=2025-01-16", ["MSFT 7", "MSFT 1", "AAPL 4", "AAPL 10"]),
        ("strategy=swing", ["AAPL 10"]),
        ("tag=earnings", ["AAPL 10"]),
        ("tag=earn", []),
        ("tag=Earnings", []),
        ("tag=a_b", ["AAPL 10"]),
        ("client_trade_id=c-1", ["MSFT 1"]),
        ("min_quantity=4&max_quantity=7", ["MSFT 7", "AAPL 4"]),
        ("min_price=51&max_price=100", ["MSFT 7", "AAPL 10"]),
        ("ordering=quantity", ["MSFT 1", "AAPL 4", "MSFT 7", "AAPL 10"]),
        ("ordering=-price", ["AAPL 4", "AAPL 10", "MSFT 7", "MSFT 1"]),
        ("ordering=ticker", ["AAPL 10", "AAPL 4", "MSFT 1", "MSFT 7"]),
        ("ordering=notional", ["MSFT 1", "MSFT 7", "AAPL 4", "AAPL 10"]),
    ],
)
def test_the_list_is_filtered_and_sorted(api, alice, blotter, query, found):
    assert listed(api(alice), query) == found


@pytest.mark.parametrize("ordering", ["-executed_at", "executed_at", "-ticker", "price", "quantity", "-id", "notional"])
def test_cursor_pages_walk_there_and_back(api, alice, blotter, ordering):
    client = api(alice)
    whole = listed(client, f"ordering={ordering}")
    page = client.get(f"/trades/?ordering={ordering}&page_size=1").json()
    seen, back = [], []
    while True:
        seen += [f"{trade['ticker']} {trade['quantity']}" for trade in page["results"]]
        if not page["next"]:
            break
        page = client.get(page["next"]).json()
    while page["previous"]:
        page = client.get(page["previous"]).json()
        back += [f"{trade['ticker']} {trade['quantity']}" for trade in page["results"]]
    assert seen == whole
    assert back == whole[-2::-1]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("tickr=AAPL", "tickr"), ("ticker=a", "ticker"), ("ticker=%00", "ticker"), ("trade_type=HOLD", "trade_type"),
        ("account=abc", "account"), (f"account={HUGE}", "account"), ("account=-1", "account"),
        ("executed_after=never", "executed_after"), ("executed_before=2025-13-01", "executed_before"),
        ("executed_after=0001-01-01T00:00:00%2B23:59", "executed_after"),
        ("executed_after=2025-01-15T10:00", "executed_after"),
        ("min_quantity=NaN", "min_quantity"), (f"min_price={HUGE}", "min_price"), ("max_price=1e9999", "max_price"),
        ("strategy=%00", "strategy"), ("tag=%00", "tag"), ("client_trade_id=%00", "client_trade_id"),
        ("page_size=0", "page_size"), ("page_size=1001", "page_size"), ("page_size=x", "page_size"),
        ("cursor=x", "cursor"), ("cursor=W10", "cursor"), ("ordering=note", "ordering"),
        ("ordering=--price", "ordering"),
        ("ticker=" + ",".join(f"T{n}" for n in range(60)), "ticker"), ("as_of=2025-01-15", "as_of"),
        ("strategy=" + "x" * 500, "strategy"),
        ("account=1_0", "account"), ("account=%EF%BC%91", "account"), ("ticker=AAPL&ticker=MSFT", "ticker"),
    ],
)  # fmt: skip
def test_a_bad_parameter_is_refused_by_its_name(api, alice, query, field):
    response = api(alice).get(f"/trades/?{query}")
    assert response.status_code == 400
    assert field in problems(response)


def test_a_made_up_cursor_is_refused(api, alice, blotter):
    for position in (["0001-01-01T00:00:00+23:59", "1"], ["2025-01-15 00:00", "9" * 40], [None, {}], ["x" * 99, "1"]):
        cursor = base64.urlsafe_b64encode(json.dumps([False, ["-executed_at", "-trade_id"], position]).encode())
        assert api(alice).get(f"/trades/?cursor={cursor.decode()}").status_code == 400


def csv_of(response) -> list[str]:
    return b"".join(response.streaming_content).decode().splitlines()


def test_csv_streams_what_matches_and_is_safe_to_open(api, alice, account):
    book(account, "BUY", "10", "100.50", executed_at=at(0), note='=HYPERLINK("x")', strategy="@x", tag_list=["+a", "b"])
    book(account, "SELL", "10", "101", executed_at=at(1))
    book(account, ticker="MSFT")
    response = api(alice).get("/trades/?format=csv&ticker=AAPL&ordering=executed_at")
    assert response["Content-Type"].startswith("text/csv")
    head, first, second = csv_of(response)
    assert head.startswith("id,version,account,ticker,trade_type,quantity,price,notional,fees,realized_pnl,executed_at")
    assert first.endswith(""",AAPL,BUY,10,100.5,1005,0,0,2025-01-15T14:30:00Z,'@x,"'+a,b","'=HYPERLINK(""x"")",""")
    assert ",SELL,10,101,1010,0,5," in second


def test_csv_goes_on_over_the_edge_of_a_page(api, alice, account, monkeypatch):
    monkeypatch.setattr("tradeops.core.download.ROWS_AT_ONCE", 2)
    for minute in range(5):
        book(account, quantity=str(minute + 1), executed_at=at(minute))
    rows = csv_of(api(alice).get("/trades/?format=csv"))
    assert [row.split(",")[5] for row in rows[1:]] == ["5", "4", "3", "2", "1"]


def test_csv_that_is_asked_for_by_format_comes_whatever_the_client_says_it_accepts(api, alice, account):
    book(account)
    response = api(alice).get("/trades/?format=csv", headers={"Accept": "application/json"})
    assert response["Content-Type"].startswith("text/csv")
    assert api(alice).get("/trades/", headers={"Accept": "text/csv, image/png"}).status_code == 200
    assert api(alice).get("/trades/", headers={"Accept": "image/png"}).status_code == 406


def test_a_refusal_of_csv_is_a_problem(api, alice):
    response = api(alice).get("/trades/?format=csv&tickr=A")
    assert problems(response) == {"tickr": "unknown_parameter"}
    assert api(alice).get("/trades/?format=xml").status_code == 404


# Statistics --------------------------------------------------------------------------------------------


def test_statistics_over_all(api, alice, account):
    book(account, "BUY", "10", "100", fees="1", executed_at=at(0))
    book(account, "SELL", "10", "110", fees="1", executed_at=at(1))
    book(account, "BUY", "2", "10", ticker="MSFT", executed_at=at(2))
    book(account, "SELL", "3", "10", ticker="MSFT", fees="3", executed_at=at(3))
    book(account, "BUY", "1", "9", ticker="MSFT", executed_at=at(4))
    stats = api(alice).get("/trades/stats").json()
    by_ticker = stats.pop("by_ticker")
    assert stats == {
        "trade_count": 5, "buy_count": 3, "sell_count": 2, "total_quantity": "26", "total_notional": "2159",
        "total_fees": "5", "average_buy_price": "79.153846153846", "average_sell_price": "86.923076923077",
        "realized_pnl": "101", "closed_trades": 3, "win_rate_percentage": pytest.approx(100 / 3),
        "ticker_count": 2,
    }  # fmt: skip
    assert [(one["ticker"], one["trade_count"], one["realized_pnl"], one["closed_trades"]) for one in by_ticker] == [
        ("AAPL", 2, "100", 1),
        ("MSFT", 3, "1", 2),
    ]


def test_statistics_match_the_whole_book_and_then_filter(api, alice, account):
    book(account, "BUY", "10", "100", executed_at=at(0))
    book(account, "SELL", "10", "110", executed_at=at(60))
    stats = api(alice).get("/trades/stats?executed_after=2025-01-15T15:00:00Z").json()
    assert (stats["trade_count"], stats["realized_pnl"], stats["closed_trades"]) == (1, "100", 1)
    assert api(alice).get("/trades/stats?trade_type=BUY").json()["realized_pnl"] == "0"


def test_statistics_of_nothing_are_zero_or_null(api, alice):
    stats = api(alice).get("/trades/stats").json()
    assert (stats["trade_count"], stats["total_notional"], stats["average_buy_price"]) == (0, "0", None)
    assert (stats["win_rate_percentage"], stats["by_ticker"]) == (None, [])


@pytest.mark.parametrize("query", ["page_size=5", "tickr=A", "trade_type=x", "account=" + HUGE])
def test_statistics_refuse_what_they_do_not_know(api, alice, query):
    assert api(alice).get(f"/trades/stats?{query}").status_code == 400


# What it costs ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "queries"),
    [
        ("/trades/", 4),
        ("/trades/?format=csv", 5),
        ("/trades/stats", 2),
        ("/trades/{id}", 3),
        ("/trades/{id}/history", 4),
    ],
)
def test_the_number_of_queries_does_not_grow_with_the_book(
    api, alice, account, django_assert_max_num_queries, address, queries
):
    trade = book(account, executed_at=at(0))
    client = api(alice)
    client.get("/trades/")  # the token's first use is noted
    asked = []  # the short ways of PostgreSQL take fewer, and fewer still where they have written no row
    for minute in range(6):
        with django_assert_max_num_queries(queries) as captured:
            response = client.get(address.format(id=trade.trade_id))
            list(getattr(response, "streaming_content", []))
        asked.append(len(captured))
        book(account, "SELL" if minute % 2 else "BUY", executed_at=at(minute))
    assert len(set(asked[1:])) == 1
