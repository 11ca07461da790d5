"""Chromium as the desk's users have it, with an ear on its console."""

import contextlib
import time

from playwright.sync_api import Browser, expect, sync_playwright

from tests.worlds import find_program

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HEIGHTS = {1440: 900, 390: 844}
PATIENCE = 60_000  # ms: a bound, for a machine that does much else
expect.set_options(timeout=PATIENCE)


@contextlib.contextmanager
def open_browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_program("chromium"), headless=True, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


def wait_until(page, is_so) -> None:
    """For what the page itself does not know: its sockets, and what went over them."""
    deadline = time.monotonic() + PATIENCE / 1000
    while not is_so():
        assert time.monotonic() < deadline, "It was waited for in vain."
        page.wait_for_timeout(50)


class Visitor:
    """One browser session. Whatever the console says at level error or warning is a complaint."""

    def __init__(self, browser: Browser, base_url: str, *, theme: str = "light", width: int = 1440, sign_in=None):
        self.complaints: list[str] = []
        self.context = browser.new_context(
            color_scheme=theme, viewport={"width": width, "height": HEIGHTS[width]}, base_url=base_url
        )
        self.context.set_default_timeout(PATIENCE)
        self.page = self.context.new_page()
        self.page.on("console", self.hear)
        self.page.on("pageerror", lambda error: self.complaints.append(f"{self.page.url}: {error}"))
        if sign_in:
            self.sign_in(*sign_in)

    def hear(self, message) -> None:
        # A form refused with 422 is a page like any other; Chromium grumbles about its status all the same.
        is_own_status = "the server responded with a status of 4" in message.text
        if is_own_status and message.location["url"] == self.page.url:
            return
        # Leaving a page while htmx waits for an answer ends that request; htmx logs it as an error.
        if message.text.startswith(("htmx:sendAbort", "htmx:afterRequest")):
            return
        if message.type in ("error", "warning"):
            self.complaints.append(f"{self.page.url}: {message.text}")

    def sign_in(self, username: str, password: str) -> None:
        self.page.goto("/desk/sign-in/")
        self.page.get_by_label("Username").fill(username)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(lambda url: "sign-in" not in url)

    def close(self) -> None:
        self.context.close()
