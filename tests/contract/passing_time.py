"""What the suites share of ports that a fake and Redis implement, and whose answers change as time goes by."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any, Generic, NamedTuple, TypeVar

from schemas.ids import random_id
from tests.contract.store.stores import shared_redis

Port_co = TypeVar("Port_co", covariant=True)


class Site(NamedTuple, Generic[Port_co]):
    """A port of a test's own, and how its time is let go by."""

    port: Port_co
    wait: Callable[[float], None]


def faked(fake: Callable[[Callable[[], float]], Port_co]) -> Site[Port_co]:
    """Return a fake, made with its clock (seconds), whose time goes by when it is told to."""
    now = [0.0]

    def wait(seconds: float) -> None:
        now[0] += seconds

    return Site(fake(lambda: now[0]), wait)


@contextmanager
def on_redis(made: Callable[[Any, str], Port_co]) -> Iterator[Site[Port_co]]:
    """Yield what is made with a client and a namespace; its time goes by by itself."""
    from streams.runtime.redis_client import redis_client

    client = redis_client(shared_redis().url)
    yield Site(made(client, f"{random_id()}."), _wait)
    client.close()


def _wait(seconds: float) -> None:
    Event().wait(seconds)
