"""Several tabs of one browser: one socket for all of them, whichever of them closes."""

import json

import pytest
from playwright.sync_api import expect

from tests.paths.browser import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.embedded]

HEAR = """() => {
  window.heard = { own: [], open: 0 };
  document.addEventListener("live:open", () => { window.heard.open += 1; });
  for (const kind of ["trade", "position"]) {
    document.addEventListener(`live:${kind}`, ({ detail }) => window.heard.own.push(detail.n));
  }
}"""
# Another program of this origin takes the lock for a moment, as a tab does that hears nothing.
TAKE_THE_LOCK = """async () => {
  const { held } = await navigator.locks.query();
  await navigator.locks.request(held[0].name, { steal: true }, () => {});
}"""


def hears_prices(page) -> None:
    page.evaluate("() => new Promise(done => document.addEventListener('live:quotes', () => done(), { once: true }))")


class Tab:
    """A tab that counts the sockets it opened and has open."""

    def __init__(self, visitor, path: str):
        self.page, self.sockets, self.sent = visitor.context.new_page(), [], []
        self.page.on("pageerror", lambda error: visitor.complaints.append(str(error)))
        self.page.on("websocket", self.count)
        self.page.goto(path)
        self.page.evaluate(HEAR)

    def count(self, socket) -> None:
        self.sockets.append(socket)
        socket.on("framesent", lambda text: self.sent.append(json.loads(text)))

    @property
    def open_sockets(self) -> int:
        return sum(not socket.is_closed() for socket in self.sockets)

    def wait_for_own(self, count: int) -> list[int]:
        """The numbers of the user's own events, as soon as there are so many."""
        self.page.wait_for_function(f"() => window.heard.own.length >= {count}")
        return self.page.evaluate("() => window.heard.own")


@pytest.fixture
def tabs(browser, desk):
    """`tabs(path)` opens one more tab of one browser."""
    from tests.paths.browser import Visitor

    visitor = Visitor(browser, desk.url)
    visitor.page.close()
    yield lambda path: Tab(visitor, path)
    visitor.close()
    assert visitor.complaints == []


def book(desk) -> None:
    answer = desk.post("/trades/", json={"ticker": "AAPL", "quantity": "1", "price": "150", "trade_type": "BUY"})
    assert answer.status_code == 201


def test_two_tabs_share_one_socket_and_the_second_takes_over_without_missing_or_doubling(tabs, desk):
    first, second = tabs("/desk/"), tabs("/desk/market/AAPL/")
    for tab in (first, second):
        hears_prices(tab.page)
    assert [first.open_sockets, len(second.sockets)] == [1, 0]
    book(desk)
    assert first.wait_for_own(2) == second.wait_for_own(2)  # the trade, and the position that it made
    first.page.close()
    book(desk)  # before the second tab is connected: it resumes from the number that it has seen
    numbers = second.wait_for_own(4)
    hears_prices(second.page)
    assert second.open_sockets == 1
    assert numbers == list(range(numbers[0], numbers[0] + 4))


def test_the_socket_asks_for_what_the_tabs_show_together(tabs):
    first = tabs("/desk/market/AAPL/")
    hears_prices(first.page)
    second = tabs("/desk/market/MSFT/")
    hears_prices(second.page)
    second.page.wait_for_function("() => document.querySelector('[data-live-ticker=MSFT][data-flash]')")
    assert [frame["tickers"] for frame in first.sent] == [["AAPL"], ["MSFT"]]
    second.page.close()
    wait_until(first.page, lambda: first.sent[-1] == {"action": "unsubscribe", "tickers": ["MSFT"]})
    # No subscribe leads back to all tickers: the socket is opened anew, and goes on from the numbers seen.
    whole = tabs("/desk/")
    whole.page.wait_for_function("() => document.querySelector('[data-live-ticker=MSFT][data-flash]')")
    wait_until(first.page, lambda: first.open_sockets == 1)
    assert [len(first.sockets), len(whole.sockets)] == [2, 0]
    assert first.sent[-1]["action"] == "resume"


def test_a_tab_that_comes_later_is_told_at_once_how_things_stand(tabs):
    first = tabs("/desk/")
    hears_prices(first.page)
    later = tabs("/desk/market/")
    expect(later.page.locator("[data-board-note]")).to_contain_text("last price")
    expect(later.page.locator("#connection")).to_be_hidden()
    assert len(later.sockets) == 0


def test_a_leader_whose_lock_is_taken_closes_its_socket_and_another_goes_on(tabs):
    first, second = tabs("/desk/"), tabs("/desk/")
    for tab in (first, second):
        hears_prices(tab.page)
    second.page.evaluate(TAKE_THE_LOCK)
    # The second waited for the lock longest, so it leads now.
    second.page.wait_for_function("() => window.heard.open > 0")
    for tab in (first, second):
        hears_prices(tab.page)
    wait_until(first.page, lambda: [first.open_sockets, second.open_sockets] == [0, 1])


def test_without_locks_each_tab_has_a_socket_of_its_own(browser, desk):
    from tests.paths.browser import Visitor

    visitor = Visitor(browser, desk.url)
    visitor.context.add_init_script("Object.defineProperty(navigator, 'locks', { value: undefined })")
    tabs = [Tab(visitor, "/desk/"), Tab(visitor, "/desk/")]
    for tab in tabs:
        hears_prices(tab.page)
    assert [tab.open_sockets for tab in tabs] == [1, 1]
    visitor.close()
    assert visitor.complaints == []
