"""A real Faust worker over a log that began without a registry and went on with one."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from schemas.events import AlertRefreshed, Event
from schemas.ids import derive, random_id
from streams.log.kafka import KafkaEventLog
from streams.log.port import Record, record_of
from streams.log.registry import registered
from streams.runtime.faust_driver import FAULT
from streams.runtime.redis_store import RedisStateStore
from tests.builders.counting import COUNTING
from tests.integration.registry.worker import TOPICS
from tests.parts.kafka import shared_broker
from tests.parts.processes import PATIENCE, wait_for
from tests.parts.redis import redis_server
from tests.parts.registry import shared_registry

pytestmark = [pytest.mark.kafka, pytest.mark.redis, pytest.mark.registry]
ALERTS, PAGES = TOPICS
BASE = 1_790_000_000_000_000
NEVER = 2**60


def alert(number: int) -> Record:
    data = AlertRefreshed("prom", f"f{number % 3}", "e1", NEVER)
    identifier = derive("alert", str(number))
    return record_of(Event(identifier, "acme", BASE, BASE + number, "source:prom", None, None, drill=False, data=data))


@contextmanager
def worker(folder: Path, namespace: str, redis_port: int, *registry: str) -> "Iterator[subprocess.Popen[bytes]]":
    where = [shared_broker().servers, namespace, str(redis_port), str(folder / "faust"), *registry]
    with (folder / "worker.log").open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.registry.worker", *where], stdout=out, stderr=out
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_both_framings_are_folded_and_what_cannot_be_read_is_not_passed_over(tmp_path: Path) -> None:
    url, namespace = shared_registry().url, f"{random_id()}."
    servers = [shared_broker().servers]
    plain = KafkaEventLog(servers, TOPICS, namespace=namespace)
    framed = KafkaEventLog(servers, TOPICS, namespace=namespace, framing=registered(url))
    plain.append([alert(number) for number in range(6)])
    framed.append([alert(number) for number in range(6, 12)])
    plain.append([alert(number) for number in range(12, 15)])
    with redis_server(tmp_path) as port:
        store = RedisStateStore(f"redis://127.0.0.1:{port}/0")

        def folded() -> int:
            places = [store.positions(COUNTING.name, at) for at in range(ALERTS.partitions)]
            return sum(positions.get(ALERTS.name, 0) for positions in places)

        with worker(tmp_path, namespace, port) as blind:
            assert blind.wait(PATIENCE) == FAULT
        assert "no registry is configured" in (tmp_path / "worker.log").read_text("utf-8")
        assert folded() < 15
        with worker(tmp_path, namespace, port, url):
            wait_for("15 alerts folded", lambda: folded() == 15)
        counts = {
            row[2]: msgspec.json.decode(value)
            for at in range(ALERTS.partitions)
            for row, value in store.rows(COUNTING.name, at, ["counts"])
        }
        store.close()
    assert counts == {"f0": 5, "f1": 5, "f2": 5}
    said = [each.record for at in range(PAGES.partitions) for each in framed.read(PAGES.name, at, 0, 1000)]
    assert len({record.id for record in said}) == 15
    plain.close()
    framed.close()
