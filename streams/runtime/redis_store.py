"""State by processor and partition in Redis. It knows keys and rows, neither processors nor the log.

What Redis must be told, and ``problems`` looks for: ``appendonly yes`` and ``appendfsync always`` (what a commit
acknowledged is on the disk), ``maxmemory-policy noeviction`` (a full Redis refuses, and never drops a key in silence).
A Redis that lost everything is folded anew from the log; one that lost a part is refused: HalfLostError.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import chain
from threading import Event as Flag
from typing import Any, TypeVar

import msgspec
import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from schemas.events import Micros
from schemas.shapes import decoder
from streams.log.port import TopicPartition
from streams.runtime import redis_store_scripts as scripts
from streams.runtime.redis_hints import RedisHints, encoded
from streams.runtime.state_store import Changes, Commit, HalfLostError, Held, Listener, Part, Row, StoreUnavailableError

T = TypeVar("T")
_SETTINGS = {
    "appendonly": "yes",
    "appendfsync": "always",
    "no-appendfsync-on-rewrite": "no",
    "maxmemory-policy": "noeviction",
}
_FETCHED = 1_000
"""Fields that one command asks for: Redis does nothing else meanwhile."""
_SCANNED_FROM = 5_000
"""Rows of a page from which on they are not read with one command."""
_OPTIMISM = 2
_decode_wish = decoder(tuple[str, str]).decode  # a Wish


class RedisStateStore:
    """A ``StateStore`` in Redis; one for a process, which shares its connections.

    ``url`` is ``redis://[user:password@]host:port/db`` or ``rediss://``. ``namespace`` (letters, digits and ``._-``) stands
    before every key and channel. ``timeout`` is how long one command may take. A short absence of Redis is waited for.
    Raises ValueError for a namespace that cannot be one, and connects at the first call.
    """

    def __init__(self, url: str, namespace: str = "", *, timeout: timedelta = timedelta(seconds=10)) -> None:
        if not re.fullmatch(r"[\w.-]*", namespace, re.ASCII):
            raise ValueError("a namespace has letters, digits, '.', '_' and '-' only")
        seconds = timeout.total_seconds()
        self._namespace = namespace
        # A commit that is repeated because its answer was lost finds the position moved, which is what it says.
        self._redis: Any = redis.Redis.from_url(
            url,
            socket_timeout=seconds,
            socket_connect_timeout=seconds,
            health_check_interval=15,
            retry=Retry(ExponentialBackoff(cap=0.5, base=0.02), 5),
        )
        self._commit = self._redis.register_script(scripts.COMMIT)
        self._held = self._redis.register_script(scripts.HELD)
        self._channel = f"{namespace}changes"
        self._hints = RedisHints(self._redis, self._channel)
        self._closed = Flag()

    # --- the port: reading ---

    def held(self, processor: str, partition: int) -> Held:
        return self._snapshot(processor, partition, ())[0]

    def positions(self, processor: str, partition: int) -> Mapping[str, int]:
        with self._open():
            found = self._redis.hgetall(self._key(processor, partition, "positions"))
        return _positions(found)

    def positions_of(self, processor: str, partitions: Sequence[int]) -> dict[int, Mapping[str, int]]:
        with self._open():
            pipeline = self._redis.pipeline(transaction=False)
            for partition in partitions:
                pipeline.hgetall(self._key(processor, partition, "positions"))
            answers = pipeline.execute()
        return {partition: _positions(answer) for partition, answer in zip(partitions, answers, strict=True)}

    def rows(self, processor: str, partition: int, tables: Sequence[str]) -> Iterable[tuple[Row, bytes]]:
        for table, page, size in self._pages(processor, partition, tables):
            key = self._key(processor, partition, rows_part(table, page))
            with self._open():
                found = self._redis.hgetall(key) if size < _SCANNED_FROM else self._scanned(key)
            for field, value in found.items():
                yield (table, page, field.decode()), value

    def page(self, processor: str, partition: int, table: str, page: str) -> dict[str, bytes]:
        with self._open():
            found = self._redis.hgetall(self._key(processor, partition, rows_part(table, page)))
        return {key.decode(): value for key, value in found.items()}

    def fetch(self, processor: str, partition: int, wanted: Sequence[Row]) -> dict[Row, bytes]:
        with self._open():
            pipeline = self._redis.pipeline(transaction=False)
            asked = self._ask(pipeline, processor, partition, wanted)
            answers = pipeline.execute()
        return _found(asked, answers)

    def read(self, processor: str, wanted: Mapping[int, Sequence[Row]]) -> dict[int, Part]:
        with self._open():
            pipeline = self._redis.pipeline(transaction=False)
            asked = {}
            for partition, rows in wanted.items():
                asked[partition] = self._ask(pipeline, processor, partition, rows)
                # Behind the rows: where they have not moved until now, the rows are of them.
                pipeline.hgetall(self._key(processor, partition, "positions"))
            answers = iter(pipeline.execute())
        return {
            partition: Part(rows=_found(some, [next(answers) for _ in some]), positions=_positions(next(answers)))
            for partition, some in asked.items()
        }

    def _ask(self, pipeline: Any, processor: str, partition: int, wanted: Sequence[Row]) -> list[Sequence[Row]]:
        """Add the questions for these rows; return which rows each of them is for."""
        by_page: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in wanted:
            by_page[row[:2]].append(row)
        asked = [some for rows in by_page.values() for some in _sliced(rows, _FETCHED)]
        for rows in asked:
            pipeline.hmget(self._key(processor, partition, rows_part(*rows[0][:2])), [row[2] for row in rows])
        return asked

    def snapshot(self, processor: str, partition: int, tables: Sequence[str]) -> tuple[Held, list[tuple[Row, bytes]]]:
        for _ in range(_OPTIMISM):
            held = self.held(processor, partition)
            rows = list(self.rows(processor, partition, tables))
            if self.positions(processor, partition) == held.positions:
                return held, rows  # no commit came between
        return self._snapshot(processor, partition, tables)

    def ranked(
        self, processor: str, partition: int, ranking: str, upto: int | None, limit: int
    ) -> list[tuple[str, int]]:
        return self.ranked_of(processor, [partition], ranking, upto, limit)[partition]

    def ranked_of(
        self, processor: str, partitions: Sequence[int], ranking: str, upto: int | None, limit: int
    ) -> dict[int, list[tuple[str, int]]]:
        most = "+inf" if upto is None else upto
        with self._open():
            pipeline = self._redis.pipeline(transaction=False)
            for partition in partitions:
                key = self._key(processor, partition, f"ranks/{ranking}")
                pipeline.zrangebyscore(key, "-inf", most, start=0, num=limit, withscores=True)
            answers = pipeline.execute()
        return {
            partition: [(member.decode(), int(score)) for member, score in found]
            for partition, found in zip(partitions, answers, strict=True)
        }

    def ranked_count(self, processor: str, partition: int, ranking: str) -> int:
        with self._open():
            return int(self._redis.zcard(self._key(processor, partition, f"ranks/{ranking}")))

    # --- the port: writing ---

    def commit(self, processor: str, place: TopicPartition, expected: int, new: int, changes: Changes) -> bool:
        return self.commit_all(processor, [Commit(place, expected, new, changes)])[0]

    def commit_all(self, processor: str, commits: Sequence[Commit]) -> list[bool]:
        if not commits:
            return []
        told = [self._told(processor, commit) for commit in commits]
        with self._open():
            try:
                answers = self._committed(told)
            except redis.exceptions.NoScriptError:
                self._commit.sha = self._redis.script_load(self._commit.script)
                answers = self._committed(told)
        for commit, answer in zip(commits, answers, strict=True):
            if isinstance(answer, bytes):
                raise self._half_lost(processor, commit.place[1], answer)
        return [bool(answer) for answer in answers]

    def _committed(self, told: Iterable[tuple[list[str], list[Any]]]) -> list[Any]:
        # Not the script itself: in a pipeline it asks each time first whether Redis knows it.
        pipeline = self._redis.pipeline(transaction=False)
        for keys, arguments in told:
            pipeline.evalsha(self._commit.sha, len(keys), *keys, *arguments)
        answers: list[Any] = pipeline.execute()
        return answers

    def _told(self, processor: str, commit: Commit) -> tuple[list[str], list[Any]]:
        """Return the keys and the arguments of the script that does a commit."""
        (topic, partition), changes = commit.place, commit.changes
        parts = _parts(changes)
        keys = [self._key(processor, partition, part) for part in ("positions", "index", *parts)]
        pages = {page for _, page, _ in changes.rows}
        message = encoded(processor, partition, pages) if pages else b""
        told = chain.from_iterable(parts.values())
        beside = [part for name, at in changes.beside.items() for part in (name, at)]
        head = [topic, commit.expected, commit.new, self._channel, message, len(changes.beside)]
        return keys, [*head, *beside, *told]

    def listen(self, listener: Listener) -> None:
        with self._open():
            self._hints.listen(listener)

    def close(self) -> None:
        if not self._closed.is_set():
            self._closed.set()
            self._hints.close()
            self._redis.close()

    # --- for operators ---

    def problems(self) -> list[str]:
        """Return what is wrong with Redis's settings, one sentence each; raises StoreUnavailableError."""
        with self._open():
            self._redis.ping()
            try:
                found = {name: self._redis.config_get(name).get(name) for name in _SETTINGS}
            except redis.ResponseError:
                wanted = ", ".join(f"{name} {value}" for name, value in _SETTINGS.items())
                return [f"Redis does not tell its settings (CONFIG is not allowed); see to it that they are: {wanted}"]
        return [
            f"Redis has {name} {found[name]}; it must be {value}, or Redis may lose some of what it acknowledged"
            for name, value in _SETTINGS.items()
            if found[name] is not None and found[name] != value
        ]

    def forget(self, processor: str, partition: int) -> None:
        """Delete all that is stored of this (processor, partition), which is then folded anew; workers must be down."""
        with self._open():
            for key in self._redis.scan_iter(match=self._key(processor, partition, "*"), count=_FETCHED):
                self._redis.unlink(key)

    # --- inside ---

    def _snapshot(self, processor: str, partition: int, tables: Sequence[str]) -> tuple[Held, list[tuple[Row, bytes]]]:
        keys = [self._key(processor, partition, part) for part in ("positions", "index")]
        with self._open():
            answer = self._held(keys, list(tables))
        if isinstance(answer, bytes):
            raise self._half_lost(processor, partition, answer)
        positions, wishes, origins, parts = answer
        held = Held(
            {topic.decode(): int(position) for topic, position in pairs_of(positions)},
            {_decode_wish(wish): int(float(due)) for wish, due in pairs_of(wishes)},
            {name.decode(): value for name, value in pairs_of(origins)},
        )
        return held, [
            ((*_table_and_page(part), field.decode()), value) for part, flat in parts for field, value in pairs_of(flat)
        ]

    def _pages(self, processor: str, partition: int, tables: Sequence[str]) -> list[tuple[str, str, int]]:
        """Return tables and pages that have rows, with their number."""
        with self._open():
            index = self._redis.hgetall(self._key(processor, partition, "index"))
        rows = [(*_table_and_page(part), int(size)) for part, size in index.items() if part.startswith(b"rows/")]
        return [found for found in rows if found[0] in tables]

    def _scanned(self, key: str) -> dict[bytes, bytes]:
        return dict(self._redis.hscan_iter(key, count=_FETCHED))

    def _key(self, processor: str, partition: int, part: str) -> str:
        return state_key(self._namespace, processor, partition, part)

    def _half_lost(self, processor: str, partition: int, part: bytes) -> HalfLostError:
        where = self._key(processor, partition, "*")
        return HalfLostError(
            f"Redis lost some of the state of {processor}[{partition}] and kept the rest ({part.decode()} is not as it was"
            f" written). Stop the workers, mend Redis's settings, delete the keys {where}: they are made anew from the log"
        )

    @contextmanager
    def _open(self) -> Iterator[None]:
        if self._closed.is_set():
            raise StoreUnavailableError("the store is closed")
        try:
            yield
        except redis.RedisError as error:
            raise StoreUnavailableError(f"Redis: {error}") from error


