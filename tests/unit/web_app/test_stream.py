"""The event stream: what browsers are told, and when they are not."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from consumers.web.sse import ChangeStream
from streams.runtime.problems import ProblemError
from tests.builders.web_world import PAGE, WebWorld, opened, resolved

SOON = timedelta(milliseconds=20)


async def told(events: AsyncIterator[bytes]) -> str:
    async with asyncio.timeout(120):
        return (await anext(events)).decode()


def version_of(world: WebWorld) -> str:
    view = world.board.view(PAGE)
    assert view is not None
    return f"{view.version}.{view.updated_at}"


def stream_of(world: WebWorld, heartbeat: timedelta = timedelta(seconds=20)) -> ChangeStream:
    stream = ChangeStream(world.board, world.metrics, heartbeat=heartbeat, pause=SOON, most=2)
    stream.open(PAGE, None)
    return stream


async def test_a_browser_hears_of_a_change_with_its_version(world: WebWorld) -> None:
    events = stream_of(world).events(PAGE, None)
    assert "retry: 3000\n" in await told(events)
    waiting = asyncio.ensure_future(told(events))
    await world.say(opened())
    message = await waiting
    assert message == f"event: changed\ndata: {version_of(world)}\nid: {version_of(world)}\n\n"


async def test_who_was_away_is_told_at_once_and_who_was_not_is_not(world: WebWorld) -> None:
    stream = stream_of(world, heartbeat=SOON)
    behind = stream.events(PAGE, "1.1")
    await told(behind)
    assert "event: changed" in await told(behind)
    current = stream.events(PAGE, version_of(world))
    await told(current)
    assert await told(current) == ": ping\n\n"


async def test_a_slow_browser_hears_of_the_newest_version_only(world: WebWorld) -> None:
    events = stream_of(world, heartbeat=SOON).events(PAGE, None)
    await told(events)
    for name in ("one", "two", "three"):
        await world.say(opened(name))
        await world.say(resolved(name))
    assert f"id: {version_of(world)}\n" in await told(events)
    assert await told(events) == ": ping\n\n"


async def test_streams_end_when_the_server_does(world: WebWorld) -> None:
    stream = stream_of(world)
    events = stream.events(PAGE, None)
    await told(events)
    waiting = asyncio.ensure_future(anext(events, b"the end"))
    await asyncio.sleep(0)
    stream.close()
    async with asyncio.timeout(120):
        assert await waiting == b"the end"
    with pytest.raises(ProblemError) as refused:
        stream.open(PAGE, None)
    assert refused.value.status == 503


async def test_there_are_only_so_many_and_each_that_leaves_makes_room(world: WebWorld) -> None:
    stream = stream_of(world)
    sent: asyncio.Queue[str] = asyncio.Queue()
    gone = asyncio.Event()

    async def receive() -> dict[str, object]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, object]) -> None:
        sent.put_nowait(str(message["type"]))

    scope = {"type": "http", "asgi": {"spec_version": "2.3"}}
    browsers = [asyncio.ensure_future(stream.open(PAGE, None)(scope, receive, send)) for _ in range(2)]  # type: ignore[arg-type]  # a minimal server
    async with asyncio.timeout(120):
        assert {await sent.get() for _ in range(4)} == {"http.response.start", "http.response.body"}
    with pytest.raises(ProblemError):
        stream.open(PAGE, None)
    gone.set()
    await asyncio.gather(*browsers)
    assert stream.open(PAGE, None).media_type == "text/event-stream"
    assert "tocsin_stream_clients 0.0" in world.metrics.exposition().decode()
