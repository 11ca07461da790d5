"""The lists of a performance, and of statistics, as a whole: page by page what the whole answer has at once."""

import pytest

from tests.factories import book, make_account
from tests.trades.conftest import at, problems

pytestmark = pytest.mark.django_db
LISTS = [
    ("/portfolio/performance/tickers", "/portfolio/performance", "by_ticker"),
    ("/portfolio/performance/strategies", "/portfolio/performance", "by_strategy"),
    ("/portfolio/performance/tags", "/portfolio/performance", "by_tag"),
    ("/trades/stats/tickers", "/trades/stats", "by_ticker"),
]


@pytest.fixture
def several(account):
    """Trades of five tickers, three strategies (one of them none) and two tags."""
    for number, ticker in enumerate(("AAPL", "AMD", "BRK.B", "KO", "ZM")):
        strategy, tags = ("", "core", "trend")[number % 3], (",swing,", ",swing,ä,")[number % 2]
        book(account, "BUY", "2", "10", ticker=ticker, executed_at=at(0), strategy=strategy, tags=tags)
        book(account, "SELL", "1", "12", ticker=ticker, executed_at=at(1), strategy=strategy, tags=tags)
    return account


@pytest.mark.parametrize(("address", "whole", "name"), LISTS)
def test_the_pages_of_a_list_are_the_list(api, alice, several, address, whole, name):
    client, rows, pages = api(alice), client_rows(api(alice), whole, name), []
    following = f"{address}?account={several.pk}&page_size=2"
    while following:
        page = client.get(following).json()
        pages.append(page)
        following = page["next"]
    assert [row for page in pages for row in page["results"]] == rows
    assert len(pages) == (len(rows) + 1) // 2
    assert pages[0]["previous"] is None
    for before, page in zip(pages, pages[1:], strict=False):
        assert client.get(page["previous"]).json()["results"] == before["results"]


def client_rows(client, whole: str, name: str) -> list[dict]:
    rows = client.get(whole).json()[name]
    assert len(rows) > 1
    return rows


@pytest.mark.parametrize(("address", "whole", "name"), LISTS)
def test_what_a_list_does_not_know_is_refused_by_its_name(api, alice, account, address, whole, name):
    client = api(alice)
    for query, field in (("cursor=abc", "cursor"), ("page_size=0", "page_size"), ("nothing=1", "nothing")):
        answer = client.get(f"{address}?{query}")
        assert (answer.status_code, problems(answer).keys()) == (400, {field})


@pytest.mark.parametrize("parts", ["tickers", "strategies", "tags"])
def test_a_list_is_of_what_one_may_see(api, alice, bob, several, parts):
    make_account(bob)
    assert api(bob).get(f"/portfolio/performance/{parts}?account={several.pk}").status_code == 404
    assert api(bob).get(f"/portfolio/performance/{parts}").json()["results"] == []


@pytest.mark.parametrize(("parts", "first", "second"), [("tickers", "AAPL", "ZM"), ("strategies", "core", "trend")])
def test_the_page_of_a_list_leads_to_the_next(client, alice, several, parts, first, second):
    client.force_login(alice)
    page = client.get(f"/desk/performance/{parts}/?account={several.pk}&page_size=2")
    assert page.status_code == 200
    assert f">{first}</a>" in page.content.decode()
    pages = 1
    while page.context["next"]:
        page, pages = client.get(page.context["next"]), pages + 1
    assert f">{second}</a>" in page.content.decode()
    assert pages == {"tickers": 3, "strategies": 2}[parts]


def test_there_is_no_page_of_another_list(client, alice, account):
    client.force_login(alice)
    assert client.get("/desk/performance/sectors/").status_code == 404
    assert client.get("/desk/performance/tags/?cursor=abc").status_code == 400
