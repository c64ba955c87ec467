"""The log folded anew into an empty projection, against fastavro reading the same rows and doing nothing with them."""

import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench import bare, history
from bench.measure import Metric, at_least
from bench.programs import folder
from consumers.audit.stages import replay_stages
from streams.log.sqlite import SqliteEventLog
from streams.runtime.replay import new_file, replay

ROUNDS = 5
EVENTS = 20_000


def run() -> Iterator[Metric]:
    """Measure."""
    with folder() as place:
        history.make(place, EVENTS)
        loop, folds = [], []
        for _ in range(ROUNDS):
            loop.append(_bare(place))
            folds.append(_replay(place))
        yield at_least("replay", "events folded into an empty projection", median(folds), "events/s", median(loop), 0.5)


def _bare(place: Path) -> float:
    log = SqliteEventLog(place, read_only=True)
    rows = log.query("select fingerprint, body from log order by seq")
    log.close()
    return len(rows) / bare.read([(fingerprint, body) for fingerprint, body in rows])


def _replay(place: Path) -> float:
    log = SqliteEventLog(place, read_only=True)
    start = time.perf_counter()
    done = replay(log, replay_stages(), new_file())
    spent = time.perf_counter() - start
    log.close()
    return done.events / spent
