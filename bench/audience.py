"""Whom an update is meant for, among a million subscribers; and a million notifications planned, durable as ledger rows.

``AUDIENCE`` is another number of subscribers. The index's bare loops are in ``audience_index``; that of planning is
``executemany`` of the same rows into a ledger with the same indexes.
"""

import gc
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.resources import files
from itertools import count, islice
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from bench import population
from bench.audience_index import Built, Loaded
from bench.measure import Metric, at_least, at_most, noted
from bench.population import PAGE
from bench.programs import folder
from bench.seating import seat
from consumers.delivery.ledger import LedgerStage
from consumers.delivery.subscribers import ACTIVE, Subscriber
from schemas.events import AnyEvent, Event, Filter, NoticePublished, SubscriberAdded
from schemas.ids import random_id
from schemas.vocabulary import Impact, Kind
from streams.log.port import record_of
from streams.log.sqlite import SqliteEventLog
from tocsin.backend import Backend

SUBSCRIBERS = int(os.environ.get("AUDIENCE", "1000000"))
_STEP = 5_000
_NOW, _EACH = 1_795_000_000_000_000, 40_000
_ROWS = (
    "notification, page, subject, update_id, subscriber, channel, shard, state, reason, worker, attempts, at, due, turn"
)
_PRAGMAS = ("journal_mode = wal", "synchronous = full", "cache_size = -65536")


def run() -> Iterator[Metric]:
    """Measure."""
    with folder() as place:
        yield from _index(place)
    with folder() as place:
        planned, waited, rows = _plan(place)
        bare = _bare(place, rows)
    yield at_most("audience", f"{len(rows):,} notifications planned, rows durable", planned, "s", 10, bare)
    yield noted("audience", "longest wait of another append meanwhile", waited, "s")


def _index(place: Path) -> Iterator[Metric]:
    _sign_up(place)
    found = msgspec.json.decode(_measured(str(place)), type=Built)
    of = f"of {SUBSCRIBERS:,}"
    yield at_most("audience", f"audience {of} known, p99", found.numbers_p99, "ms", 3)
    yield noted("audience", f"audience {of} known, p50", found.numbers_p50, "ms")
    yield noted("audience", f"the same as ids ({found.audience:,.0f} on average), p99", found.match_p99, "ms")
    yield at_most("audience", "memory of all that a planner holds, a subscriber", found.bytes_each, "bytes", 300)
    yield at_least("audience", "index built from the log, subscribers", found.built, "/s", found.bare, 0.5)
    again = msgspec.json.decode(_measured(str(place), "--snapshot"), type=Loaded)
    rate = Metric(
        "audience", "index read from a snapshot, subscribers", again.loaded, "/s", again.bare,
        again.loaded / again.bare, ">= 1000000", again.loaded >= 1_000_000,
    )  # fmt: skip
    yield rate
    yield at_most("audience", "memory after that, a subscriber", again.bytes_each, "bytes", 300)


def _measured(*arguments: str) -> bytes:
    command = [sys.executable, "-m", "bench.audience_index", *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout


def _sign_up(place: Path) -> None:
    """Write a log of sign-ups and nothing else, with addresses as long as sealed ones are."""
    log, random = SqliteEventLog(place), Random(3)
    people = population.subscribers(SUBSCRIBERS)
    try:
        while some := list(islice(people, _STEP)):
            added = (SubscriberAdded(key, "email", random.randbytes(80), wanted, True, "bench") for key, wanted in some)
            times = count(_NOW + log.last * _EACH, _EACH)
            events = [
                Event(random_id(), PAGE, at, at, "bench", None, None, False, each)
                for at, each in zip(times, added, strict=False)
            ]
            log.append([record_of(event) for event in events])
    finally:
        log.close()


def _plan(place: Path) -> tuple[float, float, list[Any]]:
    """Return the seconds of planning, the longest wait of somebody else's append meanwhile, and the rows."""
    backend = Backend(place / "data", {})
    try:
        seat(backend, PAGE, _people())
        gc.collect()
        gc.freeze()
        event = _notice(backend.clock())
        began = time.perf_counter()
        planned = backend.log.submit(lambda at: backend.log.append_within(at, [record_of(event)], [event]))
        waited = 0.0
        while not planned.done() or backend.driver.committed_position(LedgerStage.name) <= backend.log.last:
            asked = time.perf_counter()
            backend.log.submit(lambda _: None).result()
            waited = max(waited, time.perf_counter() - asked)
        return time.perf_counter() - began, waited, backend.log.query(f"select {_ROWS} from ledger")
    finally:
        backend.close()


def _people() -> Iterator[Subscriber]:
    wanted = Filter(None, Impact.NONE, [Kind.INCIDENT])
    random = Random(4)
    for number in range(SUBSCRIBERS):
        key = f"{random.getrandbits(128):032x}"
        channel = "webhook" if number % 5 == 0 else "email"
        yield Subscriber(key, channel, b"", wanted, ACTIVE, "", "bench", 0)


def _notice(now: int) -> AnyEvent:
    notice = population.notice(random_id(), random_id(), population.changes(Random(5)), now)
    return Event(random_id(), PAGE, now, now, "tocsin", None, None, False, NoticePublished(notice))


def _bare(place: Path, rows: list[Any]) -> float:
    """Return the seconds of the same rows in one durable transaction."""
    connection = sqlite3.connect(place / "bare.db", isolation_level=None)
    for pragma in _PRAGMAS:
        connection.execute(f"pragma {pragma}")
    connection.executescript((files("consumers.delivery") / "ledger.sql").read_text("utf-8"))
    began = time.perf_counter()
    connection.execute("begin immediate")
    connection.executemany(f"insert into ledger ({_ROWS}) values (?,?,?,?,?,?,?,?,?,?,?,?,?,?)", rows)
    connection.execute("commit")
    spent = time.perf_counter() - began
    connection.close()
    return spent
