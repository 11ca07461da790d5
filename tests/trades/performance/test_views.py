"""The performance page: its figures, where they lead, and what it says where there is nothing to say."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest

from market.models import Instrument
from tests.factories import act, book, make_account

from .test_portfolio import MONTH, close, day, worked

pytestmark = pytest.mark.django_db
ADDRESS = "/desk/performance/"


@pytest.fixture
def page(client, alice):
    """`page(query)`: what alice sees, whitespace made even."""
    client.force_login(alice)

    def seen(query: str = "", status: int = 200) -> str:
        response = client.get(f"{ADDRESS}?{query}", headers={"accept": "text/html"})
        assert response.status_code == status, response.content
        return re.sub(r"\s+", " ", response.content.decode())

    return seen


def figure(seen: str, label: str) -> str:
    """The value of the card of that label."""
    return re.search(rf'figure-label">{re.escape(label)}</span><a class="figure-value[^>]*>([^<]*)<', seen)[1]


def test_the_figures_are_those_of_the_worked_case_with_their_methods(page, account):
    worked(account)
    seen = page(MONTH)
    assert [figure(seen, name) for name in ("Equity, USD", "P&amp;L, USD", "Cash flows, USD")] == [
        "1,995.00", "−5.00", "+2,000.00",
    ]  # fmt: skip
    assert (figure(seen, "Time-weighted, %"), figure(seen, "Money-weighted, %")) == ("+4.50", "−0.33")
    assert figure(seen, "Max drawdown, %") == "−5.00"
    assert "Time-weighted return, cut at each flow, of the period" in seen
    assert "2025-01-15 to 2025-01-30" in seen  # the peak and the bottom of the deepest fall


def test_every_part_leads_to_what_made_it(page, client, account):
    worked(account)
    seen = page(MONTH)
    within = (
        f"executed_after=2025-01-01T00%3A00%3A00Z&amp;executed_before=2025-01-31T00%3A00%3A00Z&amp;account={account.pk}"
    )
    for address in (
        f"/desk/trades/?{within}&amp;strategy=core",
        f"/desk/trades/?{within}&amp;tag=swing",
        f"/desk/trades/?{within}&amp;ticker=AAPL",
        f"/desk/positions/AAPL/?account={account.pk}",
        f"?start=2025-01-01&amp;end=2025-01-30&amp;account={account.pk}",
        "/desk/trades/?executed_after=2025-01-01T00%3A00%3A00Z&amp;executed_before=2025-01-02T00%3A00%3A00Z",
    ):
        assert address in seen, address
    for address in re.findall(r'href="((?:/desk/|/portfolio/|\?)[^"]*)"', seen):
        address = address.replace("&amp;", "&")
        target = ADDRESS + address if address.startswith("?") else address
        assert client.get(target).status_code == 200, target


def test_a_day_of_the_calendar_bears_its_sign_and_its_color(page, account):
    worked(account)
    seen = page(MONTH)
    assert re.search(r'<td class="is-gain" title="2025-01-15: \+100.00">.*?\+100</a></td>', seen)
    assert re.search(r'<td class="is-loss" title="2025-01-30: −105.00">', seen)


def test_a_benchmark_is_drawn_beside(page, account):
    worked(account)
    for number, price in ((-1, 50), (29, 55)):
        close("SPY", number, price)
    seen = page(f"{MONTH}&benchmark=SPY")
    assert "SPY +10.00" in seen
    assert 'class="plot-line is-benchmark"' in seen


def test_without_anything_booked_it_says_what_comes_first(page, account):
    seen = page()
    assert "Nothing to measure yet" in seen
    assert "figure-value" not in seen
    assert 'href="/desk/activities/new/deposit/"' in seen


def test_who_only_reads_is_not_asked_to_book(client, dave):
    client.force_login(dave)
    assert b"/desk/activities/new/" not in client.get(ADDRESS).content


def test_without_capital_it_says_so_and_shows_no_zero(page, account):
    book(account, "BUY", "1", "100", executed_at=day(1))
    close("AAPL", 1, 110)
    seen = page(MONTH)
    assert "There is no capital to measure returns against" in seen
    assert (figure(seen, "Time-weighted, %"), figure(seen, "P&amp;L, USD")) == ("–", "+10.00")
    assert "– no round trips" in seen


def test_days_without_a_price_are_counted_and_their_tickers_named(page, account):
    act(account, "deposit", amount=1000, effective_at=day(0))
    book(account, "BUY", "1", "100", executed_at=day(1), ticker="ZZ")
    close("ZZ", 5, 110)
    seen = page(MONTH)
    assert "The equity of 4 days is not known: no price for ZZ." in seen
    assert f'<a href="?start=2025-01-06&amp;account={account.pk}">2025-01-06</a>' in seen
    assert "– no mark" in seen


def test_a_period_that_opens_without_a_price_draws_what_is_known(page, account):
    book(account, "BUY", "1", "100", executed_at=day(0), ticker="ZZ")
    for number, price in ((12, 110), (14, 120)):
        close("ZZ", number, price)
    seen = page("start=2025-01-10&end=2025-01-20")
    assert "The equity of 3 days is not known" in seen
    assert 'class="plot-line is-equity"' in seen


def test_of_several_currencies_the_first_accounts_is_shown(page, alice, account):
    act(account, "deposit", amount=5, effective_at=day(0))
    act(make_account(alice, "Euros", currency="EUR"), "deposit", amount=7, effective_at=day(0))
    assert figure(page(MONTH), "Equity, USD") == "5.00"
    assert figure(page(f"{MONTH}&currency=EUR"), "Equity, EUR") == "7.00"


def test_what_users_wrote_is_text(page, account):
    hostile = "<script>alert(1)</script>"
    book(account, "BUY", "1", "100", executed_at=day(1), strategy=hostile, tags=f",{hostile},")
    assert "<script>alert" not in page(MONTH)


def test_units_that_were_transferred_are_named(page, account):
    act(account, "transfer_in", ticker="AAPL", quantity=10, cost_basis=300, effective_at=day(1))
    assert "10 AAPL transferred" in page(MONTH)


@pytest.mark.parametrize(
    ("query", "status"),
    [("account=99999", 404), ("account=x", 400), ("period=2w", 400), ("benchmark=ZZZ", 400), ("what=1", 400)],
)
def test_what_cannot_be_shown_is_said_as_a_page(page, account, query, status):
    assert "<h1" in page(query, status)


def test_a_strangers_account_is_not_found(client, bob, account):
    client.force_login(bob)
    assert client.get(f"{ADDRESS}?account={account.pk}").status_code == 404


def test_nobody_is_sent_to_sign_in(client, db):
    assert client.get(ADDRESS).headers["Location"].startswith("/desk/sign-in/")


def test_the_number_of_queries_is_fixed(client, alice, account, django_assert_max_num_queries):
    worked(account)
    client.force_login(alice)
    Instrument.objects.ensure(["SPY"])
    for number in range(3):
        with django_assert_max_num_queries(30):
            assert client.get(f"{ADDRESS}?{MONTH}&benchmark=SPY").status_code == 200
        for ticker in range(10):
            book(account, "BUY", "1", "10", ticker=f"T{number}{ticker}", executed_at=day(number + 2))
            book(account, "SELL", "1", "11", ticker=f"T{number}{ticker}", executed_at=day(number + 2.5))
        act(account, "interest", amount=Decimal(1), effective_at=day(number) + timedelta(hours=1))
