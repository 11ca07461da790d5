"""Every page in both themes, one at a desk and one in a hand: nothing for axe, the console or the scrollbar to say."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.paths.browser import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.embedded, pytest.mark.timeout(400)]

BACK_OFFICE = ("backoffice", "demo-backoffice")
DESK_PAGES = [
    "/desk/",
    "/desk/trades/",
    "/desk/trades/new/",
    "/desk/trades/1/",
    "/desk/trades/import/",
    "/desk/ledger/",
    "/desk/activities/",
    "/desk/activities/?kind=fee&ticker=NONE",
    "/desk/activities/new/",
    "/desk/activities/new/transfer_in/",
    "/desk/activities/{activity}/",
    "/desk/activities/{activity}/correct/",
    "/desk/activities/{activity}/void/",
    "/desk/accounts/",
    "/desk/accounts/new/",
    "/desk/accounts/1/",
    "/desk/accounts/1/closes/",
    "/desk/approvals/",
    "/desk/reconciliations/",
    "/desk/positions/",
    "/desk/positions/NVDA/",
    "/desk/positions/AAPL/",
    "/desk/positions/?as_of=2030-01-01T00:00&known_at=2030-01-01T00:00&closed=1",
    "/desk/positions/AAPL/explain/?method=lifo",
    "/desk/positions/AAPL/what-if/?quantity=50&side=sell",
    "/desk/round-trips/",
    "/desk/performance/",
    "/desk/performance/?period=1m&benchmark=KO",
    "/desk/performance/tickers/?page_size=3",
    "/desk/strategies/",
    "/desk/strategies/1/",
    "/desk/market/",
    "/desk/market/?q=nothing-of-that-name",
    "/desk/market/AAPL/",
    "/desk/market/AAPL/?timeframe=1d",
    "/desk/strategies/compare/?run=1",
    "/desk/watchlists/",
    "/desk/watchlists/1/",
    "/desk/alerts/",
    "/desk/alerts/rules/{rule}/edit/",
    "/desk/reports/",
    "/desk/jobs/",
    "/desk/settings/",
    "/desk/sign-in/",
    "/desk/style/",
    "/desk/find/?q=s",
]
API_PAGES = ["/trades/", "/trades/stats", "/activities/", "/positions/", "/tickers/", "/algorithm/help"]
LOOKS = [("light", 1440), ("dark", 390)]


def faults(page) -> list[str]:
    """What is wrong with the page on show, in words."""
    found = [
        f"{page.url} {violation['id']}: {node['html'][:200]}"
        for violation in Axe()
        .run(page, options={"preload": False, "resultTypes": ["violations"]})
        .response["violations"]
        for node in violation["nodes"]
    ]
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [*found, *([f"{page.url} scrolls sideways by {wide} px"] if wide > 0 else [])]


def faults_of(visitor: Visitor, paths: list[str]) -> list[str]:
    found = []
    for path in paths:
        answer = visitor.page.goto(path)
        if answer.status != 200:
            found.append(f"{path} answers {answer.status}")
        found += faults(visitor.page)
    return found + visitor.complaints


@pytest.mark.parametrize(("theme", "width"), LOOKS)
def test_the_desk_has_no_fault(browser, desk, theme, width):
    visitor = Visitor(browser, desk.url, theme=theme, width=width)
    visitor.page.goto("/desk/activities/")
    activity = visitor.page.locator("tbody a").first.get_attribute("href").split("/")[3]
    rule = desk.post("/alerts/", json={"kind": "price_above", "ticker": "AAPL", "threshold": "9000"}).json()["id"]
    named = [path.replace("{activity}", activity).replace("{rule}", str(rule)) for path in (*DESK_PAGES, *API_PAGES)]
    found = faults_of(visitor, named)
    visitor.close()
    assert found == []


@pytest.mark.parametrize(("theme", "width"), LOOKS)
def test_the_back_office_has_no_fault(browser, desk, theme, width):
    visitor = Visitor(browser, desk.url, theme=theme, width=width, sign_in=BACK_OFFICE)
    visitor.page.goto("/admin/")
    models = visitor.page.locator("#content-main th a").evaluate_all(
        "links => links.map((a) => a.getAttribute('href'))"
    )
    assert len(models) > 8
    shown = models if theme == "light" else models[:4]  # the lists are of one template; the colors are the theme's
    found = faults_of(visitor, ["/admin/", "/desk/market/replays/", *shown])
    visitor.close()
    assert found == []


def test_the_api_docs_run_under_the_same_policy(visit):
    page = visit("/docs")
    expect(page.locator(".opblock").nth(10)).to_be_visible()
