"""A log on a real broker with a real schema registry: what others read of it, and what becomes of it without the registry."""

import json
import struct
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
import httpx
import pytest

from deploy.registry.server import Registry
from schemas import codec
from schemas.ids import random_id
from schemas.topics import TOPICS
from schemas.wire import SINGLE_OBJECT, Framing
from streams.log.chain import GENESIS, link
from streams.log.message import headers_of
from streams.log.port import EventLog, LogCorruptError, LogUnavailableError, Record, Stored, record_of
from streams.log.registry import SchemaRegistry, registered
from tests.parts.kafka import shared_broker
from tests.parts.registry import new_registry, shared_registry
from tests.unit.schemas import kept

pytestmark = [pytest.mark.kafka, pytest.mark.registry]
SHORT = timedelta(seconds=1)
TIMER = "TimerFired"


def records() -> list[Record]:
    """One event of every type; a timer's topic is its processor's."""
    events = [each.event for each in kept.examples()]
    timers = {"topic": "tocsin.pages", "key": "acme"}
    return [record_of(event, **timers) if event.type == TIMER else record_of(event) for event in events]


class Cluster:
    """Logs over the same topics of one broker, opened with whatever framing."""

    def __init__(self, stack: ExitStack) -> None:
        self.namespace = f"{random_id()}."
        self.servers = [shared_broker().servers]
        self._stack = stack

    def log(self, framing: Framing) -> Any:
        from streams.log.kafka import KafkaEventLog

        opened = KafkaEventLog(self.servers, TOPICS, namespace=self.namespace, framing=framing)
        return self._stack.enter_context(closing(opened))

    def messages(self) -> list[Any]:
        """Everything that lies there, read by a client that knows nothing of us."""
        from kafka import KafkaConsumer, TopicPartition

        from streams.log.kafka.clients import settings

        places = [TopicPartition(self.namespace + topic.name, at) for topic in TOPICS for at in range(topic.partitions)]
        consumer = KafkaConsumer(**settings(self.servers), auto_offset_reset="earliest", enable_auto_commit=False)
        consumer.assign(places)
        try:
            ends = consumer.end_offsets(places)
            found: list[Any] = []
            while len(found) < sum(ends.values()):
                found += [each for batch in consumer.poll(timeout_ms=500).values() for each in batch]
            return found
        finally:
            consumer.close()

    def put(self, record: Record, value: bytes) -> None:
        """Write a message that no log of ours would."""
        from kafka import KafkaProducer

        from streams.log.kafka.clients import settings

        producer = KafkaProducer(**settings(self.servers))
        producer.send(self.namespace + record.topic, value, record.key.encode(), headers_of(record), 0).get(30)
        producer.close()


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with ExitStack() as stack:
        yield Cluster(stack)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """A registry of the test's own, which may be stopped."""
    with new_registry(tmp_path / "registry") as running:
        yield running


def everything(log: EventLog) -> list[Stored]:
    return [each for topic in TOPICS for at in range(topic.partitions) for each in log.read(topic.name, at, 0, 1000)]


def keyed(found: Iterable[Record]) -> dict[tuple[str, str, bytes, bytes], Record]:
    """Return records by what tells them apart: the examples of a type have one id."""
    return {(each.id, each.type, each.fingerprint, each.body): each for each in found}


def by_id(found: Iterable[Stored]) -> dict[tuple[str, str, bytes, bytes], Record]:
    return keyed(each.record for each in found)


def test_any_client_reads_our_events_with_the_registry_alone(cluster: Cluster) -> None:
    url = shared_registry().url
    cluster.log(registered(url)).append(records())
    wanted = {record.type: codec.decode_record(record.fingerprint, record.body) for record in records()}
    found = {}
    for message in cluster.messages():
        magic, number = struct.unpack(">bI", message.value[:5])
        assert magic == 0
        schema: Any = fastavro.parse_schema(json.loads(httpx.get(f"{url}/schemas/ids/{number}").json()["schema"]))
        body = BytesIO(message.value[5:])
        found[schema["name"].removeprefix("tocsin.")] = fastavro.schemaless_reader(body, schema, None)
        assert body.read() == b""
    assert found == wanted


