"""History and performance over HTTP: by hand, to the last digit, in the accounts' own days, and for nobody else."""

import csv
import io
import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from market.models import Bar, Instrument, Mark, Quote, Source, Split
from tests.factories import act, book, make_account
from tests.trades.conftest import HUGE, problems
from trades.chain import triggers
from trades.models import Account, Activity, Trade
from trades.performance.history import Books

pytestmark = pytest.mark.django_db
FIRST = date(2025, 1, 1)
MONTH = "start=2025-01-01&end=2025-01-30"


def day(number: float) -> datetime:
    """So many days after the beginning of 2025, in UTC."""
    return datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=number)


def close(ticker: str, number: int, price, source=Source.UPLOAD) -> None:
    """The daily bar of that day."""
    Instrument.objects.ensure([ticker])
    price = Decimal(str(price))
    prices = dict.fromkeys(("open", "high", "low", "close"), price)
    span = {"start": day(number), "ends_at": day(number + 1)}
    Bar.objects.create(instrument_id=ticker, timeframe="1d", source=source, is_final=True, **prices, **span)


def worked(account: Account) -> None:
    """1000; +10 %; deposit 1000 at mid-period; -5 %; end 1995 (PNL.md, vector 13), the first half invested."""
    act(account, "deposit", amount=1000, effective_at=day(0))
    book(account, "BUY", "10", "100", executed_at=day(0.1), strategy="core", tags=",swing,")
    book(account, "SELL", "10", "110", executed_at=day(14.9), strategy="core", tags=",swing,")
    act(account, "deposit", amount=1000, effective_at=day(15))
    book(account, "BUY", "20", "105", executed_at=day(15.1), strategy="trend")
    for number, price in ((0, 100), (14, 110), (15, 105), (29, "99.75")):
        close("AAPL", number, price)


def history(client, query=MONTH) -> dict:
    response = client.get(f"/portfolio/history?{query}")
    assert response.status_code == 200, response.content
    return response.json()


def performance(client, query=MONTH) -> dict:
    response = client.get(f"/portfolio/performance?{query}")
    assert response.status_code == 200, response.content
    return response.json()


def values(answer: dict, *names: str) -> list:
    return [answer[name]["value"] if answer[name]["reason"] is None else answer[name]["reason"] for name in names]


# History ----------------------------------------------------------------------------------------


def test_a_day_shows_all_that_the_contract_names(api, alice, account):
    worked(account)
    answer = history(api(alice), f"account={account.pk}&{MONTH}")
    days = answer.pop("days")
    assert answer == {
        "account": account.pk, "accounts": [account.pk], "currency": "USD", "time_zone": "UTC", "timeframe": "1d",
        "day_cutoff": "00:00:00", "start": "2025-01-01", "end": "2025-01-30", "opening_equity": "0",
        "closing_equity": "1995", "cash_flow": "2000", "pnl": "-5",
    }  # fmt: skip
    assert days[14] == {
        "day": "2025-01-15", "cash": "1100", "receivable": "0", "market_value": "0", "equity": "1100",
        "cash_flow": "0", "pnl": "100", "twr": pytest.approx(0.1), "drawdown": 0.0, "reason": None, "unmarked": [],
    }  # fmt: skip
    assert [one["day"] for one in days] == [str(FIRST + timedelta(days=number)) for number in range(30)]


def test_the_days_sum_to_the_change_of_equity_exactly(api, alice, account):
    worked(account)
    act(account, "interest", amount="0.000000000001", effective_at=day(20))
    act(account, "fee", amount="0.333333333333", effective_at=day(21))
    answer = history(api(alice))
    made = sum(Decimal(one["pnl"]) for one in answer["days"])
    flows = sum(Decimal(one["cash_flow"]) for one in answer["days"])
    assert made == Decimal(answer["closing_equity"]) - Decimal(answer["opening_equity"]) - flows
    assert str(made) == "-5.333333333332"


@pytest.mark.usefixtures("one_day")
def test_everything_there_is_begins_with_the_first_event_and_ends_today(api, alice, account):
    now = timezone.now()
    act(account, "deposit", amount=5, effective_at=now - timedelta(days=3))
    answer = history(api(alice), "")
    assert (answer["start"], answer["end"]) == (str((now - timedelta(days=3)).date()), str(now.date()))
    assert [one["equity"] for one in answer["days"]] == ["5"] * 4


