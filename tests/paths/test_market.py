"""The market's pages under a user's hands: a board to search, candles that grow."""

import re

import pytest
from playwright.sync_api import expect

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
    newest = page.locator("[data-readout]").inner_text()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("[data-readout]")).not_to_have_text(newest)
    assert page.locator("#bars-head").inner_text() == "Last bars"  # the same in words, for who cannot see the chart


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
