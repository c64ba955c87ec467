"""The distributed engine of a run: a real broker, a real Redis, and worker processes that go by the run's clock."""

import asyncio
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from schemas.events import Micros
from schemas.ids import random_id
from schemas.topics import TOPICS
from streams.domain.processor import Processor
from streams.log.port import Stored, TopicPartition
from streams.runtime.clock import Clock
from streams.runtime.kafka_publisher import KafkaPublisher
from streams.runtime.redis_memory import RedisMemory
from streams.runtime.remembering import RememberingPublisher
from streams.runtime.state_store import Held
from tests.parity.telling import Said
from tocsin.config.models import Engine
from tocsin.fleet.followed import followed_board, followed_subscribers
from tocsin.fleet.ground import Ground
from tocsin.fleet.processors import described

PATIENCE = 120.0
"""Seconds until a fleet that does not come to rest is given up: it ends a hang and measures nothing."""
_PAUSE_SECONDS = 0.02
"""Between two looks at a fleet: without it whoever waits takes the processor from those that are waited for."""
DIED = 99
"""The exit code of a worker that died as it was meant to."""
Pair = tuple[str, int]
"""A processor and a partition."""


class Workers:
    """Processes of the role ``streams``. ``deaths`` are after how many appends those that are started first die."""

    def __init__(
        self, folder: Path, command: Sequence[str], environment: Mapping[str, str], deaths: Sequence[int]
    ) -> None:
        self._folder = folder
        self._command = command
        self._environment = environment
        self._deaths = deque(deaths)
        self._all: list[subprocess.Popen[bytes]] = []
        self._leaving: list[subprocess.Popen[bytes]] = []
        self.died = 0
        self._started = 0

    def start(self) -> None:
        """Start one more."""
        appends = self._deaths.popleft() if self._deaths else 0
        with (self._folder / f"worker-{self._started}.log").open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.parity.worker", *self._command, str(appends)],
                env={**os.environ, **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        self._all.append(process)
        self._started += 1

    def replace_newest(self) -> None:
        """Tell the one that was started last to stop, and start another."""
        self._leaving.append(self._all.pop())
        self.start()
        self._leaving[-1].terminate()

    def supervise(self) -> None:
        """Start another in the place of each that died as it was meant to; raise if one ended of something else."""
        for process in list(self._all):
            if process.poll() == DIED:
                self._all.remove(process)
                self.died += 1
                self.start()
            assert process.poll() in (None, DIED), f"a worker ended with {process.returncode}\n{self.printed()}"

    def printed(self) -> str:
        """Return the end of what each of them printed."""
        paths = sorted(self._folder.glob("worker-*.log"))
        return "\n".join(f"--- {path.name}\n{path.read_text('utf-8', 'replace')[-3000:]}" for path in paths)

    def stop(self) -> None:
        """End them all."""
        for process in [*self._all, *self._leaving]:
            process.terminate()
        for process in [*self._all, *self._leaving]:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class FleetEngine:
    """Appends to Kafka, waits for the workers, and reads what they keep in Redis."""

    def __init__(
        self,
        folder: Path,
        clock_file: Path,
        clock: Clock,
        servers: str,
        redis: str,
        environment: Mapping[str, str],
        deaths: Sequence[int],
    ) -> None:
        folder.mkdir()
        namespace = f"{random_id()}."
        engine = Engine.model_validate({"kafka": servers, "redis": redis, "namespace": namespace})
        self.ground = Ground(engine, environment, clock)
        self.processors = described()
        self.workers = Workers(folder, [servers, redis, namespace, str(clock_file)], environment, deaths)
        self.board, self._status = followed_board(self.ground)
        self.book, self._subscribers = followed_subscribers(self.ground)
        self._clock = clock
        self._positions: dict[TopicPartition, int] = {
            (topic.name, partition): 0 for topic in TOPICS for partition in range(topic.partitions)
        }
        self._tail = self.ground.log.tail(self._positions)
        self._news: list[Stored] = []
        self._wanted: dict[Pair, dict[str, int]] = {
            (processor.name, partition): {} for processor in self.processors for partition in range(_count(processor))
        }
        """By processor and partition, for each topic the offset behind the last record that it wants."""
        self._held: dict[Pair, Held] = {pair: Held({}, {}, {}) for pair in self._wanted}
        self._runner = asyncio.Runner()
        self._publisher = KafkaPublisher(self.ground.log)
        memory = RedisMemory(self.ground.redis, namespace)
        self._commands = RememberingPublisher(self._publisher, self.ground.log, memory)

    def start(self, workers: int) -> None:
        """Start the workers, and follow what pages and audiences are read from."""
        for _ in range(workers):
            self.workers.start()
        self._status.start()
        self._subscribers.start()

    # --- the way in ---

    def take(self, said: Sequence[Said]) -> None:
        """Append; commands through their publisher."""
        direct = [each.record for each in said if not each.remembered for _ in range(each.times)]
        if direct:
            self.ground.log.append(direct)
        commands = [each.event for each in said if each.remembered]
        if commands:
            self._runner.run(self._commands.publish(commands))

    def news(self) -> list[Stored]:
        """Return what lay on the log when it last settled and was not returned before; in each partition in order."""
        news, self._news = self._news, []
        return news

    # --- coming to rest ---

    def settle(self) -> None:
        """Return when every processor has folded all that it wants and no wish is due, twice in a row."""
        self._until("the fleet to come to rest", lambda: self._is_settled() and self._is_settled())

    def settle_to_the_ends(self) -> None:
        """Return when also what nobody wants is passed over, and whatever follows in this process has caught up."""
        self.settle()
        self._until("every position to reach its end", self._is_at_the_ends)
        self._status.catch_up(PATIENCE)
        self._subscribers.catch_up(PATIENCE)

    def _until(self, what: str, done: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not done():
            self.workers.supervise()
            assert time.monotonic() < end, f"{what}: not within {PATIENCE} s\n{self.said()}"
            time.sleep(_PAUSE_SECONDS)

    def _is_settled(self) -> bool:
        # What follows from a commit was acknowledged before it: ends that are read after the positions know of it.
        for pair in self._wanted:
            if self._is_behind(pair, self._held[pair]):
                self._held[pair] = self.ground.store.held(*pair)
        self._read_to(self._ends())
        return not any(self._is_behind(pair, held) for pair, held in self._held.items())

    def _is_behind(self, pair: Pair, held: Held) -> bool:
        now = self._clock()
        wanted = self._wanted[pair].items()
        return any(held.positions.get(topic, 0) < end for topic, end in wanted) or any(
            due <= now for due in held.wishes.values()
        )

    def _ends(self) -> dict[TopicPartition, int]:
        log = self.ground.log
        return {(topic.name, partition): end for topic in TOPICS for partition, end in log.end(topic.name).items()}

    def _read_to(self, ends: Mapping[TopicPartition, int]) -> None:
        stop = time.monotonic() + PATIENCE
        while any(self._positions[place] < end for place, end in ends.items()):
            assert time.monotonic() < stop, "the log cannot be read to its end"
            for tailed in self._tail.poll(0.05):
                self._positions[tailed.place] = tailed.position
                for stored in tailed.records:
                    self._note(stored)

    def _note(self, stored: Stored) -> None:
        self._news.append(stored)
        topic = stored.record.topic
        for processor in self.processors:
            if topic in processor.topics and stored.record.type in processor.types:
                self._wanted[processor.name, stored.partition][topic] = stored.offset + 1

    def _is_at_the_ends(self) -> bool:
        ends = self._ends()
        for processor in self.processors:
            for partition in range(_count(processor)):
                positions = self.ground.store.positions(processor.name, partition)
                if any(positions.get(topic, 0) < ends[topic, partition] for topic in processor.topics):
                    return False
        return True

    # --- what is known ---

    def wishes(self) -> dict[tuple[str, str, str], Micros]:
        """Return by processor, page and timer when it is due."""
        return {
            (processor.name, page, timer): due
            for processor in self.processors
            for partition in range(_count(processor))
            for (page, timer), due in self.ground.store.held(processor.name, partition).wishes.items()
        }

    def said(self) -> str:
        """Return what is behind and what the workers printed."""
        behind = [
            f"{name}[{partition}] is at {dict(held.positions)}, wanted {self._wanted[name, partition]},"
            f" {sum(due <= self._clock() for due in held.wishes.values())} wishes are due"
            for (name, partition), held in self._held.items()
            if self._is_behind((name, partition), held)
        ]
        return "\n".join([*behind, self.workers.printed()])

    def close(self) -> None:
        self.workers.stop()
        self._status.stop()
        self._subscribers.stop()
        self._tail.close()
        self._publisher.close()
        self._runner.close()
        self.ground.close()


def _count(processor: Processor) -> int:
    return max(topic.partitions for topic in TOPICS if topic.name in processor.topics)
