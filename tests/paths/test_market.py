"""The market's pages under a user's hands: a board to search, candles that grow."""

import re
import time

import pytest
from playwright.sync_api import expect

from market.ticks import from_ms
from tradeops.core.moments import written_time

pytestmark = [pytest.mark.browser, pytest.mark.embedded]


def test_the_board_leads_to_a_ticker_whose_last_candle_grows(visit):
    page = visit("/desk/market/")
    page.get_by_label("Ticker or name").fill("apple")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="AAPL").click()
    page.wait_for_url("**/desk/market/AAPL/")
    readout = page.locator("[data-readout]")
    expect(readout).to_contain_text(re.compile(r"open \d+\.\d\d high \d+\.\d\d low \d+\.\d\d close \d+\.\d\d"))
    before = readout.inner_text()
    expect(readout).not_to_have_text(before)
    expect(page.locator("[data-candles] canvas").first).to_be_visible()


def test_the_chart_can_be_read_with_the_keyboard(visit):
    page = visit("/desk/market/AAPL/?timeframe=1d")
    page.locator("[data-candles]").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("[data-readout]")).to_contain_text("open")
    newest = page.locator("[data-readout]").inner_text()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("[data-readout]")).not_to_have_text(newest)
    assert page.locator("#bars-head").inner_text() == "Last bars"  # the same in words, for who cannot see the chart


# A cut as live.js tells it, ten minutes long: the first price after it begins a candle before the missed bars come.
CUT = """({ ticker, ts }) => {
  const tell = (type, detail) => document.dispatchEvent(new CustomEvent(`live:${type}`, { detail }));
  tell("closed", { retryAt: ts });
  tell("open", {});
  tell("quotes", { ts, quotes: [{ ticker, price: 111, volume: 1 }] });
}"""


def test_the_bars_of_a_cut_are_put_between_those_around_it(visit):
    page = visit("/desk/market/AAPL/?timeframe=1m")
    minute = int(time.time()) // 60 * 60_000
    missed = {"start": written_time(from_ms(5 * 60_000 + minute)), "volume": None}
    missed |= dict.fromkeys(("open", "high", "low", "close"), "99.5")
    page.route("**/tickers/AAPL/bars?*", lambda route: route.fulfill(json={"results": [missed]}))
    with page.expect_response("**/tickers/AAPL/bars?*"):
        page.evaluate(CUT, {"ticker": "AAPL", "ts": minute + 10 * 60_000})
    readout = page.locator("[data-readout]")
    expect(readout).to_contain_text("open 111.00")
    page.locator("[data-candles]").focus()
    for read in ("open 111.00", "open 99.50"):
        page.keyboard.press("ArrowLeft")
        expect(readout).to_contain_text(read)


def test_a_part_of_today_that_is_refreshed_leaves_nothing_behind(visit):
    """Not even the empty text around it: a page stays open for a day."""
    page = visit("/desk/")
    children = "document.getElementById('main').childNodes.length"
    before = page.evaluate(children)
    for _ in range(2):
        page.evaluate(
            """new Promise((done) => {
                document.addEventListener("htmx:afterSettle", () => done(true), { once: true });
                document.dispatchEvent(new CustomEvent("book-changed"));
            })"""
        )
    assert page.evaluate(children) == before
