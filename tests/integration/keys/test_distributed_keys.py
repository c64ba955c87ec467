"""What only the key store of the fleet has: two places that must say the same, whatever dies in between."""

import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from threading import Lock

import pytest
import redis

from schemas.ids import random_id
from streams.keys.store import Kept, KeyStoreUnavailableError
from streams.keys.topic import Change, kept_of, row_of
from streams.keys.vault import ErasedError, Vault
from streams.log.port import LogUnavailableError
from streams.runtime.redis_keys import RedisKeyStore
from tests.parts.kafka import new_broker, shared_broker
from tests.parts.processes import wait_for
from tests.parts.redis import redis_server

pytestmark = pytest.mark.redis
OWNERS = ("ann", "ben", "cy")


class MemoryTopic:
    """A topic in memory that several stores share; ``fails`` says which appends are refused, ``stores`` which of them
    are written all the same.
    """

    def __init__(self) -> None:
        self.identity = random_id()
        self.words: list[Change] = []
        self.fails: Callable[[Sequence[Change]], bool] = lambda _: False
        self.stores: Callable[[], bool] = lambda: False
        self._lock = Lock()

    def append(self, changes: Sequence[Change]) -> None:
        failed = self.fails(changes)
        with self._lock:
            if not failed or self.stores():
                self.words += changes
        if failed:
            raise LogUnavailableError("the broker is away")

    def replay(self) -> Iterator[list[Change]]:
        yield list(self.words)

    def last(self) -> dict[str, Kept]:
        """What the topic says of every owner in the end."""
        return {owner: kept_of(row) for owner, row in dict(self.words).items() if row}

    def close(self) -> None:
        """There is nothing to release."""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("redis")) as port:
        yield f"redis://127.0.0.1:{port}/0"


@pytest.fixture
def emptied(url: str) -> Iterator[Callable[[], object]]:
    """Empty Redis."""
    client = redis.Redis.from_url(url)
    yield client.flushall
    client.close()


@contextmanager
def opened(url: str, topic: MemoryTopic) -> Iterator[RedisKeyStore]:
    store = RedisKeyStore(url, lambda: topic, timeout=timedelta(seconds=20))
    try:
        yield store
    finally:
        store.close()


def held(store: RedisKeyStore) -> dict[str, Kept]:
    found = {owner: store.get(owner) for owner in store.owners()}
    return {owner: kept for owner, kept in found.items() if kept is not None}


def test_an_empty_redis_is_filled_from_the_topic(url: str, emptied: Callable[[], object]) -> None:
    topic = MemoryTopic()
    with opened(url, topic) as store:
        for number in range(1_200):
            store.add(f"s{number}", Kept(f"k{number}".encode(), b"even" if number % 2 == 0 else b"odd"))
        for number in range(0, 1_200, 3):
            store.erase(f"s{number}")
        before, even = held(store), store.find(b"even")
        emptied()
        assert store.get("s0") is None, "what was erased stays so"
        assert store.get("s1") == Kept(b"k1", b"odd"), "and nobody is told that a key is gone which is not"
        assert (held(store), store.find(b"even")) == (before, even)
    with opened(url, topic) as other:
        assert held(other) == before == topic.last()


def test_a_redis_that_was_filled_from_another_topic_is_filled_anew(url: str) -> None:
    with opened(url, MemoryTopic()) as store:
        store.add("ann", Kept(b"key", b"hash"))
    topic = MemoryTopic()
    topic.append([("ben", row_of(Kept(b"ben's", None)))])
    with opened(url, topic) as store:
        assert held(store) == {"ben": Kept(b"ben's", None)}
        assert store.find(b"hash") == []


def test_what_the_topic_did_not_take_was_not_done(url: str) -> None:
    topic = MemoryTopic()
    with opened(url, topic) as store:
        store.add("ann", Kept(b"key", b"hash"))
        topic.fails = lambda _: True
        with pytest.raises(KeyStoreUnavailableError):
            store.erase("ann")
        assert store.get("ann") is not None, "so that whoever wanted it erased can ask again"
        with pytest.raises(KeyStoreUnavailableError):
            store.add("ben", Kept(b"key", None))
        topic.fails = lambda _: False
        store.add("ben", Kept(b"another", None))
        assert held(store)["ben"] == topic.last()["ben"]
        assert store.erase("ann")
        assert "ann" not in topic.last()


def test_an_erasure_whose_process_died_is_finished_by_the_next(url: str) -> None:
    topic = MemoryTopic()
    with opened(url, topic) as store:
        store.add("ann", Kept(b"key", b"hash"))
        topic.fails = lambda _: True
        with suppress(KeyStoreUnavailableError):
            store.erase("ann")
    topic.fails = lambda _: False
    with opened(url, topic) as store:
        assert held(store) == topic.last() == {}


