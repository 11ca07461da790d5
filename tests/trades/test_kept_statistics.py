"""Statistics out of the totals that are kept say what reading every trade says."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.factories import book, make_account
from trades import stats
from trades.models import Activity, Trade
from trades.services import book_activity, correct_version, void_version

pytestmark = pytest.mark.django_db
FIRST = datetime(2025, 1, 15, tzinfo=UTC)
SIDES, TICKERS = ("BUY", "SELL"), ("AAPL", "MSFT", "TSLA")


def write_a_mix(account, chance: random.Random) -> None:
    """Bookings in and out of order, corrections of every kind, voids, a split and a change of symbol."""
    trades = []
    for _ in range(25):
        moment = FIRST + timedelta(hours=chance.randint(0, 95), minutes=chance.choice((0, 0, 30)))
        values = {"ticker": chance.choice(TICKERS), "executed_at": moment, "fees": chance.choice(("0", "1.25"))}
        side, quantity, price = chance.choice(SIDES), str(chance.randint(1, 9)), str(chance.randint(1, 50))
        trades.append(book(account, side, quantity, price, **values))
    for trade in chance.sample(trades, 6):
        changes = {"price": Decimal(7)}, {"instrument_id": "AAPL"}, {"executed_at": FIRST}, {"side": "SELL"}
        correct_version(trade, chance.choice(changes), actor=account.owner)
    void_version(trades[3], actor=account.owner)
    split = Activity(account=account, kind="split", instrument_id="AAPL", ratio_new=2, ratio_old=1)
    rename = Activity(account=account, kind="symbol_change", instrument_id="MSFT", new_instrument_id="NEW")
    for activity, hours in ((split, 50), (rename, 60)):
        activity.effective_at = FIRST + timedelta(hours=hours)
        book_activity(activity, actor=account.owner)


def shown(api, user, query: str) -> dict:
    answer = api(user).get(f"/trades/stats{query}")
    assert answer.status_code == 200, answer.content
    return answer.json()


@pytest.mark.parametrize("seed", range(3))
def test_they_equal_the_full_scan_after_any_mix_of_writes(api, alice, bob, carol, monkeypatch, seed):
    chance = random.Random(seed)
    first = make_account(alice, "First", pnl_method=chance.choice(("fifo", "lifo", "average_cost")))
    for account in (first, make_account(alice, "Second"), make_account(bob, "Other")):
        write_a_mix(account, chance)
    queries = [
        "",
        "?ticker=AAPL",
        "?ticker=MSFT,TSLA",
        f"?account={first.pk}",
        f"?account={first.pk}&ticker=NEW",
        "?executed_after=2025-01-16",
        "?executed_before=2025-01-17",
        "?executed_after=2025-01-16&executed_before=2025-01-18&ticker=AAPL",
        "?executed_after=2025-01-16T02:00:00%2B02:00",
        "?executed_after=2030-01-01",
        "?ticker=NONE",
    ]
    asked = [(user, query) for user in (alice, carol) for query in queries]
    kept = [shown(api, user, query) for user, query in asked]
    for user, told in zip((alice, carol), kept[:: len(queries)], strict=True):
        assert told["trade_count"] == Trade.objects.current().visible_to(user).count() > 0
    monkeypatch.setattr("trades.stats.kept_statistics", lambda user, asked: None)
    assert kept == [shown(api, user, query) for user, query in asked]


@pytest.mark.parametrize(
    "query",
    ["?trade_type=BUY", "?executed_after=2025-01-15T00:00:01Z", "?min_price=1", "?strategy=x", "?tag=x"],
)
def test_what_is_not_kept_is_read_from_the_trades(api, alice, monkeypatch, query):
    book(make_account(alice))
    read, statistics_of = [], stats.statistics_of
    monkeypatch.setattr(stats, "statistics_of", lambda trades: read.append(1) or statistics_of(trades))
    shown(api, alice, query)
    assert read == [1]


def test_the_trades_are_not_read_where_totals_are_kept(api, alice, django_assert_num_queries, monkeypatch):
    book(make_account(alice))
    client = api(alice)
    monkeypatch.setattr(stats, "statistics_of", lambda trades: pytest.fail("It read the trades."))
    client.get("/trades/stats")
    with django_assert_num_queries(2):  # the sign-in, and the totals
        client.get("/trades/stats")


def test_the_blotter_takes_its_totals_from_what_is_kept(client, alice, monkeypatch):
    book(make_account(alice))
    client.force_login(alice)
    monkeypatch.setattr(stats, "statistics_of", lambda trades: pytest.fail("It read the trades."))
    for query in ("", "?ticker=AAPL&strategy=", "?executed_after=2025-01-15"):
        assert "1 bought, 0 sold" in " ".join(client.get(f"/desk/trades/{query}").content.decode().split())


@pytest.mark.parametrize("query", ["", "?min_quantity=1"])  # from what is kept, and from the trades
def test_trades_of_several_currencies_are_not_summed(api, client, alice, query):
    book(make_account(alice))
    euros = make_account(alice, "Euros", currency="EUR")
    assert shown(api, alice, query)["trade_count"] == 1  # an account without a trade adds nothing
    book(euros)
    refused = api(alice).get(f"/trades/stats{query}")
    assert (refused.status_code, refused.json()["currencies"]) == (409, ["EUR", "USD"])
    assert shown(api, alice, f"?account={euros.pk}")["trade_count"] == 1
    client.force_login(alice)
    page = client.get(f"/desk/trades/{query}")
    assert (page.status_code, len(page.context["trades"])) == (200, 2)
    assert "The trades are in EUR, USD, which are not summed" in page.content.decode()
