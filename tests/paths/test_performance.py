"""The performance page under a pointer and from the keyboard."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.embedded]


def test_the_pointer_reads_the_day_off_the_charts(visit):
    # Up to yesterday: what other tests book today, of tickers without a price, leaves no growth to read off.
    today = datetime.now(UTC).date()
    first, last = today - timedelta(days=30), today - timedelta(days=1)
    page = visit(f"/desk/performance/?start={first}&end={last}&benchmark=KO")
    readout = page.locator("[data-readout]")
    at_rest = readout.text_content()
    chart = page.get_by_role("img", name="Equity and the capital put in")
    chart.hover()
    expect(readout).to_have_text(re.compile(r"\d{4}-\d\d-\d\d · equity [\d,.]+ · P&L .+ growth .+ benchmark"))
    expect(page.locator("[data-cursor]").first).to_have_attribute("visibility", "visible")
    page.get_by_role("heading", name="Performance").hover()
    expect(readout).to_have_text(at_rest)


def test_figures_lead_to_what_made_them(visit):
    page = visit("/desk/performance/")
    page.get_by_role("link", name="AAPL").click()
    page.wait_for_url("**/desk/positions/AAPL/**")
    page.keyboard.type("gf")
    page.wait_for_url("**/desk/performance/")
    page.get_by_role("link", name="momentum").click()
    page.wait_for_url("**/desk/trades/?**strategy=momentum**")
    expect(page.locator("tbody tr")).to_have_count(5)