@pytest.mark.parametrize(
    ("query", "start", "end"),
    [
        ("period=1w&end=2025-03-31", "2025-03-25", "2025-03-31"),
        ("period=1m&end=2025-03-31", "2025-03-01", "2025-03-31"),
        ("period=3m&end=2025-05-15", "2025-02-16", "2025-05-15"),
        ("period=1y&end=2025-02-28", "2024-02-29", "2025-02-28"),
        ("period=ytd&end=2025-03-03", "2025-01-01", "2025-03-03"),
        ("period=all&end=2025-03-03", "2025-01-16", "2025-03-03"),
        ("start=2025-02-01&end=2025-02-01", "2025-02-01", "2025-02-01"),
    ],
)
def test_a_period_ends_on_its_end(api, alice, account, query, start, end):
    act(account, "deposit", amount=5, effective_at=day(15.5))
    answer = history(api(alice), query)
    assert (answer["start"], answer["end"]) == (start, end)


@pytest.mark.usefixtures("one_day")
def test_an_end_that_is_still_to_come_is_today(api, alice, account):
    assert history(api(alice), "period=1w&end=9999-12-31")["end"] == str(timezone.now().date())


def test_a_mark_that_somebody_stated_counts_from_its_moment(api, alice, account):
    book(account, "BUY", "10", "100", executed_at=day(0.5))
    Mark.objects.create(instrument_id="AAPL", at=day(1.5), price=Decimal("104.5"), made_by=alice)
    days = history(api(alice), "start=2025-01-01&end=2025-01-03")["days"]
    assert [one["equity"] for one in days] == [None, "45", "45"]
    assert (days[0]["reason"], days[0]["unmarked"], days[1]["reason"]) == ("no_mark", ["AAPL"], "no_mark")
    assert [one["pnl"] for one in days] == [None, None, "0"]


def test_a_simulated_price_never_marks_a_real_account(api, alice):
    for kind in ("real", "paper"):
        book(make_account(alice, kind, kind=kind), "BUY", "10", "100", executed_at=day(0.5))
    close("AAPL", 0, 104, Source.SIMULATED)
    first = "start=2025-01-01&end=2025-01-01"
    whole = history(api(alice), first)["days"]
    assert (whole[0]["equity"], whole[0]["unmarked"]) == (None, ["AAPL"])
    for account in alice.accounts.all():
        (only,) = history(api(alice), f"account={account.pk}&{first}")["days"]
        assert only["equity"] == (None if account.kind == "real" else "40")


def test_the_day_that_is_not_over_has_the_latest_price(api, alice, account):
    now = timezone.now()
    book(account, "BUY", "10", "100", executed_at=now - timedelta(days=1))
    prices = {name: Decimal(160) for name in ("price", "previous_close", "average_5m")}
    Quote.objects.create(
        instrument_id="AAPL", change_percentage=0, samples_5m=1, volume=0, at=now, source="simulated", seq=1, **prices
    )
    assert history(api(alice), "")["closing_equity"] == "600"


def test_one_account_has_days_of_its_own_and_several_those_of_utc(api, alice):
    tokyo = make_account(alice, "Tokyo", time_zone="Asia/Tokyo", day_cutoff="06:00")
    # 20:30 UTC on the 1st is 05:30 of the 2nd in Tokyo, which still belongs to the 1st; 21:30 no longer does.
    act(tokyo, "deposit", amount=1, effective_at=day(0) + timedelta(hours=20, minutes=30))
    act(tokyo, "deposit", amount=2, effective_at=day(0) + timedelta(hours=21, minutes=30))
    query = "start=2025-01-01&end=2025-01-02"
    own = history(api(alice), f"account={tokyo.pk}&{query}")
    assert ([one["cash_flow"] for one in own["days"]], own["time_zone"]) == (["1", "2"], "Asia/Tokyo")
    make_account(alice, "Other")
    both = history(api(alice), query)
    assert ([one["cash_flow"] for one in both["days"]], both["time_zone"]) == (["3", "0"], "UTC")


