"""Connections to receivers: kept while they are of use, never shared, closed when nobody needs them. On both event loops."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from ipaddress import ip_network
from typing import Any

import aiohttp
import httpx
import pytest
import uvloop

from consumers.delivery.net.guard import Guard, RefusedAddressError, Resolve, resolve
from consumers.delivery.net.http import Body, GuardedClient, target
from tests.fakes.webhook import FakeWebhookReceiver, Hang, Reply
from tests.unit.delivery.channels.conftest import Tls, tls  # noqa: F401 - a fixture

BODY = b'{"type": "test", "timestamp": "", "data": {}}'
HEADERS = {"content-type": "application/json", "webhook-id": "1"}
MOST = 2
Loop = Callable[[], asyncio.AbstractEventLoop]
Test = Callable[[GuardedClient], Awaitable[None]]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> Loop:
    made: Loop = request.param
    return made


def run(loop: Loop, test: Test, *, resolver: Resolve = resolve, **options: Any) -> None:
    """Run a test with a client, and see that nothing of it stays open."""

    async def whole() -> None:
        client = GuardedClient(Guard([ip_network("127.0.0.0/8")], resolver), connections=MOST, **options)
        try:
            await test(client)
        finally:
            await client.close()
        await _until(lambda: client.open == 0)

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(whole())


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(120):
        while not holds():  # noqa: ASYNC110 - a socket that is closed sets no event
            await asyncio.sleep(0.01)


async def _post(client: GuardedClient, url: str) -> int:
    async with client.post(httpx.URL(url), HEADERS, Body(BODY)) as response:
        await response.read()
        return response.status


def test_one_request_after_the_other_takes_one_connection(loop: Loop) -> None:
    async def test(client: GuardedClient) -> None:
        assert [await _post(client, receiver.url) for _ in range(5)] == [204] * 5
        assert (receiver.connections, client.open) == (1, 1)

    with FakeWebhookReceiver() as receiver:
        run(loop, test)


def test_no_more_than_its_number_are_in_use_at_once(loop: Loop) -> None:
    async def test(client: GuardedClient) -> None:
        assert await asyncio.gather(*(_post(client, receiver.url) for _ in range(8))) == [204] * 8
        assert receiver.connections == MOST

    with FakeWebhookReceiver() as receiver:
        receiver.script(Reply(204, delay=0.01))
        run(loop, test)


def test_a_connection_that_the_server_closed_is_not_used_again(loop: Loop) -> None:
    async def test(client: GuardedClient) -> None:
        with FakeWebhookReceiver() as receiver:
            assert await _post(client, receiver.url) == 204
            port = receiver.port
        await _until(lambda: client.open == 0)
        with FakeWebhookReceiver(port) as again:
            assert await _post(client, again.url) == 204

    run(loop, test)


def test_nothing_is_written_to_a_connection_that_was_closed_a_moment_ago(loop: Loop) -> None:
    """The loop has not heard of it when the next request begins: nothing is awaited between the two."""

    async def test(client: GuardedClient) -> None:
        receiver = FakeWebhookReceiver()
        with receiver:
            assert await _post(client, receiver.url) == 204
        body = Body(BODY)
        with pytest.raises(aiohttp.ClientConnectorError):
            async with client.post(httpx.URL(receiver.url), HEADERS, body):
                pass
        assert not body.left

    run(loop, test)


def test_a_failed_connection_gives_its_place_back(loop: Loop) -> None:
    async def test(client: GuardedClient) -> None:
        with FakeWebhookReceiver() as receiver:
            gone = receiver.url
        for _ in range(4):
            with pytest.raises(aiohttp.ClientConnectorError):
                await _post(client, gone)
        assert client.open == 0
        with FakeWebhookReceiver() as receiver:
            assert await asyncio.gather(*(_post(client, receiver.url) for _ in range(4))) == [204] * 4

    run(loop, test)


def test_a_request_that_is_given_up_closes_its_connection_and_gives_its_place_back(loop: Loop) -> None:
    async def test(client: GuardedClient) -> None:
        for _ in range(2 * MOST):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await _post(client, receiver.url)
        await _until(lambda: client.open == 0)
        receiver.script(Reply(204))
        assert await _post(client, receiver.url) == 204

    with FakeWebhookReceiver() as receiver:
        receiver.script(Hang())
        run(loop, test)


def test_a_handshake_that_is_given_up_closes_its_connection(loop: Loop) -> None:
    async def test(client: GuardedClient) -> None:
        for _ in range(2 * MOST):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await _post(client, f"https://127.0.0.1:{deaf.getsockname()[1]}/")
        await _until(lambda: client.open == 0)

    with socket.create_server(("127.0.0.1", 0)) as deaf:
        run(loop, test)


def test_a_connection_under_tls_is_kept_too(loop: Loop, tls: Tls) -> None:  # noqa: F811 - the fixture
    async def test(client: GuardedClient) -> None:
        assert [await _post(client, receiver.url) for _ in range(3)] == [204] * 3
        assert receiver.connections == 1

    with FakeWebhookReceiver(tls=tls.server) as receiver:
        run(loop, test, context=tls.client)


async def _keeps(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer everything and close nothing, whatever is asked."""
    with suppress(asyncio.IncompleteReadError, OSError):
        while await reader.readuntil(BODY):
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
    writer.close()