def state_key(namespace: str, processor: str, partition: int, part: str) -> str:
    """Return the key of a part of what is stored of a (processor, partition)."""
    # The braces keep all keys of a partition in one slot of a cluster: a script may touch no other.
    return f"{namespace}{{{processor}/{partition}}}/{part}"


def _positions(found: Mapping[bytes, bytes]) -> dict[str, int]:
    return {topic.decode(): int(position) for topic, position in found.items()}


def _found(asked: Sequence[Sequence[Row]], answers: Sequence[Sequence[bytes | None]]) -> dict[Row, bytes]:
    return {
        row: value
        for rows, values in zip(asked, answers, strict=True)
        for row, value in zip(rows, values, strict=True)
        if value is not None
    }


def rows_part(table: str, page: str) -> str:
    """Return the last part of the key with a page's rows of a table."""
    return f"rows/{table}/{page}"


def _table_and_page(part: bytes) -> tuple[str, str]:
    _, table, page = part.decode().split("/", 2)
    return table, page


def _parts(changes: Changes) -> dict[str, list[str | bytes | int]]:
    """Return by the last part of a key what the script is told to do there."""
    parts: dict[str, dict[str | bytes, str | bytes | None]] = defaultdict(dict)
    for (table, page, key), value in changes.rows.items():
        parts[rows_part(table, page)][key] = value
    for (ranking, name), score in changes.ranks.items():
        parts[f"ranks/{ranking}"][name] = _number(score)
    for wish, due in changes.wishes.items():
        parts["wishes"][msgspec.json.encode(wish)] = _number(due)
    for name, at in changes.origins.items():
        parts["origins"][name] = at
    return {
        part: _arguments(change, is_sorted=part == "wishes" or part.startswith("ranks/"))
        for part, change in parts.items()
    }


def _arguments(change: Mapping[str | bytes, str | bytes | None], *, is_sorted: bool) -> list[str | bytes | int]:
    put: list[str | bytes] = []
    for name, value in change.items():
        if value is not None:
            put += (value, name) if is_sorted else (name, value)
    gone = [name for name, value in change.items() if value is None]
    return [len(put), len(gone), *put, *gone]


def _number(value: Micros | None) -> str | None:
    return None if value is None else str(value)


def pairs_of(flat: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Yield the fields and values that Redis's Lua returns as one list."""
    return zip(flat[::2], flat[1::2], strict=True)


def _sliced(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (values[start : start + size] for start in range(0, len(values), size))