def test_a_day_is_marked_by_the_close_of_its_date_wherever_the_account_lives(api, alice):
    berlin = make_account(alice, "Berlin", time_zone="Europe/Berlin")
    book(berlin, "BUY", "1", "100", executed_at=day(0.5), ticker="SAP")
    for number, price in enumerate((101, 102, 103)):
        close("SAP", number, price)
    days = history(api(alice), "start=2025-01-01&end=2025-01-03")["days"]
    assert [one["market_value"] for one in days] == ["101", "102", "103"]


def test_a_dividend_and_a_split_are_followed(api, alice, account):
    act(account, "deposit", amount=2000, effective_at=day(0))
    book(account, "BUY", "10", "100", executed_at=day(0.5))
    act(account, "dividend", ticker="AAPL", amount_per_unit="2", effective_at=day(1), pay_at=day(2))
    act(account, "split", ticker="AAPL", ratio_new=4, ratio_old=1, effective_at=day(2))
    for number, price in ((0, 100), (1, 98), (3, 26)):
        close("AAPL", number, price)
    days = history(api(alice), "start=2025-01-01&end=2025-01-04")["days"]
    assert [one["receivable"] for one in days] == ["0", "20", "0", "0"]
    assert [one["market_value"] for one in days] == ["1000", "980", "980", "1040"]
    assert [one["pnl"] for one in days] == ["0", "0", "0", "60"]


def test_the_history_as_a_file_is_that_of_the_answer(api, alice, account):
    worked(account)
    client = api(alice)
    response = client.get(f"/portfolio/history?{MONTH}&format=csv")
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode())))
    days = history(client)["days"]
    assert [(row["day"], row["equity"], row["pnl"], float(row["twr"])) for row in rows] == [
        (one["day"], one["equity"], one["pnl"], one["twr"]) for one in days
    ]


# Performance -------------------------------------------------------------------------------------


def test_returns_of_the_worked_case(api, alice, account):
    worked(account)
    answer = performance(api(alice))
    twr, mwr, dietz = values(answer, "twr", "mwr", "modified_dietz")
    assert twr == pytest.approx(0.045, abs=1e-12)
    assert (round(mwr, 7), round(dietz, 7)) == (-0.0033324, -0.0033333)
    assert answer["twr"]["method"] == "Time-weighted return, cut at each flow, of the period"
    assert values(answer, "max_drawdown") == [pytest.approx(-0.05)]
    assert (answer["pnl"], answer["cash_flow"]) == ("-5", "2000")


def test_a_deposit_is_cut_at_its_moment_where_a_price_of_the_day_is_known(api, alice, account):
    """The worked case, invested all along: the price that was stated before the deposit makes the cut exact."""
    act(account, "deposit", amount=1000, effective_at=day(0))
    book(account, "BUY", "10", "100", executed_at=day(0.1))
    close("AAPL", 0, 100)
    act(account, "deposit", amount=1000, effective_at=day(15.5))
    close("AAPL", 29, "99.50")
    (blind,) = values(performance(api(alice)), "twr")
    Mark.objects.create(instrument_id="AAPL", at=day(15.4), price=Decimal(110), made_by=alice)
    (cut,) = values(performance(api(alice)), "twr")
    assert (blind, cut) == (pytest.approx(1995 / 2000 - 1), pytest.approx(0.045, abs=1e-12))


def test_what_made_it_sums_to_the_whole(api, alice, account):
    worked(account)
    book(account, "BUY", "3", "50", fees="0.000000000001", executed_at=day(16), ticker="MSFT")
    act(account, "dividend", ticker="MSFT", amount_per_unit="0.333333333333", effective_at=day(17))
    act(account, "interest", amount="1.25", effective_at=day(18))
    close("MSFT", 16, "49.999999999999")
    answer = performance(api(alice))
    tickers = {row["ticker"]: row for row in answer["by_ticker"]}
    assert sum(Decimal(row["pnl"]) for row in tickers.values()) == Decimal(answer["pnl"])
    assert sum(Decimal(month["pnl"]) for month in answer["by_month"]) == Decimal(answer["pnl"])
    assert (tickers["AAPL"]["pnl"], tickers["MSFT"]["pnl"], tickers[None]["pnl"]) == ("-5", "0.999999999995", "1.25")
    for row in tickers.values():
        parts = [Decimal(row[name]) for name in ("realized_pnl", "unrealized_pnl", "income")]
        fees = Decimal(row["fees"]) if row["ticker"] else 0
        assert Decimal(row["pnl"]) == sum(parts) - fees
    realized = sum(Decimal(row["realized_pnl"]) for row in answer["by_strategy"])
    assert realized == sum(Decimal(row["realized_pnl"]) for row in tickers.values()) == 100


