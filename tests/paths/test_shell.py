"""What the shell does under a user's hands: keys, the theme, the drawer, the finder."""

import re

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.embedded]


def theme_of(page) -> str:
    return page.locator("html").get_attribute("data-theme")


def choose_theme(page, name: str) -> None:
    if page.locator("[data-menu]").get_attribute("open") is None:
        page.locator("[data-menu] summary").click()
    with page.expect_response("**/desk/theme/"):
        page.get_by_role("button", name=name).click()


def test_a_theme_changes_at_once_and_stays_after_a_reload(visit):
    page = visit("/desk/settings/")
    choose_theme(page, "Dark")
    assert theme_of(page) == "dark"
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.reload()
    assert theme_of(page) == "dark"
    choose_theme(page, "Light")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark
    choose_theme(page, "System")


def test_keys_lead_from_page_to_page(visit):
    page = visit("/desk/settings/")
    page.keyboard.type("gs")  # at once: a chord lasts little more than a second
    page.wait_for_url("**/desk/strategies/")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()
    page.keyboard.press("n")
    page.wait_for_url("**/desk/trades/new/")
    expect(page.get_by_label("Side")).to_be_focused()


def test_a_slash_begins_a_search_and_letters_typed_into_it_are_no_keys(visit):
    page = visit("/desk/settings/")
    page.keyboard.press("/")
    page.keyboard.type("gs?n")
    expect(page.get_by_label("Find a ticker, page or run")).to_have_value("gs?n")
    page.get_by_label("Find a ticker, page or run").fill("reports")
    page.keyboard.press("Enter")
    page.wait_for_url("**/desk/reports/")


def test_the_drawer_opens_and_gives_the_focus_back(visit):
    page = visit("/desk/style/")
    opener = page.get_by_role("button", name="Open the drawer")
    opener.click()
    drawer = page.get_by_role("dialog", name="New trade")
    expect(drawer).to_be_visible()
    drawer.get_by_role("button", name="Close").click()
    expect(drawer).to_be_hidden()
    expect(opener).to_be_focused()


def test_a_token_is_made_shown_once_and_revoked(visit):
    page = visit("/desk/settings/")
    page.get_by_label("Name").fill("paths robot")
    page.get_by_role("button", name="Make token").click()
    expect(page.locator("#raw-token")).to_have_text(re.compile(r"tops_\S{40,}"))
    page.get_by_role("link", name="Done").click()
    expect(page.locator("#raw-token")).to_have_count(0)
    page.get_by_role("button", name="Revoke paths robot").click()
    expect(page.get_by_role("status")).to_contain_text("paths robot is revoked")


def test_the_first_tab_stop_skips_to_the_content(visit):
    page = visit("/desk/settings/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
