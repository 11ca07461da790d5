"""The charts of a run under a pointer and from the keyboard."""

import re

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.embedded]


def test_the_chart_of_a_ticker_is_read_from_the_keyboard_and_with_the_pointer(visit):
    page = visit("/desk/strategies/1/?ticker=AAPL")
    chart = page.get_by_role("slider", name="AAPL: bar under the cursor")
    words = page.locator("#ticker output")
    expect(words).to_have_text(re.compile(r"2015-01-02 to 2024-12-31"))
    chart.focus()
    page.keyboard.press("PageUp")  # the last fill
    expect(words).to_have_text(re.compile(r"2024-\d\d-\d\d · Close [\d.]+ · SMA 50 .+ (buy|sell) at [\d.]+ · Strategy"))
    expect(chart).to_have_attribute("aria-valuetext", words.text_content())
    page.keyboard.press("+")
    page.keyboard.press("End")
    last = words.text_content()
    page.keyboard.press("Escape")
    expect(words).to_have_text("2015-01-02 to 2024-12-31")
    assert last.startswith("2024-12-31 · Close")
    box = chart.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 90)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 90)
    page.mouse.up()
    page.get_by_role("heading", name="Tickers").hover()
    page.keyboard.press("Home")
    expect(words).to_have_text(re.compile(r"201[67]-\d\d-\d\d · Close"))
    page.get_by_role("button", name="All bars").first.click()
    expect(words).to_have_text("2015-01-02 to 2024-12-31")
