"""How folding grows with partitions: 1, 2 and 4 of them with as many workers, against kafka-python's own bare consume loop.

Each round has a log of its own, filled with alerts of many pages before the workers start; a worker folds all that a worker
folds, and the round ends when every processor has come to the end of everything. The time counts from when each
partition has moved, so that no process is measured while it starts. The bare loop reads the same alerts, in one process,
and does nothing with them.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path

from kafka import KafkaConsumer

from bench.measure import Metric, noted
from bench.partition_worker import open_log
from bench.programs import cluster, folder
from bench.webhooks import BATCH, batches, webhook
from producers.intake.judging import Origin, Verdicts, keys_of
from producers.sources.alertmanager import parse
from producers.sources.source import RawRequest
from schemas.events import AnyEvent, Event
from schemas.ids import derive
from schemas.topics import ALERTS
from streams.domain.catalogue import Catalogue, difference
from streams.domain.episodes import EPISODES
from streams.log.kafka import KafkaEventLog
from streams.log.port import record_of
from streams.runtime.backlog import Backlog
from streams.runtime.clock import system_clock
from streams.runtime.redis_store import RedisStateStore
from tests.parts.processes import wait_for
from tocsin.config.catalogue import desired
from tocsin.config.loader import load_example
from tocsin.fleet.processors import described

ROUNDS = (1, 2, 4)
PAGES = 64
ALERTS_OF_PAGE = 200
_SOURCE = "prom"
_PATIENCE = 600.0


def run() -> Iterator[Metric]:
    """Measure."""
    rates: dict[int, float] = {}
    with folder() as place, cluster(place) as (broker, redis):
        for count in ROUNDS:
            where = Round(place, broker.servers, redis.url, count)
            bare, rates[count] = where.measured()
            of = f"alerts folded by everybody, {count} partitions and workers"
            yield noted("kafka_partitions", of, rates[count], "alerts/s", bare)
    for count in ROUNDS[1:]:
        yield noted("kafka_partitions", f"{count} partitions to 1", rates[count] / rates[1], "times")


class Round:
    """One log with so many partitions, and as many workers."""

    def __init__(self, place: Path, servers: str, redis: str, count: int) -> None:
        self._place = place / str(count)
        self._place.mkdir()
        self._servers = servers
        self._redis = redis
        self._count = count
        self._namespace = f"bench{count}."

    def measured(self) -> tuple[float, float]:
        """Return how many alerts a second the bare loop reads, and the workers fold."""
        with (
            closing(open_log(self._servers, self._namespace, self._count)) as log,
            closing(RedisStateStore(self._redis, self._namespace)) as store,
        ):
            _fill(log)
            bare = self._bare()
            with self._workers():
                return bare, self._folded(log, store)

    def _bare(self) -> float:
        """Read all alerts as kafka-python does, from when the first of them came."""
        total = PAGES * ALERTS_OF_PAGE
        consumer = KafkaConsumer(
            self._namespace + ALERTS.name, bootstrap_servers=[self._servers], group_id=None,
            auto_offset_reset="earliest", enable_auto_commit=False, consumer_timeout_ms=int(_PATIENCE * 1000),
        )  # fmt: skip
        with closing(consumer):
            next(consumer)
            start = time.perf_counter()
            for _ in range(total - 1):
                next(consumer)
            return (total - 1) / (time.perf_counter() - start)

    @contextmanager
    def _workers(self) -> Iterator[None]:
        processes = []
        try:
            for number in range(self._count):
                folder = self._place / str(number)
                folder.mkdir()
                command = [sys.executable, "-m", "bench.partition_worker", self._servers, self._redis]
                command += [self._namespace, str(self._count), str(folder)]
                with (folder / "worker.log").open("wb") as log:
                    processes.append(subprocess.Popen(command, stdout=log, stderr=log, env=os.environ))
            yield
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(60)

    def _folded(self, log: KafkaEventLog, store: RedisStateStore) -> float:
        def begun() -> int | None:
            found = [store.positions(EPISODES.name, partition).get(ALERTS.name, 0) for partition in range(self._count)]
            return sum(found) if all(found) else None

        backlog = Backlog(log, store)
        before = wait_for("every partition to move", begun, patience=_PATIENCE)
        start = time.perf_counter()
        wait_for(
            "every fold to come to the end",
            lambda: not any(each.records for each in backlog.of(described()).values()),
            patience=_PATIENCE,
        )
        return (PAGES * ALERTS_OF_PAGE - before) / (time.perf_counter() - start)


def _fill(log: KafkaEventLog) -> None:
    """Define the pages, and append their alerts as the intake does, page by page in turn."""
    pages = [f"page-{number}" for number in range(PAGES)]
    changes = difference(Catalogue(), desired(load_example({})))
    now = system_clock()
    for page in pages:
        defined = [
            Event(derive(page, str(rank)), page, now, now, "bench", None, None, False, data)
            for rank, data in enumerate(changes)
        ]
        log.append([record_of(event) for event in defined])
    for numbers in batches(0, ALERTS_OF_PAGE // BATCH):
        for page in pages:
            log.append([record_of(event) for event in _alerts(page, numbers)])


def _alerts(page: str, numbers: range) -> list[AnyEvent]:
    body, now = webhook(numbers), system_clock()
    alerts = parse(RawRequest(body, {}, "application/json", now)).alerts
    verdicts = Verdicts(Origin(page, _SOURCE, sha256(body).hexdigest(), now), {})
    verdicts.judge_all(keys_of(_SOURCE, alerts), alerts)
    return verdicts.events
