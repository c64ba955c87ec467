from collections.abc import Iterator

import pytest

from tests.fakes.registry import FakeRegistry
from tests.parts.registry import shared_registry


@pytest.fixture(params=["fake", pytest.param("apicurio", marks=pytest.mark.registry)])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where a registry answers; Apicurio's is the same one for all tests."""
    if request.param == "apicurio":
        yield shared_registry().url
        return
    with FakeRegistry() as registry:
        yield registry.url