def test_idle_connections_to_many_hosts_do_not_pile_up(loop: Loop) -> None:
    """Of connections to ever other hosts as many stay open as may be in use, though no server closes any."""

    async def test(client: GuardedClient) -> None:
        async with await asyncio.start_server(_keeps, "0.0.0.0", 0) as server:
            port = server.sockets[0].getsockname()[1]
            for host in range(2, 42):
                assert await _post(client, f"http://127.0.0.{host}:{port}/") == 204
                assert client.open <= MOST + 1  # the last one is closing
            await client.close()

    run(loop, test)


def test_one_connection_is_never_used_for_two_names(loop: Loop) -> None:
    async def both(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    async def test(client: GuardedClient) -> None:
        for name in ("one.example", "two.example"):
            assert await _post(client, f"http://{name}:{receiver.port}/") == 204
        assert receiver.connections == 2

    with FakeWebhookReceiver() as receiver:
        run(loop, test, resolver=both)


def test_of_several_addresses_one_that_answers_is_taken(loop: Loop) -> None:
    async def several(host: str, port: int) -> list[str]:
        return ["127.0.0.77", "127.0.0.1"]

    async def test(client: GuardedClient) -> None:
        assert await _post(client, f"http://several.example:{receiver.port}/") == 204

    with FakeWebhookReceiver() as receiver:
        run(loop, test, resolver=several)


@pytest.mark.parametrize("host", ["10.0.0.1", "[::1]", "[::ffff:10.0.0.1]"])
def test_an_address_that_no_resolver_sees_is_checked_when_it_is_dialled(loop: Loop, host: str) -> None:
    async def test(client: GuardedClient) -> None:
        with pytest.raises(RefusedAddressError):
            await _post(client, f"http://{host}:8080/")
        assert client.open == 0

    run(loop, test)


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com", "http://example.com/a%20b?x=%2F&y=a+b", "https://[2606:4700::1111]:8443/x",
        "https://bücher.example/x", "http://127.0.0.1:80/", "http://example.com//evil.example/x",
        "http://example.com/a;b=1?c=http://d/?e=f", "http://example.com/%zz/é?é", "http://example.com/a:b@c",
    ],
)  # fmt: skip
def test_what_was_checked_is_what_is_asked_for(text: str) -> None:
    url = httpx.URL(text)
    asked = target(url)
    assert asked.raw_host is not None
    assert (asked.scheme, asked.raw_host.encode(), asked.raw_path_qs.encode(), asked.explicit_port) == (
        url.scheme,
        url.raw_host,
        url.raw_path,
        url.port,
    )
