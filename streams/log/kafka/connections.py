"""Blocking connections to brokers: one question at a time, asked and answered in the thread that asks.

kafka-python's own clients hand every question to a thread of theirs and back. In a process that is busy each of these
turns waits for the interpreter, and an append takes three times the processor time (``docs/decisions/0007``).
"""

import socket
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, NamedTuple

from kafka.errors import KafkaConnectionError
from kafka.protocol.parser import KafkaProtocol

_AT_ONCE = 64 * 1024
_CLIENT = "tocsin"


class Address(NamedTuple):
    """Where a broker listens."""

    host: str
    port: int


class Link:
    """A connection to one broker. After an error it is of no use and is to be closed."""

    def __init__(self, address: Address, until: float) -> None:
        """Connect; raises OSError, also where that takes longer than ``until``, in seconds of the monotonic clock."""
        self._socket = socket.create_connection(address, _left(until))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._protocol = KafkaProtocol(client_id=_CLIENT)

    def send(self, request: Any, until: float) -> None:
        """Ask; raises OSError."""
        self._protocol.send_request(request)
        self._socket.settimeout(_left(until))
        self._socket.sendall(self._protocol.send_bytes())

    def receive(self, until: float) -> Any:
        """Return the answer to what was asked; raises OSError and the protocol's errors."""
        answers: list[tuple[int, Any]] = []
        while not answers:
            self._socket.settimeout(_left(until))
            read = self._socket.recv(_AT_ONCE)
            if not read:
                raise KafkaConnectionError("the broker closed the connection")
            answers = self._protocol.receive_bytes(read)
        return answers[0][1]

    def close(self) -> None:
        self._socket.close()


def _left(until: float) -> float:
    left = until - monotonic()
    if left <= 0:
        raise TimeoutError("no answer from the broker")
    return left


class Links:
    """The connections to brokers, opened when first needed. For one thread at a time."""

    def __init__(self, address_of: Callable[[int], Address]) -> None:
        self._address_of = address_of
        self._open: dict[int, Link] = {}

    def ask(self, requests: Mapping[int, Any], until: float) -> dict[int, Any]:
        """Ask brokers, by their ids, all at once, and return their answers.

        Raises OSError and the library's errors, and then nobody knows what became of any; all begins anew after that.
        """
        try:
            for node, request in requests.items():
                self._to(node, until).send(request, until)
            return {node: self._open[node].receive(until) for node in requests}
        except BaseException:  # whatever it was: an answer that comes late would be taken for the next one's
            self.close()
            raise

    def _to(self, node: int, until: float) -> Link:
        if node not in self._open:
            self._open[node] = Link(self._address_of(node), until)
        return self._open[node]

    def close(self) -> None:
        """Close all; the next question opens what it needs."""
        for link in self._open.values():
            link.close()
        self._open.clear()
