"""A page on a log in a temporary folder, and a client without a network."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from tests.builders.web_world import WebWorld


@pytest.fixture
def world(tmp_path: Path) -> Iterator[WebWorld]:
    world = WebWorld(tmp_path).define()
    yield world
    world.close()


@pytest.fixture
async def client(world: WebWorld) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=world.app)
    async with httpx.AsyncClient(transport=transport, base_url="https://status.acme.example") as client:
        yield client
