"""A browser in front of a running desk."""

import pytest

from tests.paths.browser import open_browser


@pytest.fixture(scope="module")
def browser():
    """Chromium, for one module: its event loop must be gone before another test wants one."""
    with open_browser() as opened:
        yield opened


@pytest.fixture
def visit(browser, desk):
    """`visit(path, theme=…, width=…, sign_in=…)` opens a page and returns it; complaints fail the test."""
    visitors = []

    def opened(path: str, **wishes):
        from tests.paths.browser import Visitor

        visitor = Visitor(browser, desk.url, **wishes)
        visitors.append(visitor)
        visitor.page.goto(desk.url + path)
        return visitor.page

    yield opened
    complaints = [complaint for visitor in visitors for complaint in visitor.complaints]
    for visitor in visitors:
        visitor.close()
    assert complaints == []
