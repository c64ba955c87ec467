"""Moves an installation from a data folder to the distributed engine: keys, log, proof. It changes nothing in the folder."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, TypeVar

import msgspec

from consumers.delivery.planner import PlannerStage
from schemas.topics import DEFAULT_PARTITIONS, TOPICS
from streams.domain.episodes import EPISODES
from streams.domain.pages import PAGES
from streams.keys import sqlite as key_file
from streams.keys import transfer as keys
from streams.keys.transfer import CarriedKeys, KeyTransferError
from streams.log.kafka import KafkaEventLog
from streams.log.kafka.clusters import topics_in
from streams.log.kafka.keys import NAME as KEYS_TOPIC
from streams.log.kafka.keys import KafkaKeyTopic
from streams.log.port import TopicPartition
from streams.log.sqlite import SqliteEventLog
from streams.log.transfer import Carried, Transfer
from streams.runtime.clock import system_clock
from streams.runtime.redis_keys import RedisKeyStore, forget_keys
from streams.runtime.redis_store import RedisStateStore
from tocsin.folder import FolderLock

EMITTING = (EPISODES.name, PAGES.name, PlannerStage.name)
"""The stages from which something follows: on the target nothing follows any more from what was carried over."""
PROCESSORS = ("episodes", "pages", "status", "reliability", "subscribers", "planner", "asker", "ledger", "failing")


class MigrationError(Exception):
    """The move cannot be made, or not in this state of either side; the message says what to do."""


class Target(msgspec.Struct, frozen=True):
    """A cluster, and what stands before every name there."""

    servers: Sequence[str]
    namespace: str = ""
    replication: int = 1


class Plan(msgspec.Struct, frozen=True):
    """What is to be done: events and keys of the source, and how many events arrived in an earlier run."""

    events: int
    arrived: int
    keys: int


class Done(msgspec.Struct, frozen=True):
    """What both sides hold now."""

    partitions: Mapping[TopicPartition, Carried]
    keys: CarriedKeys | None


class Bar(Protocol):
    """Shows how far one part of the work is; called with how much is done."""

    def __call__(self, done: int) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...


NewBar = Callable[[str, int | None], Bar]


class Migration:
    """Both sides, open. Nobody else may write in the folder meanwhile, and no worker may run on the target.

    Opening raises MigrationError, FolderInUseError, LogError and StoreUnavailableError.
    """

    def __init__(self, folder: Path, target: Target, redis_url: str | None) -> None:
        self._target = target
        self._redis_url = redis_url
        self._open = ExitStack()
        try:
            self._open.enter_context(FolderLock(folder))
            self.source = _source(self._open, folder)
            _require_caught_up(self.source)
            file = folder / key_file.FILE_NAME
            self._keys = _closing(self._open, key_file.SqliteKeyStore(file)) if file.exists() else None
            if redis_url is not None:
                _require_stateless(redis_url, target.namespace)
            log = KafkaEventLog(
                target.servers, namespace=target.namespace, replication=target.replication, chained=False
            )
            self._transfer = Transfer(self.source, _closing(self._open, log), system_clock)
        except BaseException:  # whatever it was: nothing stays open
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close both sides."""
        self._open.close()

    def run(self, new_bar: NewBar) -> Done:
        """Carry over what has not arrived yet, prove that all of it did, and fill Redis with the keys if there is one.

        May be killed and run again at any point. Raises MigrationError, LogError, KeyStoreUnavailableError.
        """
        standing = self._transfer.standing()  # before anything is written: the target may hold another log
        carried_keys = self._carry_keys(new_bar)
        total = _last(self.source)
        with new_bar("log", total) as bar:
            self._transfer.carry(standing, bar)
        with new_bar("comparing", total) as bar:
            found = self._transfer.verify(bar)
        if self._redis_url is not None:
            self._fill_redis(self._redis_url)
        return Done(found, carried_keys)

    def _carry_keys(self, new_bar: NewBar) -> CarriedKeys | None:
        if self._keys is None:
            return None
        with self._topic() as topic, _said():
            lacking = keys.standing(self._keys, topic)
            with new_bar("keys", len(lacking)) as bar:
                keys.carry(topic, lacking, bar)
            return keys.verify(self._keys, topic)

    def _fill_redis(self, url: str) -> None:
        forget_keys(url, self._target.namespace)
        RedisKeyStore(url, self._new_topic, namespace=self._target.namespace).close()

    @contextmanager
    def _topic(self) -> Iterator[KafkaKeyTopic]:
        topic = self._new_topic()
        try:
            yield topic
        finally:
            topic.close()

    def _new_topic(self) -> KafkaKeyTopic:
        target = self._target
        return KafkaKeyTopic(target.servers, namespace=target.namespace, replication=target.replication)


def plan(folder: Path, target: Target, redis_url: str | None) -> Plan:
    """Say what ``Migration.run`` would do, without writing anywhere: a server may go on using the folder.

    Raises what opening a ``Migration`` raises.
    """
    with ExitStack() as opened:
        source = _source(opened, folder)
        if redis_url is not None:
            _require_stateless(redis_url, target.namespace)
        arrived = _arrived(opened, source, target)
        file = folder / key_file.FILE_NAME
        if not file.exists():
            return Plan(_last(source), arrived, 0)
        store = _closing(opened, key_file.SqliteKeyStore(file))
        return Plan(_last(source), arrived, sum(1 for _ in store.owners()))


def _arrived(opened: ExitStack, source: SqliteEventLog, target: Target) -> int:
    there = topics_in(target.servers, target.namespace)
    missing = {topic.name for topic in TOPICS} - there
    if missing and (there - {KEYS_TOPIC}) & {topic.name for topic in TOPICS}:
        raise MigrationError(f"the target has some of the log's topics and lacks {', '.join(sorted(missing))}")
    if missing:
        return 0
    log = KafkaEventLog(target.servers, namespace=target.namespace, chained=False)
    standing = Transfer(source, _closing(opened, log), system_clock).standing()
    statement = (
        "select count(*) from log where place = (select number * 4096 + ? from topics where name = ?) and seq < ?"
    )
    return sum(
        int(source.query(statement, (partition, topic, upto))[0][0]) for (topic, partition), upto in standing.items()
    )


def _source(opened: ExitStack, folder: Path) -> SqliteEventLog:
    return _closing(opened, SqliteEventLog(folder, read_only=True))


def _require_caught_up(source: SqliteEventLog) -> None:
    last = _last(source)
    found = dict(source.query('select "group", position from positions where place = 0'))
    behind = [name for name in EMITTING if found.get(name, 1) <= last]
    if behind:
        raise MigrationError(
            f"{', '.join(behind)} did not finish what the log holds: start the server on this folder once, stop it with"
            " SIGTERM, and try again"
        )


def _require_stateless(url: str, namespace: str) -> None:
    store = RedisStateStore(url, namespace)
    try:
        for name in PROCESSORS:
            if any(store.positions(name, partition) for partition in range(DEFAULT_PARTITIONS)):
                raise MigrationError(
                    f"Redis holds what {name} folded from a log: stop the workers, and empty it or choose a namespace"
                )
    finally:
        store.close()


def _last(source: SqliteEventLog) -> int:
    return int(source.query("select coalesce(max(seq), 0) from log")[0][0])


class _Closing(Protocol):
    def close(self) -> None: ...


C = TypeVar("C", bound=_Closing)


def _closing(opened: ExitStack, one: C) -> C:
    opened.callback(one.close)
    return one


@contextmanager
def _said() -> Iterator[None]:
    try:
        yield
    except KeyTransferError as error:
        raise MigrationError(str(error)) from error
