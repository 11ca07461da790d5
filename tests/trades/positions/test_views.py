"""The pages that look back and look into a position: a past view, the chart, the methods, what if, round trips."""

from decimal import Decimal

import pytest

from market.models import Bar, Instrument
from tests.factories import act, book, make_account
from tests.trades.conftest import HUGE, at
from tests.trades.round_trips.test_reading import make_bar, make_trip
from tests.trades.test_ledger import CASE_1
from tests.trades.test_views import text_of
from trades.services import correct_version

from .test_past import book_all, stamp, state_price

pytestmark = pytest.mark.django_db

PAGES = [
    "/desk/positions/?as_of=2025-01-16", "/desk/positions/AAPL/?method=lifo", "/desk/positions/AAPL/explain/",
    "/desk/positions/AAPL/what-if/", "/desk/positions/AAPL/what-if/?quantity=5&side=sell", "/desk/round-trips/",
]  # fmt: skip


@pytest.fixture
def desk(client, alice):
    client.force_login(alice)
    return client


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_shown_to_its_owner_and_sends_others_to_sign_in(client, account, page):
    book_all(account, CASE_1)
    assert client.get(page)["Location"].startswith("/desk/sign-in/")
    client.force_login(account.owner)
    response = client.get(page)
    assert response.status_code == 200
    assert b"style=" not in response.content
    assert b"<script>" not in response.content


@pytest.mark.parametrize("page", [page for page in PAGES if "AAPL" in page])
def test_a_strangers_page_is_not_found(client, account, bob, page):
    book_all(account, CASE_1)
    client.force_login(bob)
    assert client.get(page).status_code == 404
    assert client.get(page.replace("AAPL", "%00")).status_code == 404


@pytest.mark.parametrize("page", ["/desk/positions/", "/desk/positions/AAPL/", "/desk/positions/AAPL/explain/"])
@pytest.mark.parametrize(
    "query",
    ["as_of=x", "as_of=2025-02-30T00:00", "known_at=9", f"known_entry={HUGE}", "known_entry=99", "method=best", "x=1",
     "known_at=2025-01-15&known_entry=1", "account=x"],
)  # fmt: skip
def test_a_view_that_cannot_be_is_said(desk, account, page, query):
    book_all(account, CASE_1)
    response = desk.get(f"{page}?{query}")
    assert response.status_code == 400
    assert query.partition("=")[0] in text_of(response) or "known_entry" in text_of(response)


# A past view -------------------------------------------------------------------------------


def test_a_past_view_is_marked_and_does_not_move(desk, alice, account):
    book_all(account, CASE_1)
    state_price("13", at(1), alice)
    for page in ("/desk/positions/", "/desk/positions/AAPL/"):
        now = desk.get(page).content.decode()
        assert "data-position=" in now
        assert "js/positions.js" in now
        past = desk.get(f"{page}?as_of={stamp(at(1))}&account={account.pk}")
        assert "A past view. Executions and prices up to 2025-01-15 14:31:00 UTC" in text_of(past)
        assert "data-position=" not in past.content.decode()
        assert "js/positions.js" not in past.content.decode()


def test_what_was_held_is_shown_at_the_prices_of_then(desk, alice, account):
    book_all(account, CASE_1)
    state_price("13", at(1), alice)
    state_price("20", at(60), alice)
    text = text_of(desk.get(f"/desk/positions/?as_of={stamp(at(1))}"))
    assert "AAPL 200 11.00 2,200.00 13.00 2,600.00 100.0 +400.00 0.00 – 2.00" in text


def test_a_time_without_its_offset_is_the_users(desk, alice, account):
    alice.time_zone = "America/New_York"
    alice.save()
    book_all(account, CASE_1)
    page = desk.get("/desk/positions/AAPL/?as_of=2025-01-15T09:31")
    assert "200 held" in text_of(page)
    assert 'value="2025-01-15T09:31:00"' in page.content.decode()
    assert "known" not in text_of(desk.get("/desk/positions/AAPL/?as_of=&known_at=&method=")).split("As known at")[0]


def test_positions_closed_by_then_are_shown_by_the_switch(desk, account):
    make_trip(account)
    assert "Nothing was held" in text_of(desk.get(f"/desk/positions/?as_of={stamp(at(30))}"))
    assert "AAPL 0" in text_of(desk.get(f"/desk/positions/?as_of={stamp(at(30))}&closed=1"))
    assert "AAPL 10" in text_of(desk.get(f"/desk/positions/?as_of={stamp(at(5))}"))


