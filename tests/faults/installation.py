"""A whole installation of the distributed engine: broker, Redis, workers, those who are told, and what lies on its log."""

import shutil
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from consumers.delivery.ledger_processor import LEDGER, THREADS, claimed, overtaken, queue
from consumers.delivery.ledger_rules import Thread
from deploy.kafka.broker import Broker
from deploy.redis.server import Redis
from schemas.events import NotificationsPlanned
from schemas.ids import random_id
from schemas.topics import NOTIFICATIONS, TOPICS
from streams.log.kafka import KafkaEventLog
from streams.log.port import LogUnavailableError, Stored, event_of
from streams.runtime.backlog import Backlog
from streams.runtime.partition_state import decoded
from streams.runtime.redis_store import RedisStateStore
from streams.runtime.state_store import StoreUnavailableError
from tests.faults.crew import API, CHANNELS, SENDERS, STREAMS, Crew
from tests.kill.moods import MoodyMailServer, MoodyReceiver
from tests.kill.siege import configuration
from tests.parts.tocsin import COMMAND, PAGE, TOKENS, Spawn
from tocsin.fleet.processors import described

Plans = Mapping[str, frozenset[str]]
"""By update, whom it is planned for."""
_IN_FLIGHT_SECONDS = 1.5
_MOST = 1_000_000


@dataclass(frozen=True)
class Outside:
    """Those who are told, on both channels."""

    email: MoodyMailServer
    webhook: MoodyReceiver

    def calm_down(self) -> None:
        """Be quick and friendly from now on."""
        self.email.calm_down()
        self.webhook.calm_down()


class Installation:
    """Everything that runs. ``plans_at_wipes`` are the plans that lay on the log whenever Redis lost its data."""

    def __init__(self, folder: Path, broker: Broker, redis: Redis, outside: Outside, spawned: Spawn) -> None:
        self.outside = outside
        self.plans_at_wipes: list[Plans] = []
        self._broker = broker
        self._redis = redis
        self._redis_folder = folder / "redis"
        self._spawn = spawned
        self._command_log = folder / "command.log"
        self._namespace = f"{random_id()}."
        self._environment = {"TOCSIN_MASTER_KEY": random_id() + random_id()}
        self._configuration = folder / "tocsin.yaml"
        self._configuration.write_text(self._configured(), "utf-8")
        self.crew = Crew(folder, self._configuration, self._environment, spawned)
        self.log = KafkaEventLog([broker.servers], namespace=self._namespace, chained=False)
        self.store = RedisStateStore(redis.url, self._namespace)
        self.http = httpx.Client(base_url=self.crew.api, timeout=60)

    def _configured(self) -> str:
        page = yaml.safe_load(configuration({channel: getattr(self.outside, channel) for channel in CHANNELS}))
        page["engine"] = {"kafka": self._broker.servers, "redis": self._redis.url, "namespace": self._namespace}
        return yaml.safe_dump(page)

    def begin(self) -> None:
        """Start one worker of the streams, two senders for each channel, and the api."""
        first = [STREAMS[0], *(name for names in SENDERS.values() for name in names), API]
        self.crew.want(first)
        self.crew.wait_until_ready(first)

    def close(self) -> None:
        """Let go of log and store."""
        self.http.close()
        self.log.close()
        self.store.close()

    # --- misfortune ---

    def restart_broker(self, seconds: float) -> None:
        """Kill the broker, and start it again after a while."""
        self._broker.kill()
        time.sleep(seconds)
        self._broker.start()

    def restart_redis(self, seconds: float) -> None:
        """Kill Redis, and start it again with its data after a while."""
        self._redis.kill()
        time.sleep(seconds)
        self._redis.start()

    def wipe_redis(self) -> None:
        """Kill Redis and start it without its data. What was planned by then must stay as it is."""
        self._redis.kill()
        time.sleep(_IN_FLIGHT_SECONDS)  # what was being appended lies on the log by then
        self.plans_at_wipes.append(self.plans())
        for found in self._redis_folder.iterdir():
            if found.name != "redis.log":
                shutil.rmtree(found) if found.is_dir() else found.unlink()
        self._redis.start()

    # --- what is known ---

    def records(self) -> list[Stored]:
        """Return all that lies on the log: partition by partition, each in its order."""
        return [
            stored
            for topic in TOPICS
            for partition in range(topic.partitions)
            for stored in self.log.read(topic.name, partition, 0, _MOST)
        ]

    def plans(self) -> Plans:
        """Return all plans that lie on the log."""
        found: dict[str, set[str]] = defaultdict(set)
        for partition in range(NOTIFICATIONS.partitions):
            for stored in self.log.read(NOTIFICATIONS.name, partition, 0, _MOST):
                if stored.record.type == "NotificationsPlanned":
                    data = event_of(stored.record).data
                    assert isinstance(data, NotificationsPlanned)
                    found[data.update].update(data.recipients)
        return {update: frozenset(recipients) for update, recipients in found.items()}

    def threads(self) -> list[Thread]:
        """Return the ledger as the workers keep it."""
        [spec] = [spec for spec in LEDGER.tables if spec.name == THREADS]
        partitions = range(NOTIFICATIONS.partitions)
        rows = (row for partition in partitions for row in self.store.rows(LEDGER.name, partition, [THREADS]))
        return [decoded(spec, value) for _, value in rows]

    def is_quiet(self) -> bool:
        """Whether everything is folded and nothing waits to be sent, is in somebody's hands, or is to be asked again."""
        try:
            behind = Backlog(self.log, self.store).of(described())
            return not any(each.records for each in behind.values()) and not any(self._waiting())
        except (LogUnavailableError, StoreUnavailableError):
            return False

    def _waiting(self) -> Iterator[int]:
        for ranking in (rank(channel) for rank in (queue, claimed, overtaken) for channel in CHANNELS):
            for partition in range(NOTIFICATIONS.partitions):
                yield self.store.ranked_count(LEDGER.name, partition, ranking)

    def get(self, path: str, **params: str | int) -> Any:
        """Return the JSON of a path of the page's API."""
        headers = {"Authorization": f"Bearer {TOKENS['ops']}"}
        answer = self.http.get(f"/api/v1/pages/{PAGE}/{path}", params=params, headers=headers)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def all_of(self, path: str, name: str) -> list[dict[str, Any]]:
        """Return a list of the page's API, all its pages."""
        found: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            answer = self.get(path, after=cursor, limit=100)
            found += answer[name]
            cursor = answer["next"]
        return found

    def run(self, *words: str) -> tuple[int, str]:
        """Run a command on this engine to its end; return its exit code and what it printed."""
        command: list[str | Path] = [COMMAND, *words, "--config", self._configuration]
        environment = {**self.crew.environment, "COLUMNS": "300"}
        code = self._spawn(command, environment, self._command_log).wait(300)
        return code, self._command_log.read_text("utf-8", "replace")


@contextmanager
def installation(folder: Path, seed: int, spawned: Spawn) -> Iterator[Installation]:
    """Yield an installation of which broker and Redis run, and nothing else yet."""
    with ExitStack() as world:
        outside = Outside(world.enter_context(MoodyMailServer(seed)), world.enter_context(MoodyReceiver(seed)))
        broker = world.enter_context(Broker(folder / "kafka"))
        redis = world.enter_context(Redis(folder / "redis"))
        made = Installation(folder, broker, redis, outside, spawned)
        world.callback(made.close)
        world.enter_context(made.crew)
        yield made
