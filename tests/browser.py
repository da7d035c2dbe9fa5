"""A real browser for the tests of pages: Debian's chromium, driven by Playwright."""

import contextlib
import os
from collections.abc import Iterator

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

CHROMIUM = os.environ.get("BIOMEDICA_CHROMIUM", "/usr/bin/chromium")
WIDE = {"width": 1280, "height": 900}
NARROW = {"width": 390, "height": 844}


@contextlib.contextmanager
def launched() -> Iterator[Browser]:
    """The browser, without a window. Tests may run as root, where chromium has no sandbox."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"] * (os.getuid() == 0))
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def opened(browser: Browser, *, width: int = WIDE["width"], height: int = WIDE["height"]) -> Iterator[Page]:
    """A page with its own cookies; what its scripts or the policy complain of fails the test at its end."""
    complaints: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        # The server of a test may end while images are still fetched ahead.
        if message.type in {"error", "warning"} and "ERR_CONNECTION_REFUSED" not in message.text:
            complaints.append(message.text)

    with browser.new_context(viewport={"width": width, "height": height}) as context:
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", heard)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
    assert not complaints, complaints
