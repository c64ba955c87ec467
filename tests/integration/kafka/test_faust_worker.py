"""A processor under real Faust workers, killed at work: nothing lost, nothing counted twice."""

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
import redis

from schemas.events import AlertRefreshed, AnyEvent, Event, PromiseReminded
from schemas.ids import derive, random_id
from streams.log.kafka import KafkaEventLog
from streams.log.port import event_of, record_of
from streams.runtime.faust_driver import GROUP
from streams.runtime.redis_store import RedisStateStore
from tests.integration.kafka.counting import ALERTS, COUNTING, PAGES, TOPICS
from tests.parts.kafka import shared_broker
from tests.parts.redis import redis_server

pytestmark = [pytest.mark.kafka, pytest.mark.redis, pytest.mark.slow]
INSTANCES = 12
PATIENCE = 60
BASE = 1_790_000_000_000_000


class Fleet:
    """Workers over one log and one store, and what they have done so far."""

    def __init__(self, folder: Path, servers: str, redis_port: int) -> None:
        self.namespace = f"{random_id()}."
        self.log = KafkaEventLog([servers], TOPICS, namespace=self.namespace)
        self.store = RedisStateStore(f"redis://127.0.0.1:{redis_port}/0")
        self._folder = folder
        self._command = [sys.executable, "-m", "tests.integration.kafka.worker", servers, self.namespace]
        self._redis_port = redis_port
        self._workers: list[subprocess.Popen[bytes]] = []
        self._appended = 0
        self.gave_up: list[subprocess.Popen[bytes]] = []

    def start(self) -> "subprocess.Popen[bytes]":
        number = len(self._workers)
        with (self._folder / f"worker-{number}.log").open("wb") as out:
            command = [*self._command, str(self._redis_port), str(self._folder / f"faust-{number}")]
            self._workers.append(subprocess.Popen(command, stdout=out, stderr=out))
        return self._workers[-1]

    def append(self, count: int) -> None:
        first, self._appended = self._appended, self._appended + count
        self.log.append([record_of(_alert(number)) for number in range(first, self._appended)])

    @property
    def folded(self) -> int:
        return sum(
            self.store.positions(COUNTING.name, number).get(ALERTS.name, 0) for number in range(ALERTS.partitions)
        )

    def wait(self, reached: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE
        while not reached():
            assert time.monotonic() < until, f"{self.folded} of {self._appended} folded\n{self._said()}"
            self._restart_those_that_gave_up()
            time.sleep(0.01)

    def wait_for_all(self) -> None:
        self.wait(lambda: self.folded == self._appended)

    def _restart_those_that_gave_up(self) -> None:
        """Do what a supervisor does: a worker that was not killed by us and ended is started again."""
        for worker in self._workers:
            if worker.poll() not in (None, 0, -signal.SIGKILL) and worker not in self.gave_up:
                self.gave_up.append(worker)
                self.start()

    def forget(self) -> None:
        """Empty the store, as a Redis that lost its data is."""
        redis.Redis(port=self._redis_port).flushall()

    def counts(self) -> dict[str, int]:
        rows = [
            row for number in range(ALERTS.partitions) for row in self.store.rows(COUNTING.name, number, ["counts"])
        ]
        return {key: msgspec.json.decode(value, type=int) for (_, _, key), value in rows}

    def emitted(self) -> list[AnyEvent]:
        return [
            event_of(stored.record)
            for number in range(PAGES.partitions)
            for stored in self.log.read(PAGES.name, number, 0, 100_000)
        ]

    def check(self) -> None:
        """Each instance was counted exactly as often as it came, and each count was said under one id."""
        wanted = Counter(_fingerprint(number) for number in range(self._appended))
        assert self.counts() == dict(wanted)
        said: dict[str, tuple[str, int]] = {}
        for event in self.emitted():
            assert isinstance(event.data, PromiseReminded)
            what = (event.data.incident, event.data.promise_at)
            assert said.setdefault(event.id, what) == what, "an event that is emitted again is the same event"
        assert sorted(said.values()) == sorted(
            (fingerprint, number + 1) for fingerprint, count in wanted.items() for number in range(count)
        )

    def close(self) -> None:
        for worker in self._workers:
            worker.kill()
            worker.wait()
        self.log.close()
        self.store.close()

    def _said(self) -> str:
        return "\n".join(path.read_text("utf-8", "replace")[-3000:] for path in sorted(self._folder.glob("worker-*")))


def _fingerprint(number: int) -> str:
    return f"instance-{number % INSTANCES}"


def _alert(number: int) -> AnyEvent:
    data = AlertRefreshed(source="prom", fingerprint=_fingerprint(number), episode="e1", expires_at=BASE + number)
    identifier = derive("alert", str(number))
    return Event(identifier, "acme", BASE + number, BASE + number, "source:prom", None, None, drill=False, data=data)


@contextmanager
def _fleet(folder: Path) -> Iterator[Fleet]:
    with redis_server(folder) as port:
        fleet = Fleet(folder, shared_broker().servers, port)
        try:
            yield fleet
        finally:
            fleet.close()


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with _fleet(tmp_path) as made:
        yield made


def test_killed_in_the_middle_and_started_again(fleet: Fleet) -> None:
    first = fleet.start()
    fleet.append(200)
    fleet.wait(lambda: fleet.folded > 0)
    fleet.append(6_000)
    fleet.wait(lambda: fleet.folded > 400)
    first.kill()
    first.wait()
    stood = fleet.folded
    assert stood < 6_200, "the worker was to be killed at work"
    fleet.append(100)
    fleet.start()
    fleet.wait_for_all()
    fleet.check()


def test_partitions_move_between_workers_while_some_die_and_one_is_paused(fleet: Fleet) -> None:
    first = fleet.start()
    fleet.append(500)
    fleet.wait(lambda: fleet.folded > 0)
    second = fleet.start()
    fleet.append(2_000)
    fleet.wait(lambda: fleet.folded > 800)
    first.send_signal(signal.SIGSTOP)
    fleet.append(500)
    fleet.wait_for_all()
    fleet.append(1_000)
    first.send_signal(signal.SIGCONT)
    second.kill()
    second.wait()
    fleet.wait_for_all()
    fleet.check()


def test_an_empty_store_is_folded_anew_whatever_the_group_committed(fleet: Fleet) -> None:
    first = fleet.start()
    fleet.append(400)
    fleet.wait_for_all()
    first.terminate()
    assert first.wait() == 0, "a worker that is told to stop stops in good order"
    assert sum(fleet.log.positions(GROUP).values()) == 400, "Faust committed positions of its own"
    fleet.forget()
    fleet.start()
    fleet.wait_for_all()
    fleet.check()
