"""Announcements over a real Redis: all that listen hear them, and whoever speaks does not notice where nobody can."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue

import pytest

from deploy.redis.server import Redis
from streams.runtime.announcements import Placed
from streams.runtime.partition_steps import Message
from streams.runtime.redis_announcements import RedisAnnouncements
from streams.runtime.redis_client import redis_client
from streams.runtime.state_store import StoreUnavailableError
from tests.parts.redis import new_redis

pytestmark = [pytest.mark.redis, pytest.mark.slow]
PATIENCE = 60
FIRST: Placed = (("tocsin.alerts", 3), Message(17, "AlertReceived", b"\xc3\x01\x00\xff", "a/b/0@1.2"))
SECOND: Placed = (("tocsin.pages", 0), Message(0, "PageDefined", b""))


class Installation:
    """Announcements of one namespace, and what was heard."""

    def __init__(self, redis: Redis, namespace: str = "one.") -> None:
        self.client = redis_client(redis.url)
        self.speaking = RedisAnnouncements(self.client, namespace)
        self.listening = RedisAnnouncements(self.client, namespace)
        self.heard: SimpleQueue[Sequence[Placed]] = SimpleQueue()

    def listen(self) -> None:
        self.listening.listen(self.heard.put)

    def close(self) -> None:
        self.listening.close()
        self.client.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Redis]:
    with new_redis(tmp_path) as redis:
        yield redis


@pytest.fixture
def site(server: Redis) -> Iterator[Installation]:
    made = Installation(server)
    yield made
    made.close()


def test_what_is_announced_is_heard_whole_and_in_order(site: Installation) -> None:
    site.listen()
    site.speaking.announce([FIRST, SECOND])
    site.speaking.announce([SECOND])
    assert site.heard.get(timeout=PATIENCE) == [FIRST, SECOND]
    assert site.heard.get(timeout=PATIENCE) == [SECOND]


def test_another_namespace_hears_nothing_of_it(server: Redis, site: Installation) -> None:
    other = Installation(server, "two.")
    site.listen()
    other.listen()
    site.speaking.announce([FIRST])
    other.speaking.announce([SECOND])
    assert other.heard.get(timeout=PATIENCE) == [SECOND]
    assert site.heard.get(timeout=PATIENCE) == [FIRST]
    other.close()


def test_what_is_large_and_what_a_stranger_says_is_passed_over(site: Installation) -> None:
    site.listen()
    place, message = FIRST
    site.speaking.announce([(place, message._replace(frame=bytes(100_000)))])
    site.client.publish("one.appended", b"\xffnonsense")
    site.speaking.announce([SECOND])
    assert site.heard.get(timeout=PATIENCE) == [SECOND]


def test_where_redis_is_away_nobody_is_told_and_nothing_fails_and_later_all_is_heard_again(
    server: Redis, site: Installation
) -> None:
    site.listen()
    server.kill()
    site.speaking.announce([FIRST])
    with pytest.raises(StoreUnavailableError):
        RedisAnnouncements(site.client, "one.").listen(site.heard.put)
    server.start()
    heard: list[Sequence[Placed]] = []
    for _ in range(20 * PATIENCE):
        site.speaking.announce([SECOND])
        with suppress(Empty):
            heard.append(site.heard.get(timeout=0.05))
            break
    assert heard == [[SECOND]]
