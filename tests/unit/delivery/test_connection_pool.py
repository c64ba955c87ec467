"""Connections to receivers: kept while they are of use, never shared, closed when nobody needs them."""

import asyncio
import ssl
from collections.abc import AsyncIterator

import httpcore
import pytest

from consumers.delivery.net.pool import ConnectionPool
from tests.fakes.webhook import FakeWebhookReceiver, Reply


@pytest.fixture
async def pool() -> AsyncIterator[ConnectionPool]:
    made = ConnectionPool(httpcore.AnyIOBackend(), ssl.create_default_context(), 2)
    yield made
    await made.aclose()


BODY = b'{"type": "test", "timestamp": "", "data": {}}'
HEADERS = [("host", "127.0.0.1"), ("content-type", "application/json"), ("content-length", str(len(BODY)))]


async def _post(pool: ConnectionPool, url: str) -> int:
    request = httpcore.Request("POST", url, headers=HEADERS, content=BODY)
    connection = await pool.take(request.url.origin)
    try:
        response = await connection.handle_async_request(request)
        await response.aread()
        await response.aclose()
        return int(response.status)
    finally:
        await pool.release(request.url.origin, connection)


async def test_one_request_after_the_other_takes_one_connection(pool: ConnectionPool) -> None:
    with FakeWebhookReceiver() as receiver:
        assert [await _post(pool, receiver.url) for _ in range(5)] == [204] * 5
        assert receiver.connections == 1


async def test_no_more_than_its_number_are_in_use_at_once(pool: ConnectionPool) -> None:
    with FakeWebhookReceiver() as receiver:
        receiver.script(Reply(204, delay=0.01))
        assert await asyncio.gather(*(_post(pool, receiver.url) for _ in range(8))) == [204] * 8
        assert receiver.connections == 2


async def test_a_connection_that_the_server_closed_is_not_used_again(pool: ConnectionPool) -> None:
    with FakeWebhookReceiver() as receiver:
        assert await _post(pool, receiver.url) == 204
        port = receiver.port
    with FakeWebhookReceiver(port) as again:
        assert await _post(pool, again.url) == 204


async def test_a_failed_connection_gives_its_place_back(pool: ConnectionPool) -> None:
    with FakeWebhookReceiver() as receiver:
        gone = receiver.url
    for _ in range(4):
        with pytest.raises(httpcore.ConnectError):
            await _post(pool, gone)
    with FakeWebhookReceiver() as receiver:
        assert await asyncio.gather(*(_post(pool, receiver.url) for _ in range(4))) == [204] * 4


async def test_idle_connections_to_many_hosts_do_not_pile_up(pool: ConnectionPool) -> None:
    with FakeWebhookReceiver() as one, FakeWebhookReceiver() as two, FakeWebhookReceiver() as three:
        for receiver in (one, two, three, one):
            assert await _post(pool, receiver.url) == 204
        assert (one.connections, two.connections, three.connections) == (2, 1, 1)
