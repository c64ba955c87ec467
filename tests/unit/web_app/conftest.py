"""A page on a log in a temporary folder, and a client without a network."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from tests.builders.web_world import WebWorld


def speak_to(world: WebWorld) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=world.app)
    return httpx.AsyncClient(transport=transport, base_url="https://status.acme.example")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[WebWorld]:
    world = WebWorld(tmp_path).define()
    yield world
    world.close()


@pytest.fixture
async def client(world: WebWorld) -> AsyncIterator[httpx.AsyncClient]:
    async with speak_to(world) as client:
        yield client


@pytest.fixture(scope="module")
def shared_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebWorld]:
    """For tests that only read: most of their time would go into putting the application together."""
    world = WebWorld(tmp_path_factory.mktemp("shared")).define()
    yield world
    world.close()


@pytest.fixture
async def shared_client(shared_world: WebWorld) -> AsyncIterator[httpx.AsyncClient]:
    async with speak_to(shared_world) as client:
        yield client
