"""Clients of a broker leave no socket open, whatever becomes of their connection."""

import gc
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from kafka import KafkaAdminClient
from kafka.errors import KafkaError
from kafka.net.inet import create_connection
from kafka.net.selector import NetworkSelector

from streams.log.kafka.clients import settings


@pytest.fixture(autouse=True)
def no_socket_is_left() -> Iterator[None]:
    """Make the collector's warning, an error here, come in the test that left something."""
    yield
    gc.collect()


@contextmanager
def busy() -> Iterator[int]:
    """Yield a port that takes no more connections: whoever connects waits."""
    with (
        socket.create_server(("127.0.0.1", 0), backlog=0) as server,
        socket.socket() as first,
        socket.socket() as second,
    ):
        for each in (first, second):
            each.setblocking(False)
            each.connect_ex(server.getsockname())
        yield server.getsockname()[1]


def test_a_client_that_is_closed_while_it_connects() -> None:
    with busy() as port:
        net = NetworkSelector()
        net.call_soon(lambda: create_connection(net, "127.0.0.1", port, proxy_url=settings([])["proxy_url"]))
        net.poll(timeout_ms=50)
        net.close()


def test_a_client_that_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(KafkaError):
        KafkaAdminClient(**{**settings([f"127.0.0.1:{port}"]), "bootstrap_timeout_ms": 300})


def test_a_client_that_is_closed_when_it_has_just_been_let_in() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, closing(NetworkSelector()) as net:
        port = server.getsockname()[1]
        let_in = net.run(create_connection, net, "127.0.0.1", port, (), settings([])["proxy_url"])
        assert let_in.fileno() > 0
    assert let_in.fileno() == -1
