"""Whom an update is meant for, among a million subscribers; and a million notifications planned, durable as ledger rows.

The bare loop of planning is ``executemany`` of the same rows into a ledger with the same indexes.
"""

import gc
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from bench import population
from bench.audience_index import SUBSCRIBERS, Figures
from bench.measure import Metric, at_most, noted
from bench.population import PAGE
from bench.programs import folder
from consumers.delivery.ledger import LedgerStage
from consumers.delivery.subscribers import ACTIVE, Subscriber
from consumers.delivery.subscribers import SUBSCRIBERS as TABLE
from schemas.events import AnyEvent, Event, Filter, NoticePublished
from schemas.ids import random_id
from schemas.vocabulary import Impact, Kind
from streams.log.port import record_of
from tocsin.backend import Backend

_ROWS = (
    "notification, page, subject, update_id, subscriber, channel, shard, state, reason, worker, attempts, at, due, turn"
)
_PRAGMAS = ("journal_mode = wal", "synchronous = full", "cache_size = -65536")


def run() -> Iterator[Metric]:
    """Measure."""
    yield from _index()
    with folder() as place:
        planned, waited, rows = _plan(place)
        bare = _bare(place, rows)
    yield at_most("audience", f"{len(rows):,} notifications planned, rows durable", planned, "s", 10, bare)
    yield noted("audience", "longest wait of another append meanwhile", waited, "s")


def _index() -> Iterator[Metric]:
    command = [sys.executable, "-m", "bench.audience_index"]
    found = msgspec.json.decode(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout, type=Figures)
    of = f"of {SUBSCRIBERS:,}"
    yield at_most("audience", f"audience {of} known, p99", found.numbers_p99, "ms", 3)
    yield noted("audience", f"audience {of} known, p50", found.numbers_p50, "ms")
    yield noted("audience", f"the same as ids ({found.audience:,.0f} on average), p99", found.match_p99, "ms")
    yield at_most("audience", "memory of the index for a subscriber", found.bytes_each, "bytes", 300)
    yield noted("audience", "subscribers put into the index", found.built_each_second, "/s")


def _plan(place: Path) -> tuple[float, float, list[Any]]:
    """Return the seconds of planning, the longest wait of somebody else's append meanwhile, and the rows."""
    backend = Backend(place / "data", {})
    try:
        backend.log.submit(lambda _: _subscribe(backend)).result()
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


def _subscribe(backend: Backend) -> None:
    """Give the stage a million subscribers as if it had folded them: signing them up is not what is measured."""
    table = backend.subscribers.tables[TABLE]
    wanted = Filter(None, Impact.NONE, [Kind.INCIDENT])
    random = Random(4)
    for number in range(SUBSCRIBERS):
        key = f"{random.getrandbits(128):032x}"
        channel = "webhook" if number % 5 == 0 else "email"
        table.fill(PAGE, key, Subscriber(key, channel, b"", wanted, ACTIVE, "", "bench", 0))
        backend.subscribers.index.set(PAGE, key, channel, wanted)


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