def test_groups_are_those_of_the_trade_that_closed(api, alice, account):
    trips = [("A", "core", ",swing,", 110), ("B", "core", ",swing,day,", 95), ("C", "", "", 120)]
    for ticker, strategy, tags, price in trips:
        book(account, "BUY", "1", "100", ticker=ticker, executed_at=day(1), fees="1")
        book(account, "SELL", "1", price, ticker=ticker, executed_at=day(2), fees="1", strategy=strategy, tags=tags)
    answer = performance(api(alice))
    shown = {
        row["strategy"]: (row["trade_count"], row["realized_pnl"], row["net_pnl"], row["closed_trades"])
        for row in answer["by_strategy"]
    }
    assert shown == {"": (4, "20", "16", 1), "core": (2, "5", "3", 2)}
    assert (answer["ticker_count"], answer["strategy_count"], answer["tag_count"]) == (3, 2, 2)
    assert [(row["tag"], row["closed_trades"], row["win_rate"]["value"]) for row in answer["by_tag"]] == [
        ("day", 1, 0.0), ("swing", 2, 0.5),
    ]  # fmt: skip
    # After both fees the round trips left 8, -7 and 18.
    assert values(answer, "win_rate", "profit_factor", "expectancy") == [
        pytest.approx(2 / 3), pytest.approx(26 / 7), "6.333333333333",
    ]  # fmt: skip
    assert answer["closed_trades"] == 3


def test_only_what_was_closed_in_the_period_counts(api, alice, account):
    for number in (1, 3):
        book(account, "BUY", "1", "100", executed_at=day(number))
        book(account, "SELL", "1", "110", executed_at=day(number + 1))
    answer = performance(api(alice), "start=2025-01-04&end=2025-01-05")
    assert (answer["closed_trades"], answer["by_ticker"][0]["realized_pnl"]) == (1, "10")


def test_a_figure_that_is_not_defined_is_null_with_its_reason(api, alice, account):
    book(account, "BUY", "1", "100", executed_at=day(1))
    close("AAPL", 1, 110)
    answer = performance(api(alice))
    names = ("twr", "mwr", "modified_dietz", "max_drawdown", "sharpe_ratio", "calmar_ratio")
    assert values(answer, *names) == ["no_capital"] * 6
    assert values(answer, "win_rate", "profit_factor", "expectancy") == ["no_round_trips"] * 3
    assert all(answer[name]["value"] is None and answer[name]["method"] for name in names)


def test_months_have_returns_of_their_own(api, alice, account):
    act(account, "deposit", amount=100, effective_at=day(0))
    for number, amount in ((10, 10), (40, 11), (70, "12.10")):
        act(account, "interest", amount=amount, effective_at=day(number))
    answer = performance(api(alice), "start=2025-01-01&end=2025-03-31")
    shown = [(month["month"], month["pnl"], month["twr"]["value"]) for month in answer["by_month"]]
    assert shown == [(name, made, pytest.approx(0.1)) for name, made in zip(
        ("2025-01", "2025-02", "2025-03"), ("10", "11", "12.1"), strict=True)]  # fmt: skip
    assert values(answer, "twr") == [pytest.approx(0.331)]


def test_units_that_arrive_are_money_that_arrives(api, alice, account):
    """Ten units of 100 come in, at a cost of 30: what they gained before was made elsewhere."""
    act(account, "transfer_in", ticker="AAPL", quantity=10, cost_basis=300, effective_at=day(1.5))
    for number, price in ((1, 100), (2, 110)):
        close("AAPL", number, price)
    answer = performance(api(alice), "start=2025-01-01&end=2025-01-03")
    assert (answer["cash_flow"], answer["pnl"], answer["by_ticker"][0]["pnl"]) == ("1000", "100", "100")
    assert values(answer, "twr", "modified_dietz") == [pytest.approx(0.1), pytest.approx(0.1)]


