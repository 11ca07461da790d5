"""The five paths as a user walks them: a trade, a tick, a backtest, the night's export, the Lambda proxy."""

import math
import re
import uuid
from datetime import UTC, date, datetime, timedelta

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

BACK_OFFICE = ("backoffice", "demo-backoffice")
NUMBER = re.compile(r"−?[\d,]+\.\d\d")


# a. A trade is booked ------------------------------------------------------------------------


def book(page, side: str, ticker: str, quantity: str, price: str) -> None:
    page.goto("/desk/trades/new/")
    main = page.get_by_role("main")
    main.get_by_label("Side").select_option(side)
    main.get_by_label("Ticker").fill(ticker)
    main.get_by_label("Quantity").fill(quantity)
    main.get_by_label("Price").fill(price)
    main.get_by_role("button", name="Book trade").click()
    page.wait_for_url(lambda url: not url.endswith("/new/"))
    expect(page.locator("#toasts")).to_contain_text("booked")


def test_a_booked_trade_becomes_a_position_and_reaches_the_page_that_is_open(visit):
    ticker = f"P{uuid.uuid4().hex[:8].upper()}"
    today, page = visit("/desk/"), visit("/desk/trades/")
    # htmx waits for the page's own socket; only then is the news sure to find it open.
    today.wait_for_function("() => document.querySelector('#board [data-flash]')")
    book(page, "Buy", ticker, "100", "150.25")
    expect(today.locator("#tables")).to_contain_text(ticker)
    expect(today.locator("#figures")).to_contain_text("no price for")  # nobody knows what the new ticker is worth

    book(page, "Sell", ticker, "40", "151.00")
    page.goto(f"/desk/positions/{ticker}/")
    expect(page.locator("#main")).to_contain_text("60 held")
    expect(page.get_by_role("row", name=re.compile("Position 60 150.25 9,015.00"))).to_be_visible()
    expect(page.locator("#main")).to_contain_text("+30.00")  # 40 x 0.75


@pytest.mark.parametrize("address", ["/desk/trades/", "/desk/positions/"])
def test_a_list_that_is_open_says_that_the_book_has_moved(visit, desk, address):
    page = visit(address)
    # Prices come over the socket that the news comes over: once they do, it is open.
    page.evaluate("() => new Promise(done => document.addEventListener('live:quotes', () => done(), { once: true }))")
    expect(page.locator("[data-news]")).to_be_hidden()
    desk.post("/trades/", json={"ticker": "AAPL", "quantity": "1", "price": "150", "trade_type": "BUY"})
    expect(page.locator("[data-news]")).to_be_visible()


def test_a_trade_that_is_none_is_refused_beside_its_field(visit):
    page = visit("/desk/trades/new/")
    main = page.get_by_role("main")
    main.get_by_label("Ticker").fill("AAPL")
    main.get_by_label("Quantity").fill("-5")
    main.get_by_label("Price").fill("150")
    main.get_by_role("button", name="Book trade").click()
    expect(page.locator(".field.has-error").first).to_contain_text(re.compile("Quantity"))


# b. A price ticks --------------------------------------------------------------------------


def test_a_price_that_ticks_changes_its_cell_the_book_and_nothing_else(visit):
    page = visit("/desk/")
    cell = page.locator("#board [data-live-field=price]").first
    mark = page.locator("#tables [data-position] [data-cell=mark]").first
    before, mark_before = cell.inner_text(), mark.inner_text()
    expect(mark).not_to_have_text(mark_before)
    expect(cell).not_to_have_text(before)
    assert NUMBER.fullmatch(cell.inner_text())
    expect(page.locator("#board [data-sparkline] polyline").first).to_have_attribute("points", re.compile(r"\d"))
    expect(page.locator("#connection")).to_be_hidden()


# c. A backtest runs -----------------------------------------------------------------------------


def waves(bars: int = 400) -> str:
    """Daily prices that rise and fall, so that averages cross."""
    first = date(2023, 1, 2)
    lines = [f"{first + timedelta(days=bar)},{100 + 20 * math.sin(bar / 25):.4f}" for bar in range(bars)]
    return "date,close\n" + "\n".join(lines) + "\n"


def test_an_uploaded_price_file_becomes_a_run_with_its_chart(visit):
    page = visit("/desk/strategies/")
    file = {"name": "WAVE.csv", "mimeType": "text/csv", "buffer": waves().encode()}
    page.get_by_label("Price files").set_input_files(file)
    page.get_by_label("Fast").fill("10")
    page.get_by_label("Slow").fill("30")
    page.get_by_label("Deals at").select_option("close")  # the file has no opens
    page.get_by_role("button", name="Run on these files").click()
    page.wait_for_url(re.compile(r"/desk/strategies/\d+/"))
    expect(page.get_by_role("row", name=re.compile("WAVE"))).to_be_visible()
    chart = page.locator(".chart-frame .chart-panel").first  # drawn in the place of the picture
    expect(chart.locator("path.plot-line").first).to_have_attribute("d", re.compile(r"\d"))


def test_a_price_file_that_is_none_is_refused_in_words(visit):
    page = visit("/desk/strategies/")
    file = {"name": "BAD.csv", "mimeType": "text/csv", "buffer": b"date,close\n2024-01-02,free\n"}
    page.get_by_label("Price files").set_input_files(file)
    page.get_by_role("button", name="Run on these files").click()
    expect(page.locator(".error, .form-errors").first).to_contain_text("free")


# d. The night export -------------------------------------------------------------------------------


# As the page does by itself while a job works.
FETCH_ANEW = """() => new Promise((done) => {
  const jobs = document.getElementById("jobs");
  const asked = {
    get: location.pathname, trigger: "again", select: "#jobs", "select-oob": "#files", swap: "outerHTML",
  };
  for (const [name, value] of Object.entries(asked)) jobs.setAttribute(`hx-${name}`, value);
  htmx.process(jobs);
  document.addEventListener("htmx:oobAfterSwap", done, { once: true });
  htmx.trigger(jobs, "again");
})"""


def test_a_day_run_from_the_reports_page_lands_in_the_lake(visit):
    page = visit("/desk/reports/", sign_in=BACK_OFFICE)
    day = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    page.get_by_label("Day, UTC").fill(day)
    page.get_by_role("button", name="Run the day").click()
    job = page.get_by_role("row", name=re.compile(f"^{day}")).first
    for _ in range(120):
        if "succeeded" in job.inner_text():
            break
        page.wait_for_timeout(500)
        page.reload()
    expect(job).to_contain_text("succeeded")
    file = page.get_by_role("row", name=re.compile(f"trades_{day}.csv"))
    expect(file).to_be_visible()
    with page.expect_download() as download:
        file.get_by_role("link", name=re.compile("Download")).click()
    assert download.value.suggested_filename == f"trades_{day}.csv"
    newest = page.locator("#files details").first
    newest.locator("summary").click()
    page.evaluate(FETCH_ANEW)
    expect(newest).not_to_have_attribute("open", "")  # what was closed stays so


# e. The Lambda proxy ----------------------------------------------------------------------------------


def test_the_lambda_proxy_hands_the_handlers_answer_back(visit):
    page = visit("/desk/")
    day = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    answer = page.request.post("/moneyai", data={"date": day})
    assert answer.status in (200, 404)
    assert isinstance(answer.json(), dict)
