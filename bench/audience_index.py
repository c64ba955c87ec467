"""The audience index over a million subscribers, measured in processes of its own: ``python -m bench.audience_index LOG``.

LOG is a folder with a log of sign-ups. Without ``--snapshot`` the index is built from it, with the tables that a planner
folds into, asked, and written there as a snapshot; with it, it is read back. Each prints one JSON line, a ``Built`` or a
``Loaded``; a fresh process is what makes the difference of its memory mean something. All times are the processor's: it is the work of one
thread that waits for nothing, and so what else the machine does is left out.
"""

import gc
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from bench import bare, population
from bench.measure import percentile
from bench.population import PAGE
from consumers.delivery import audience_snapshot
from consumers.delivery.audience import Question, question
from consumers.delivery.audience_file import Place
from consumers.delivery.audience_index import AudienceIndex
from consumers.delivery.audience_rebuild import fold
from streams.log.sqlite import SqliteEventLog

QUESTIONS = 1_000
TO_IDS = 100
ROUNDS = 3
PIECE = 20_000
"""Records that are folded, and then read barely, in turn."""


class Built(msgspec.Struct, frozen=True):
    """What building and asking took: times in milliseconds, rates in subscribers a second.

    ``bare`` is fastavro's rate over the same records. ``audience`` is the mean number of those who are told.
    """

    bytes_each: float
    built: float
    bare: float
    numbers_p50: float
    numbers_p99: float
    match_p99: float
    audience: float


class Loaded(msgspec.Struct, frozen=True):
    """What reading a snapshot took, in subscribers a second; ``bare`` reads the file, sums it, and makes a dict of its ids."""

    bytes_each: float
    loaded: float
    bare: float


def build(place: Path) -> Built:
    """Build the index and ask it."""
    log = SqliteEventLog(place, read_only=True)
    _bare_decode(log, 1, 1_000)  # what is compiled or opened at first is nobody's
    before, index = _memory(), AudienceIndex()
    seconds = bare_seconds = 0.0
    # Turn by turn, so that whatever else the machine does meanwhile is felt by both.
    for start in range(1, log.query("select max(seq) from log")[0][0] + 1, PIECE):
        seconds += _timed(partial(fold, log, index, start, start + PIECE))[0]
        bare_seconds += _bare_decode(log, start, start + PIECE)
    gc.collect()
    taken, count = _memory() - before, index.count(PAGE)
    asked = _questions()
    found = [len(index.numbers(PAGE, each)) for each in asked[:TO_IDS]]
    numbers = [_milliseconds(index.numbers, each) for each in asked]
    ids = [_milliseconds(index.match, each) for each in asked[:TO_IDS]]
    snapshot_of(place).write_bytes(audience_snapshot.dump(index, Place(1, "")))
    return Built(
        bytes_each=taken / count,
        built=count / seconds,
        bare=count / bare_seconds,
        numbers_p50=percentile(numbers, 0.5),
        numbers_p99=percentile(numbers, 0.99),
        match_p99=percentile(ids, 0.99),
        audience=sum(found) / len(found),
    )


def read(place: Path) -> Loaded:
    """Read the snapshot back, the best of some rounds: the first one reads a file that was written just now."""
    before = _memory()
    seconds, index = _timed(lambda: audience_snapshot.load(snapshot_of(place).read_bytes(), Place)[0])
    gc.collect()
    taken, count, ids = _memory() - before, index.count(PAGE), index.pages[PAGE].ids
    text = "\n".join(ids)
    del index, ids
    again = [
        _timed(lambda: audience_snapshot.load(snapshot_of(place).read_bytes(), Place)[0])[0] for _ in range(ROUNDS)
    ]
    bared = [_timed(lambda: _bare(snapshot_of(place), text))[0] for _ in range(ROUNDS)]
    return Loaded(taken / count, count / min(seconds, *again), count / min(bared))


def snapshot_of(place: Path) -> Path:
    """Return where the snapshot lies."""
    return place / "bench.snapshot"


def _bare_decode(log: SqliteEventLog, start: int, end: int) -> float:
    rows = log.query("select fingerprint, body from log where seq >= ? and seq < ? order by seq", (start, end))
    return bare.read([(fingerprint, body) for fingerprint, body in rows], time.process_time)


def _bare(path: Path, text: str) -> tuple[bytes, dict[str, int]]:
    ids = text.split("\n")
    return sha256(path.read_bytes()).digest(), dict(zip(ids, range(len(ids)), strict=True))


def _timed(act: Callable[[], Any]) -> tuple[float, Any]:
    gc.collect()
    began = time.process_time()
    found = act()
    return time.process_time() - began, found


def _questions() -> list[Question]:
    random = Random(2)
    notices = [population.notice("update", "subject", population.changes(random), 0) for _ in range(QUESTIONS)]
    return [question(each, population.lineage) for each in notices]


def _milliseconds(ask: Callable[[str, Question], Any], asked: Question) -> float:
    began = time.process_time()
    ask(PAGE, asked)
    return (time.process_time() - began) * 1_000


def _memory() -> int:
    """Return this process's resident bytes."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    where = Path(sys.argv[1])
    print(msgspec.json.encode(read(where) if "--snapshot" in sys.argv else build(where)).decode())