def test_a_log_goes_on_with_a_registry_and_without(cluster: Cluster) -> None:
    plain, framed = cluster.log(SINGLE_OBJECT), cluster.log(registered(shared_registry().url))
    before, after = records()[::2], records()[1::2]
    plain.append(before)
    assert by_id(everything(framed)) == keyed(before)
    framed.append(after)
    assert by_id(everything(framed)) == keyed(records())
    first_bytes = sorted(message.value[:1] for message in cluster.messages())
    assert first_bytes == [b"\0"] * len(after) + [b"\xc3"] * len(before)
    for topic in TOPICS:
        chain = GENESIS
        for stored in framed.read(topic.name, 0, 0, 1000):
            chain = link(chain, stored.record.fingerprint, stored.record.body)
            assert stored.chain == chain, "the chain does not depend on the framing"
    assert {each.record.id for each in _tailed(framed)} == {record.id for record in records()}


def test_without_a_registry_the_log_says_what_is_missing(cluster: Cluster) -> None:
    cluster.log(registered(shared_registry().url)).append(records())
    plain = cluster.log(SINGLE_OBJECT)
    with pytest.raises(LogCorruptError, match=r"tocsin\.\w+\[\d\]@0 cannot be read: .* no registry is configured"):
        everything(plain)
    with pytest.raises(LogCorruptError, match="no registry is configured"):
        _tailed(plain)


def test_a_registry_that_is_down_stops_new_workers_only(cluster: Cluster, registry: Registry) -> None:
    log = cluster.log(registered(registry.url))
    registry.stop()
    log.append(records())
    assert by_id(everything(log)) == keyed(records())
    with pytest.raises(LogUnavailableError, match=r"the schema registry http://127.0.0.1:\d+/.* does not answer"):
        registered(registry.url, timeout=SHORT)
    registry.start()
    assert by_id(everything(cluster.log(registered(registry.url)))) == by_id(everything(log))


def test_a_reader_that_needs_the_registry_waits_and_loses_nothing(cluster: Cluster, registry: Registry) -> None:
    record = records()[0]
    log = cluster.log(registered(registry.url, timeout=SHORT))
    log.append([record])
    number = _reworded(registry.url, record)  # another number for the same schema, that the log has not met
    cluster.put(record, b"\0" + number.to_bytes(4, "big") + record.body)
    registry.stop()
    tail = log.tail({(record.topic, at): 0 for at in range(log.partitions(record.topic))})
    with pytest.raises(LogUnavailableError, match="does not answer"):
        _all_of(tail, 2)
    registry.start()
    assert _all_of(tail, 2) == [record, record]
    tail.close()


def test_numbers_that_mean_something_else_now_are_noticed(cluster: Cluster, registry: Registry, tmp_path: Path) -> None:
    cluster.log(registered(registry.url)).append(records())
    with new_registry(tmp_path / "emptied") as emptied:
        SchemaRegistry(emptied.url).register(codec.schemas()[::-1])
        log = cluster.log(registered(emptied.url))
        with pytest.raises(LogCorruptError, match="the registry's numbers are not those it was written with"):
            everything(log)


def _reworded(url: str, record: Record) -> int:
    schema = codec.schema_of(record.fingerprint)
    body = {"schema": json.dumps({**schema.document, "doc": "In other words."})}
    answer = httpx.post(f"{url}/subjects/tocsin.{record.type}/versions", json=body)
    return int(answer.raise_for_status().json()["id"])


def _tailed(log: Any) -> list[Stored]:
    tail = log.tail({(topic.name, at): 0 for topic in TOPICS for at in range(topic.partitions)})
    count = sum(sum(log.end(topic.name).values()) for topic in TOPICS)
    try:
        found: list[Stored] = []
        while len(found) < count:
            found += [stored for each in tail.poll(1.0) for stored in each.records]
        return found
    finally:
        tail.close()


def _all_of(tail: Any, count: int) -> list[Record]:
    found: list[Record] = []
    while len(found) < count:
        found += [stored.record for each in tail.poll(1.0) for stored in each.records]
    return found