def test_a_benchmark_stands_beside_over_the_same_days(api, alice, account):
    worked(account)
    for number, price in ((-1, 50), (10, 80), (20, 22), (40, 99)):
        close("SPY", number, price)
    Split.objects.create(
        instrument_id="SPY", day=day(15).date(), effective_at=day(15), new=Decimal(4), old=Decimal(1)
    )  # fmt: skip
    answer = performance(api(alice), f"{MONTH}&benchmark=SPY")
    assert answer["benchmark"]["ticker"] == "SPY"
    # 50 on the evening before the first deposit; 22 x 4 at the end.
    assert values(answer["benchmark"], "total_return") == [pytest.approx(0.76)]


def test_a_benchmark_that_was_not_quoted_from_the_first_day_on_has_no_return(api, alice, account):
    worked(account)
    Instrument.objects.ensure(["NEVER"])
    close("LATE", 5, 50)
    close("LATE", 29, 60)
    for ticker in ("NEVER", "LATE"):
        answer = performance(api(alice), f"{MONTH}&benchmark={ticker}")
        assert values(answer["benchmark"], "total_return") == ["no_mark"]


def test_who_has_no_account_has_a_history_of_nothing(api, alice):
    client = api(alice)
    assert history(client, "")["closing_equity"] == "0"
    assert values(performance(client, ""), "twr") == ["no_capital"]
    assert not Account.objects.exists()


# Whose, and what is refused --------------------------------------------------------------------------


def test_accounts_of_several_currencies_are_not_summed(api, alice, account):
    euros = make_account(alice, "Euros", currency="EUR")
    act(euros, "deposit", amount=7, effective_at=day(0))
    client = api(alice)
    refused = client.get("/portfolio/history")
    assert (refused.status_code, refused.json()["code"]) == (409, "several_currencies")
    assert refused.json()["currencies"] == ["USD", "EUR"]
    for query in (f"account={euros.pk}", "currency=EUR"):
        assert history(client, query)["closing_equity"] == "7"
    for address in ("/portfolio/history", "/portfolio/performance"):
        assert problems(client.get(f"{address}?account={account.pk}&currency=EUR")) == {"currency": "conflict"}


@pytest.mark.parametrize("address", ["/portfolio/history", "/portfolio/performance"])
def test_a_strangers_account_is_not_found(api, alice, bob, carol, dave, account, address):
    act(account, "deposit", amount=7)
    assert api().get(address).status_code == 401
    for account_id in (account.pk, account.pk + 1000):
        assert api(bob).get(f"{address}?account={account_id}").status_code == 404
    for user in (alice, carol, dave):
        assert api(user).get(f"{address}?account={account.pk}").json()["closing_equity"] == "7"
    assert api(bob).get(address).json()["closing_equity"] == "0"


@pytest.mark.parametrize("address", ["/portfolio/history", "/portfolio/performance"])
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("account=x", "account"), (f"account={HUGE}", "account"), ("period=2w", "period"),
        ("timeframe=1m", "timeframe"),
        ("start=2025-13-01", "start"), ("end=0001-01-01", "end"), ("start=2025-02-02&end=2025-02-01", "start"),
        ("start=9999-01-01", "start"), ("start=1900-01-01", "start"), ("start=2025-01-01&period=1m", "start"),
        ("currency=usd", "currency"), ("currency=%00", "currency"), ("preiod=1m", "preiod"),
    ],
)  # fmt: skip
def test_a_bad_parameter_is_refused_by_its_name(api, alice, account, address, query, field):
    response = api(alice).get(f"{address}?{query}")
    assert response.status_code == 400
    assert list(problems(response)) == [field]


@pytest.mark.parametrize("ticker", ["ZZZZ", "no ticker", "%00", "A" * 17])
def test_a_benchmark_that_is_no_ticker_is_refused(api, alice, ticker):
    response = api(alice).get(f"/portfolio/performance?benchmark={ticker}")
    assert (response.status_code, list(problems(response))) == (400, ["benchmark"])