def test_one_position_of_the_past_has_its_own_lots_fills_and_round_trips(desk, alice, account):
    first, _, last = book_all(account, CASE_1)
    correct_version(first, {"price": Decimal("10.50")}, actor=alice)
    text = text_of(desk.get("/desk/positions/AAPL/?known_entry=3"))
    assert "Only what was known after entry 3" in text
    assert "+250.00 less fees 3.00" in text
    assert f"Trade {first.trade_id} 50 10.00 500.00" in text
    assert "▼ sell 50 15.00 750.00 1.00 +250.00" in text
    assert "+225.00 less fees 3.00" in text_of(desk.get("/desk/positions/AAPL/"))


def test_round_trips_of_a_past_view_are_those_of_then(desk, account):
    make_trip(account, 0)
    make_trip(account, 20)
    now = desk.get("/desk/positions/AAPL/").context["round_trips"]
    past = desk.get(f"/desk/positions/AAPL/?as_of={stamp(at(15))}").context["round_trips"]
    assert [trip.net_pnl for trip in now] == [50, 50]
    assert [(trip.closed_at, trip.net_pnl) for trip in past] == [(at(10), 50)]


def test_links_carry_the_view_on(desk, account):
    book_all(account, CASE_1)
    page = desk.get(f"/desk/positions/?as_of={stamp(at(1))}&method=lifo").content.decode()
    carried = f"?account={account.pk}&amp;as_of=2025-01-15T14:31:00Z&amp;method=lifo"
    assert f'href="/desk/positions/AAPL/{carried}"' in page
    assert (
        f'href="/desk/positions/AAPL/explain/{carried}"'
        in desk.get(f"/desk/positions/AAPL/?as_of={stamp(at(1))}&method=lifo").content.decode()
    )


def test_a_real_account_moves_with_no_simulated_tick(desk, alice):
    real = make_account(alice, "Real", kind="real")
    book_all(real, CASE_1)
    state_price("13", at(5), alice)
    page = desk.get("/desk/positions/AAPL/").content.decode()
    assert "13.00" in page
    assert "data-position=" not in page


# The chart ------------------------------------------------------------------------------------


def test_the_fills_are_drawn_on_the_price(desk, account):
    book_all(account, CASE_1)
    for minute in range(4):
        make_bar(minute, 10 + minute, 11 + minute)
    page = desk.get(f"/desk/positions/AAPL/?as_of={stamp(at(4))}")
    drawn = page.content.decode()
    assert drawn.count('class="plot-fill is-buy"') == 2
    assert drawn.count('class="plot-fill is-sell"') == 1
    assert "<title>Buy 100 at 10</title>" in drawn
    assert "The price with 3 fills" in drawn


def test_a_longer_time_is_drawn_by_the_day_and_sees_no_further_than_it_is_asked(desk, alice, account):
    book(account, "BUY", "10", "10", executed_at=at(0))
    for day, price in enumerate(("10", "11", "12", "99")):
        state_price(price, at(60 * 24 * (5 * day)), alice)
    page = desk.get(f"/desk/positions/AAPL/?as_of={stamp(at(60 * 24 * 12))}").content.decode()
    assert "at the end of each day" in page
    assert 'class="plot-line is-price"' in page
    assert "99" not in page.split('class="plot-levels"')[1].split("</ul>")[0]


def test_without_prices_the_chart_says_what_to_do(desk, account):
    book_all(account, CASE_1)
    assert "Too few prices of that time are known" in text_of(desk.get("/desk/positions/AAPL/"))


def test_simulated_bars_draw_no_chart_of_real_money(desk, alice):
    real = make_account(alice, "Real", kind="real")
    book_all(real, CASE_1)
    Instrument.objects.ensure(["AAPL"])
    for minute in range(4):
        make_bar(minute, 10, 11, source="simulated")
    assert Bar.objects.count() == 4
    assert "Too few prices" in text_of(desk.get(f"/desk/positions/AAPL/?as_of={stamp(at(4))}"))


# The methods, explained -------------------------------------------------------------------------


def test_the_methods_stand_side_by_side_and_agree(desk, alice, account):
    book_all(account, CASE_1)
    state_price("13", at(3), alice)
    text = text_of(desk.get("/desk/positions/AAPL/"))
    assert "First in, first out shown +250.00 +250.00 0.00 3.00 +497.00 11.33 1,700.00" in text
    assert "Average cost +200.00 +300.00 0.00 3.00 +497.00 11.00 1,650.00" in text
    assert "They agree to the last digit" in text


def test_methods_of_a_long_book_are_worked_out_when_asked_for(desk, account, monkeypatch):
    monkeypatch.setattr("trades.positions.views.METHODS_UP_TO", 2)
    book_all(account, CASE_1)
    text = text_of(desk.get("/desk/positions/AAPL/"))
    assert "Work them out" in text
    assert "They agree" not in text
    assert "They agree" in text_of(desk.get("/desk/positions/AAPL/?methods=1"))


