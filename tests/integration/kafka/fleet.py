"""Workers over one log and one store, as processes that can be killed, paused and replaced."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from deploy.kafka.broker import Broker
from schemas.ids import random_id
from streams.log.kafka import KafkaEventLog
from streams.log.port import Stored
from streams.runtime.faust_driver import FAULT
from streams.runtime.redis_store import RedisStateStore
from tests.integration.kafka.crews import CREWS
from tests.parts.kafka import shared_broker
from tests.parts.processes import rest
from tests.parts.redis import redis_server

PATIENCE = 60
Worker = subprocess.Popen[bytes]


class Fleet:
    """A crew's workers, and what they have done so far. Those that give up are started again, as a supervisor would."""

    def __init__(self, crew: str, folder: Path, servers: str, redis_port: int) -> None:
        self.crew = CREWS[crew]
        self.servers = servers
        self.namespace = f"{random_id()}."
        self.log = KafkaEventLog([servers], self.crew.topics, namespace=self.namespace)
        self.store = RedisStateStore(f"redis://127.0.0.1:{redis_port}/0")
        self.gave_up: list[Worker] = []
        self._folder = folder
        self._command = [sys.executable, "-m", "tests.integration.kafka.worker", crew, servers, self.namespace]
        self._redis_port = redis_port
        self._workers: list[Worker] = []

    # --- workers ---

    def start(self) -> Worker:
        number = len(self._workers)
        with (self._folder / f"worker-{number}.log").open("wb") as out:
            command = [*self._command, str(self._redis_port), str(self._folder / f"faust-{number}")]
            self._workers.append(subprocess.Popen(command, stdout=out, stderr=out))
        return self._workers[-1]

    def kill(self, worker: Worker) -> None:
        worker.kill()
        worker.wait()

    def stop(self, worker: Worker) -> None:
        """Tell a worker to stop, once it works at all; it does so in good order."""
        said = self._folder / f"worker-{self._workers.index(worker)}.log"
        self.wait(lambda: worker.poll() is not None or b"Worker ready" in said.read_bytes())
        worker.terminate()
        assert worker.wait(PATIENCE) == 0, self.said()

    def stop_all(self) -> None:
        for worker in self._workers:
            if worker.poll() is None:
                self.stop(worker)

    def wait(self, reached: Callable[[], bool]) -> None:
        begun = time.monotonic()
        while not reached():
            waited = time.monotonic() - begun
            assert waited < PATIENCE, f"{self.behind()} behind\n{self.said()}"
            self._restart_those_that_gave_up()
            rest(waited)

    def wait_for_all(self) -> None:
        """Wait until everything that lies on the log is folded, whatever follows from it included."""
        self.wait(lambda: self.behind() == 0 and self.behind() == 0)

    def _restart_those_that_gave_up(self) -> None:
        for worker in self._workers:
            if worker.poll() not in (None, 0, -signal.SIGKILL) and worker not in self.gave_up:
                assert worker.returncode == FAULT, self.said()
                self.gave_up.append(worker)
                self.start()

    # --- what became of it ---

    def behind(self) -> int:
        """Return how many messages are yet to be folded, by each processor that reads their topic."""
        left = 0
        for processor in self.crew.processors:
            ends = {topic: self.log.end(topic) for topic in processor.topics}
            for partition in range(max(map(len, ends.values()))):
                at = self.store.positions(processor.name, partition)
                left += sum(end[partition] - at.get(topic, 0) for topic, end in ends.items())
        return left

    def folded(self, processor: str, topic: str) -> int:
        """Return the sum of a processor's positions."""
        count = self.log.partitions(topic)
        return sum(self.store.positions(processor, partition).get(topic, 0) for partition in range(count))

    def lying(self, topic: str) -> list[Stored]:
        """Return all that lies on a topic."""
        return [
            stored
            for number in range(self.log.partitions(topic))
            for stored in self.log.read(topic, number, 0, 100_000)
        ]

    def forget(self) -> None:
        """Empty the store, as a Redis that lost its data is."""
        redis.Redis(port=self._redis_port).flushall()

    def lose_half(self) -> None:
        """Take rows from the store that their positions speak of."""
        client = redis.Redis(port=self._redis_port)
        assert client.delete(*client.scan_iter("*rows*"))

    def said(self) -> str:
        """Return the end of what each worker printed."""
        return "\n".join(path.read_text("utf-8", "replace")[-3000:] for path in sorted(self._folder.glob("worker-*")))

    def close(self) -> None:
        for worker in self._workers:
            worker.kill()
            worker.wait()
        self.log.close()
        self.store.close()


@contextmanager
def fleet_of(crew: str, folder: Path, broker: Broker | None = None) -> Iterator[Fleet]:
    """Give a fleet without workers, on the broker that all tests share or one of the test's own, and a Redis of its own."""
    with redis_server(folder) as port:
        fleet = Fleet(crew, folder, (broker or shared_broker()).servers, port)
        try:
            yield fleet
        finally:
            fleet.close()
