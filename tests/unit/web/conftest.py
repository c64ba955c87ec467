from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.builders import acme
from tests.parts.chromium import chromium
from tests.unit.web.site import Site, serving


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(acme.quiet()) as site:
        yield site