def test_every_figure_opens_into_its_parts(desk, alice, account):
    first, second, third = book_all(account, CASE_1)
    act(account, "dividend", ticker="AAPL", amount_per_unit="0.5", effective_at=at(3))
    state_price("13", at(4), alice)
    text = text_of(desk.get("/desk/positions/AAPL/explain/"))
    assert f"Trade {third.trade_id} Trade {first.trade_id} 2025-01-15 14:30 50 750.00 500.00 +250.00" in text
    assert "Realized, exactly +250.00" in text
    assert f"Trade {second.trade_id} 100 12.00 1,300.00 1,200.00 +100.00" in text
    assert "Unrealized, exactly +250.00" in text
    assert "Income, exactly +75.00" in text
    assert "Fees, exactly 3.00" in text
    assert "= Total, USD +572.00" in text


def test_parts_that_are_left_out_are_counted_summed_and_reached(desk, account, monkeypatch):
    monkeypatch.setattr("trades.insight.views.PARTS_SHOWN", 2)
    for minute in range(5):
        book(account, "BUY", "1", "10", fees=str(minute + 1), executed_at=at(minute))
    page = desk.get("/desk/positions/AAPL/explain/")
    assert "3 more, on other pages 6.00 Fees, exactly 15.00" in text_of(page)
    address = page.context["next"]
    assert "known_entry=5" in address
    later = desk.get(f"/desk/positions/AAPL/explain/{address}")
    assert "3 more, on other pages 10.00" in text_of(later)  # 5 + 4 before, 1 after
    assert later.context["previous"]
    assert desk.get(f"/desk/positions/AAPL/explain/{later.context['next']}").context["next"] is None


# What if ------------------------------------------------------------------------------------------


def test_what_if_i_sold_50_now(desk, account):
    book_all(account, CASE_1)
    address = f"/desk/positions/AAPL/what-if/?account={account.pk}&quantity=60&side=sell&price=14"
    text = text_of(desk.get(address))
    assert "Selling 60 AAPL at 14.00 USD would realize +220.00 before fees, and leave 90." in text
    assert "First in, first out the account's +220.00 90 12.00 50 of trade" in text
    assert "Average cost +180.00 90 11.00" in text
    fragment = desk.get(address, headers={"HX-Request": "true"}).content.decode()
    assert fragment.lstrip().startswith('<div id="what-if">')
    assert 'value="60"' in fragment


def test_without_a_price_it_is_said(desk, account):
    book_all(account, CASE_1)
    assert "there is no price: give one" in text_of(desk.get("/desk/positions/AAPL/what-if/?quantity=60&side=sell"))


def test_a_forbidden_short_is_said(desk, alice):
    book(make_account(alice, allows_short=False), "BUY", "10", "100", executed_at=at(0))
    text = text_of(desk.get("/desk/positions/AAPL/what-if/?quantity=11&side=sell&price=1"))
    assert "That is a short, which the account does not allow." in text


@pytest.mark.parametrize("query", ["quantity=x", "quantity=-1", "quantity=1&price=0", "quantity=1&side=hold", "fee=1"])
def test_what_is_wrong_is_said_beside_the_form(desk, account, query):
    book_all(account, CASE_1)
    response = desk.get(f"/desk/positions/AAPL/what-if/?{query}")
    assert response.status_code == 400
    assert b'role="alert"' in response.content
    assert desk.get(f"/desk/positions/AAPL/what-if/?{query}", headers={"HX-Request": "true"}).status_code == 200


def test_an_account_that_changed_its_method_has_a_row_of_its_own(desk, account):
    book_all(account, CASE_1)
    act(account, "method_change", pnl_method="lifo", effective_at=at(5))
    text = text_of(desk.get("/desk/positions/AAPL/what-if/?quantity=60&side=sell&price=14"))
    assert "With its changes of method the account's" in text


# Round trips ------------------------------------------------------------------------------------------


def test_round_trips_are_listed_with_their_totals(desk, account):
    make_trip(account, 0, "100", "105", fees="1")
    make_trip(account, 20, "100", "95", ticker="MSFT")
    make_bar(1, 90, 110)
    text = text_of(desk.get("/desk/round-trips/"))
    assert "Won, % 50.0" in text
    assert "Net, USD −2.00" in text
    assert "10 min 10 1,000.00 +48.00 +4.80 −100.00 −10.00 +100.00 +10.00" in text
    assert "– no bars of that time" in text
    assert "MSFT" not in text_of(desk.get("/desk/round-trips/?result=won")).split("Round trips won")[-1]
    assert f"account={account.pk}" in desk.get(f"/desk/round-trips/?account={account.pk}").content.decode()


def test_round_trips_have_their_empty_states(desk, account):
    assert "No round trips yet" in text_of(desk.get("/desk/round-trips/"))
    assert "No round trip matches" in text_of(desk.get("/desk/round-trips/?ticker=KO"))
    wrong = desk.get("/desk/round-trips/?closed_after=x")
    assert (wrong.status_code, b'role="alert"' in wrong.content) == (400, True)
