"""What every client of a broker is set up with, whatever it does."""

from collections.abc import Sequence
from datetime import timedelta
from socket import socket
from typing import Any
from weakref import WeakKeyDictionary

from kafka.future import Future
from kafka.net import KafkaNetSocket
from kafka.net.selector import NetworkSelector

_DIRECT = "direct"
_OPENED: WeakKeyDictionary[NetworkSelector, list[socket]] = WeakKeyDictionary()
"""The sockets of each client's loop."""


class _Direct(KafkaNetSocket):
    """Connects without a proxy, and leaves no socket open behind a client that has been closed.

    kafka-python 3.0 leaves one to the collector when it is refused, when its client is closed while it connects, and
    when a client is closed by another thread at the moment at which a connection is made.
    Ways to connect are chosen by the scheme of a proxy's URL; subclasses are registered by theirs.
    """

    SCHEMES = (_DIRECT,)

    async def sock_connect(
        self, net: NetworkSelector, sock: socket, sockaddr: Any, timeout_at: float | None = None
    ) -> socket:
        _keep(sock, net)
        try:
            connected: socket = await super().sock_connect(net, sock, sockaddr, timeout_at=timeout_at)
        except Exception:  # whatever it was: nobody else knows of the socket
            sock.close()
            raise
        return connected


def _keep(sock: socket, net: NetworkSelector) -> None:
    """Hold the socket until the loop is closed; those that were closed before are forgotten at the next."""
    if net not in _OPENED:
        _OPENED[net] = []
        net.call_soon(lambda: _close_with_the_loop(_OPENED[net]))
    _OPENED[net][:] = [each for each in _OPENED[net] if each.fileno() != -1] + [sock]


async def _close_with_the_loop(opened: list[socket]) -> None:
    """Wait until the loop is closed: it cancels what waits, and that is all that it tells anybody."""
    try:
        await Future()
    finally:
        for sock in opened:
            sock.close()


def settings(servers: Sequence[str], timeout: timedelta = timedelta(seconds=30)) -> dict[str, Any]:
    """Return the arguments of a client that gives up the first connection, and each question, after ``timeout``."""
    milliseconds = int(timeout.total_seconds() * 1000)
    return {
        "bootstrap_servers": list(servers),
        "bootstrap_timeout_ms": milliseconds,
        "request_timeout_ms": milliseconds,
        # Half a minute by default: so long would a broker that is back seem to be gone.
        "reconnect_backoff_max_ms": 1000,
        "proxy_url": f"{_DIRECT}://",
    }
