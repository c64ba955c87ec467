"""A real Redis of a test's own; its port is the system's choice, its data the test's folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.errors import PartUnavailableError
from deploy.redis.server import Redis
from tests.parts.need import unavailable


def new_redis(folder: Path) -> Redis:
    """Return a Redis of the test's own, not yet started; where there is none the test is skipped, in CI it fails."""
    try:
        return Redis(folder)
    except PartUnavailableError as error:
        unavailable(f"redis-server: {error}")


@contextmanager
def redis_server(folder: Path) -> Iterator[int]:
    """Run a Redis that takes connections, and give its port."""
    with new_redis(folder) as redis:
        yield redis.port
