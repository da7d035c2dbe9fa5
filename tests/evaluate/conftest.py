"""What the tests of leaks share."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from browser import launched


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with launched() as running:
        yield running
