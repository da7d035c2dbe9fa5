"""What tests of pages share, wherever they lie; and Ctrl-C."""

import signal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

# A shell that starts the tests in the background has them ignore Ctrl-C, and so would all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


# Not for a whole session: while it runs, so does an event loop in this thread, which others may not start theirs in.
@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    from browser import launched

    with launched() as running:
        yield running


@pytest.fixture
def page(browser: "Browser") -> "Iterator[Page]":
    from browser import opened

    with opened(browser) as one:
        yield one
