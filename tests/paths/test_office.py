"""The back office's walk, without a manual: a broker's file with mistakes, from its upload to its undoing."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.paths.browser import Visitor
from tests.paths.test_faces import BACK_OFFICE, faults

pytestmark = [pytest.mark.browser, pytest.mark.embedded, pytest.mark.timeout(300)]
FILES = Path(__file__).resolve().parents[2] / "docs" / "import"


def upload(page, name: str) -> None:
    page.goto("/desk/trades/import/")
    page.set_input_files("input[type=file]", FILES / name)
    page.get_by_label("Times are shown by the clock of").select_option("America/New_York")
    page.get_by_role("button", name="Look at the file").click()


def test_a_file_with_mistakes_is_set_right_imported_and_undone(browser, desk):
    visitor = Visitor(browser, desk.url, theme="dark", width=390, sign_in=BACK_OFFICE)
    page, found = visitor.page, []
    upload(page, "broker.csv")
    page.wait_for_selector("text=3 things to set right in 3 rows")
    expect(page.locator("main")).to_contain_text("times as 01/31/2025")
    found += faults(page)
    page.get_by_label("Column Desk").select_option(label="Note")
    page.get_by_label("Column Price ($)").select_option(label="not used")
    page.get_by_role("button", name="Look again").click()
    page.wait_for_selector("text=There is no column for price.")
    page.get_by_role("button", name="Discard the file").click()
    page.wait_for_selector("text=is discarded")

    upload(page, "broker-fixed.csv")
    page.get_by_role("button", name="Import 4 rows").click()
    page.get_by_role("link", name="See its trades").wait_for()
    expect(page.locator("#import-state")).to_have_text("imported")
    found += faults(page)
    page.get_by_role("link", name="See its trades").click()
    expect(page.locator("tbody tr")).to_have_count(4)
    page.locator("tbody a").first.click()
    page.get_by_role("link", name="broker-fixed.csv").click()
    page.get_by_label("Reason").fill("the wrong account")
    page.get_by_role("button", name="Undo the import").click()
    page.wait_for_selector("text=the wrong account")
    found += [*faults(page), *visitor.complaints]
    visitor.close()
    assert found == []
