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
    expect(words).to_have_text(re.compile(r"^2024-12-31 · Close"))
    page.keyboard.press("Escape")
    expect(words).to_have_text("2015-01-02 to 2024-12-31")
    box = chart.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 90)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 90)
    page.mouse.up()
    page.get_by_role("heading", name="Tickers").hover()
    page.keyboard.press("Home")
    expect(words).to_have_text(re.compile(r"201[67]-\d\d-\d\d · Close"))
    level = page.locator(".chart-level").first
    before = level.text_content()
    page.get_by_role("button", name="Log").first.click()
    expect(level).not_to_have_text(before)
    page.get_by_role("button", name="All bars").first.click()
    expect(words).to_have_text("2015-01-02 to 2024-12-31")


def test_a_logarithmic_axis_has_two_labels_at_least(visit):
    page = visit("/desk/style/")
    script = "ranges => import('/static/js/levels.js').then((m) => ranges.map((range) => m.logLevels(...range).values))"
    ranges = [[210, 480], [10300, 18900], [150, 160], [151, 159.1], [0.31, 0.49], [3, 40], [1, 1e6]]
    found = page.evaluate(script, ranges)
    assert found[0] == [250, 300, 350, 400, 450] and found[-2:] == [[5, 10, 20], [10**power for power in range(7)]]
    for (low, high), values in zip(ranges, found, strict=True):
        assert len(values) >= 2 and low <= values[0] and values[-1] <= high


def test_a_sweep_is_started_watched_and_its_map_pointed_at(visit):
    page = visit("/desk/strategies/sweeps/")
    page.get_by_label("Fast").fill("10..30/10")
    page.get_by_label("Slow").fill("100, 200")
    page.get_by_role("button", name="Start on the sample data").click()
    table = page.locator("[data-heat-map]")
    expect(table).to_be_visible(timeout=60_000)  # the page looks again by itself
    expect(page.get_by_text("chance that the best beats luck, 6 tries allowed for")).to_be_visible()
    table.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight"):
        page.keyboard.press(key)
    words = page.locator("[data-heat-words]")
    expect(words).to_have_text(re.compile(r"fast 20 · slow 200 · −?[\d.,]+ · its 5 neighbors −?[\d.]+ Run it"))
    words.get_by_role("link").click()
    expect(page.get_by_label("Fast")).to_have_value("20")
    expect(page.get_by_label("Slow")).to_have_value("200")
    page.go_back()
    page.get_by_role("link", name="Walk it forward").click()
    expect(page.get_by_label("Train")).to_have_value("862")  # a third of the sample's bars
    expect(page.get_by_role("slider", name="Walk of AAPL: bar under the cursor")).to_be_visible()