@pytest.mark.parametrize("odd", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)])
def test_odd_rows_break_no_read(api, alice, account, odd):
    worked(account)
    with triggers.lifted():
        Trade.objects.filter(strategy="trend").update(executed_at=odd)
        Account.objects.update(time_zone="Mars/Base", currency="$$$")
    for address in ("/portfolio/history", "/portfolio/performance", "/portfolio/history?format=csv"):
        assert api(alice).get(address).status_code == 200


def test_a_book_that_cannot_be_folded_says_so(api, alice, account):
    act(account, "transfer_in", ticker="AAPL", quantity=10, cost_basis=300, effective_at=day(1))
    act(account, "transfer_out", ticker="AAPL", quantity=4, effective_at=day(2))
    with triggers.lifted():
        Activity.objects.filter(kind="transfer_out").update(quantity=Decimal(400))
    response = api(alice).get("/portfolio/history")
    assert (response.status_code, response.json()["code"]) == (409, "book_unsound")


@pytest.mark.parametrize(("address", "queries"), [("history", 8), ("performance", 11)])
def test_the_number_of_queries_is_fixed(api, alice, account, django_assert_num_queries, address, queries):
    worked(account)
    book(
        account, "BUY", "1", "10", ticker="HELD", executed_at=day(1)
    )  # before the second deposit: valued at its moment
    client = api(alice)
    client.get("/trades/")  # the token's first use is noted
    for number in range(3):
        with django_assert_num_queries(queries):
            assert client.get(f"/portfolio/{address}?{MONTH}").status_code == 200
        book(account, "BUY", "1", "10", ticker=f"T{number}", executed_at=day(number))
        act(account, "interest", amount=1, effective_at=day(number))


@pytest.mark.parametrize("query", ["", "account={}"])
def test_the_totals_of_days_say_what_their_fills_say_one_by_one(api, alice, account, monkeypatch, query):
    """On days with a flow, a split and a dividend, and on days with none; of one account and of two."""
    worked(account)
    other, chance = make_account(alice, "Second"), random.Random(4)
    for number in range(60):
        moment = day(number % 9) + timedelta(minutes=chance.randint(0, 300), microseconds=chance.randint(0, 999_999))
        fill = (chance.choice(("BUY", "SELL")), f"{chance.randint(1, 99)}.5", f"{chance.randint(1, 99)}.0001")
        book(
            chance.choice((account, other)),
            *fill,
            ticker=chance.choice(("ONE", "TWO")),
            fees="0.01",
            executed_at=moment,
        )
    act(other, "split", ticker="ONE", ratio_new=3, ratio_old=2, effective_at=day(4) + timedelta(hours=1))
    act(other, "dividend", ticker="TWO", amount_per_unit="0.1", effective_at=day(5), pay_at=day(7))
    act(other, "deposit", amount=1000, effective_at=day(6) + timedelta(hours=2))
    for number in range(10):
        close("ONE", number, 10 + number)
        close("TWO", number, 30 - number)
    told = {}
    for are_days_utc in (True, False):
        monkeypatch.setattr(Books, "has_utc_days", are_days_utc)
        told[are_days_utc] = [
            api(alice).get(f"/portfolio/{name}?{MONTH}&{query.format(account.pk)}").json()
            for name in ("history", "performance")
        ]
    assert told[True] == told[False]
    assert {"ONE", "TWO"} <= {row["ticker"] for row in told[True][1]["by_ticker"]}


def test_a_day_of_one_account_is_valued_at_its_own_end(api, alice):
    """Of New York: 05:00 UTC in winter. An hour of the next UTC day belongs to it."""
    account = make_account(alice, "New York", time_zone="America/New_York")
    book(account, "BUY", "10", "100", executed_at=day(1.5))
    for hours, price in ((0, "110"), (5, "111"), (6, "120")):
        Mark.objects.create(
            instrument_id="AAPL", at=day(2) + timedelta(hours=hours), price=Decimal(price), made_by=alice
        )
    days = history(api(alice), f"account={account.pk}&start=2025-01-02&end=2025-01-03")["days"]
    assert [(row["market_value"], row["pnl"]) for row in days] == [("1110", "110"), ("1200", "90")]