@pytest.mark.parametrize("seed", range(8))
def test_whatever_happens_at_once_redis_and_the_topic_agree(url: str, emptied: Callable[[], object], seed: int) -> None:
    topic = MemoryTopic()
    failing = random.Random(seed)
    topic.fails = lambda _: failing.random() < 0.1
    topic.stores = lambda: failing.random() < 0.5

    def work(number: int, store: RedisKeyStore) -> None:
        chance = random.Random(f"{seed}/{number}")
        for _ in range(60):
            owner = chance.choice(OWNERS)
            with suppress(KeyStoreUnavailableError):
                if chance.random() < 0.4:
                    store.erase(owner)
                else:
                    store.add(owner, Kept(chance.randbytes(8), chance.choice((b"x", b"y", None))))
            if chance.random() < 0.02:
                emptied()

    with opened(url, topic) as one, opened(url, topic) as other, ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(work, number, (one, other)[number % 2]) for number in range(6)]:
            done.result()
    topic.fails = lambda _: False
    with opened(url, topic) as store:
        assert held(store) == topic.last()
        for lookup in (b"x", b"y"):
            assert store.find(lookup) == sorted(owner for owner, kept in topic.last().items() if kept.lookup == lookup)


def test_another_process_forgets_what_was_erased_within_the_bound(url: str) -> None:
    topic = MemoryTopic()
    with opened(url, topic) as one, opened(url, topic) as other:
        assert other.remembered is not None
        assert other.remembered <= 30
        here, there = Vault(one, bytes(32)), Vault(other, bytes(32))
        here.create("ann")
        sealed = here.seal("ann", b"x")
        assert there.open("ann", sealed) == b"x"
        here.erase("ann")
        assert there.open("ann", sealed) == b"x", "it has read the key and may remember it"
        other.remembered = 0.0
        again = Vault(other, bytes(32))
        here.create("ann")
        sealed = here.seal("ann", b"y")
        assert again.open("ann", sealed) == b"y"
        here.erase("ann")
        with pytest.raises(ErasedError):
            again.open("ann", sealed)


def test_nobody_is_called_erased_while_redis_is_away(tmp_path: Path) -> None:
    topic = MemoryTopic()
    with redis_server(tmp_path) as port:
        store = RedisKeyStore(f"redis://127.0.0.1:{port}/0", lambda: topic, timeout=timedelta(seconds=1))
        store.add("ann", Kept(b"key", None))
    for call in (lambda: store.get("ann"), lambda: store.erase("ann"), lambda: store.find(b"x")):
        with pytest.raises(KeyStoreUnavailableError):
            call()
    store.close()


@pytest.mark.kafka
def test_nobody_listens(url: str) -> None:
    from streams.log.kafka.keys import KafkaKeyTopic

    with pytest.raises(KeyStoreUnavailableError):
        RedisKeyStore(url, lambda: KafkaKeyTopic(["127.0.0.1:1"], timeout=timedelta(seconds=1)))


@pytest.mark.kafka
def test_a_long_topic_is_replayed_whole() -> None:
    from streams.log.kafka.keys import KafkaKeyTopic

    topic = KafkaKeyTopic([shared_broker().servers], namespace=f"{random_id()}.")
    try:
        words: list[Change] = [(f"owner {number}", b"\x01k" + bytes([number % 256])) for number in range(5_000)]
        words += [(f"owner {number}", None) for number in range(0, 5_000, 7)]
        topic.append(words)
        assert [change for batch in topic.replay() for change in batch] == words
    finally:
        topic.close()


@pytest.mark.kafka
@pytest.mark.slow
def test_what_is_erased_leaves_the_disk(tmp_path: Path) -> None:
    from streams.log.kafka.keys import KafkaKeyTopic

    folder = tmp_path / "kafka"
    with new_broker(folder) as broker:
        topic = KafkaKeyTopic([broker.servers], erased_within=timedelta(seconds=3))
        key, other = b"\x10the-wrapped-key!", b"\x10another-one-here"
        topic.append([("ann", key), ("ben", other)])

        def on_disk(row: bytes) -> bool:
            files = [path for path in (folder / "data").glob("tocsin.keys-0/*.log*") if path.is_file()]
            return any(row in path.read_bytes() for path in files)

        assert on_disk(key)
        topic.append([("ann", None)])
        wait_for("the key leaves the disk", lambda: not on_disk(key), patience=300)
        assert on_disk(other)
        topic.close()
