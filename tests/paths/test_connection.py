"""A connection that ends: what an open page does by itself, and what it says."""

import pytest
from playwright.sync_api import WebSocketRoute, expect

from tests.paths.browser import Visitor, wait_until
from tests.paths.test_faces import BACK_OFFICE
from tests.paths.test_tabs import hears_prices

pytestmark = [pytest.mark.browser, pytest.mark.embedded]

CREDENTIAL_ENDED, GOING_AWAY = 4401, 1001


class Sockets:
    """The sockets of a page, which pass to the server until they are closed here; later ones while `code` is None."""

    def __init__(self, page):
        self.code, self.last = None, None
        page.route_web_socket("**/ws", self.take)

    def take(self, socket: WebSocketRoute) -> None:
        if self.code:
            socket.close(code=self.code)
        else:
            socket.connect_to_server()
            self.last = socket


@pytest.fixture
def visitor(browser, desk):
    visitor = Visitor(browser, desk.url)
    yield visitor
    visitor.close()
    assert visitor.complaints == []


def test_a_session_that_got_a_new_key_goes_on_and_one_that_ended_says_so(visitor):
    page, sockets = visitor.page, Sockets(visitor.page)
    page.goto("/desk/")
    hears_prices(page)
    sockets.last.close(code=CREDENTIAL_ENDED)  # as after a new password: the cookie of this session is good
    hears_prices(page)
    expect(page.locator("#connection")).to_be_hidden()
    sockets.code = CREDENTIAL_ENDED
    sockets.last.close(code=CREDENTIAL_ENDED)
    expect(page.locator("#connection")).to_contain_text("You are signed out")


def test_a_tab_ends_where_somebody_else_signs_in_with_this_browser(visitor):
    page = visitor.page
    page.goto("/desk/")
    hears_prices(page)
    visitor.page = visitor.context.new_page()
    visitor.sign_in(*BACK_OFFICE)
    hears_prices(visitor.page)
    expect(page.locator("#connection")).to_contain_text("You are signed out")


def test_what_was_typed_stays_on_its_page_while_the_desk_is_away(visitor):
    page, sockets = visitor.page, Sockets(visitor.page)
    page.goto("/desk/trades/new/")
    for field, value in {"ticker": "AAPL", "quantity": "2", "price": "150", "note": "before the cut"}.items():
        page.locator(f"#id_{field}").fill(value)
    expect(page.get_by_role("region", name="What it would make")).to_contain_text("After")
    page.route("**/health/live", lambda route: route.fulfill(status=503))
    wait_until(page, lambda: sockets.last)
    sockets.code = GOING_AWAY
    sockets.last.close(code=GOING_AWAY)
    expect(page.locator("#connection")).to_contain_text("Connection lost")
    page.get_by_role("button", name="Book trade").click()
    expect(page.locator("#connection")).to_contain_text("Nothing was sent: what you typed stays here.")
    expect(page.locator("#id_note")).to_have_value("before the cut")
    page.unroute("**/health/live")
    page.get_by_role("button", name="Book trade").click()
    page.wait_for_url("**/desk/trades/*/")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Trade")
    visitor.complaints = [one for one in visitor.complaints if "503" not in one]  # the browser's word for the answer
