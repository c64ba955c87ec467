"""Ports are given to one process each, though their servers take long until they listen."""

import secrets
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from deploy import child

_ASK = "from deploy import child; child._PORTS = range({}, {}); print(child.free_port())"


def some(number: int) -> range:
    return range(10_000 + number, 10_006 + number)


def all_free(ports: range) -> bool:
    with ExitStack() as opened:
        try:
            for port in ports:
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    opened.enter_context(socket.socket(type=kind)).bind((child.HOST, port))
        except OSError:
            return False
    return True


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> Iterator[range]:
    """Let there be six ports; none is given to this process yet."""
    ports = next(found for begin in iter(lambda: secrets.randbelow(20_000), None) if all_free(found := some(begin)))
    marks: deque[object] = deque()
    monkeypatch.setattr(child, "_PORTS", ports)
    monkeypatch.setattr(child, "_marks", marks)
    yield ports
    child._unmark()


def test_nobody_is_given_what_another_was(few: range) -> None:
    mine = {child.free_port() for _ in few[1:]}
    assert len(mine) == len(few) - 1
    asked = subprocess.run(
        [sys.executable, "-c", _ASK.format(few.start, few.stop)], capture_output=True, text=True, check=True
    )
    assert {int(asked.stdout)} == set(few) - mine


def test_whoever_is_given_many_lets_go_of_the_oldest(few: range, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_MOST_MARKS", 2)
    given = [child.free_port() for _ in range(30)]
    assert set(given) == set(few), "those that were let go of are given again"
    assert all(given[at] not in given[at + 1 : at + 3] for at in range(28))
