"""These tests speak of public addresses and must never reach one: a connection beyond loopback is refused."""

import sys
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import pytest

_guarding = False


def _refuse_the_outside(event: str, args: tuple[Any, ...]) -> None:
    if _guarding and event == "socket.connect" and isinstance(args[1], tuple):
        host = str(args[1][0])
        if host != "localhost" and not ip_address(host.partition("%")[0]).is_loopback:
            raise ConnectionRefusedError(f"a test tried to connect to {host}")


sys.addaudithook(_refuse_the_outside)


@pytest.fixture(autouse=True)
def loopback_only() -> Iterator[None]:
    global _guarding  # noqa: PLW0603 - an audit hook cannot be removed, only told to rest
    _guarding = True
    yield
    _guarding = False
