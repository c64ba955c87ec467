"""What only the engine on Kafka has: brokers that die, topics with settings, errors of a library's own."""

import inspect
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest

from schemas.ids import random_id
from schemas.topics import TOPICS, Topic
from streams.log.port import EventLog, LogCorruptError, LogError, LogUnavailableError, RecordTooLargeError, Stored
from tests.contract.log.engines import PARTITIONS
from tests.contract.log.records import ALERTS, bare, everything, expected, many, record, scanned
from tests.parts.kafka import new_broker, shared_broker

pytestmark = pytest.mark.kafka
SMALL = [Topic(name, partitions, ()) for name, partitions in PARTITIONS.items()]


@pytest.fixture
def servers() -> list[str]:
    return [shared_broker().servers]


@pytest.fixture
def namespace() -> str:
    return f"{random_id()}."


def test_every_error_of_the_library_is_translated() -> None:
    from kafka import errors

    from streams.log.kafka import translated

    kinds: list[type[Exception]] = [OSError, ConnectionResetError, TimeoutError, RuntimeError, ValueError]
    classes = filter(inspect.isclass, vars(errors).values())
    kinds += [cast("type[Exception]", kind) for kind in classes if issubclass(kind, errors.KafkaError)]
    assert len(kinds) > 100
    for kind in kinds:
        with pytest.raises(LogError) as caught, translated():
            raise kind({} if kind is errors.LogTruncationError else "said the broker")
        corrupt = kind in (errors.CorruptRecordError, errors.LogTruncationError)
        assert type(caught.value) is (LogCorruptError if corrupt else LogUnavailableError), kind


def test_nobody_listens() -> None:
    from streams.log.kafka import KafkaEventLog

    with pytest.raises(LogUnavailableError):
        KafkaEventLog(["127.0.0.1:1"], SMALL, timeout=timedelta(seconds=1))


def test_topics_are_made_as_declared(servers: list[str], namespace: str) -> None:
    from kafka import KafkaAdminClient
    from kafka.admin import ConfigResource, ConfigResourceType

    from streams.log.kafka import KafkaEventLog
    from streams.log.kafka.clients import settings

    KafkaEventLog(servers, TOPICS, namespace=namespace).close()
    admin = KafkaAdminClient(**settings(servers))
    try:
        names = [namespace + topic.name for topic in TOPICS]
        made = {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics(names)}
        assert made == {namespace + topic.name: topic.partitions for topic in TOPICS}
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        configs = admin.describe_configs(resources)["topic"]
    finally:
        admin.close()
    for topic in TOPICS:
        found = {name: setting["value"] for name, setting in configs[namespace + topic.name].items()}
        kept = -1 if topic.retention_days is None else topic.retention_days * 86_400_000
        assert (found["cleanup.policy"], int(found["retention.ms"])) == ("delete", kept)
        assert found["flush.messages"] == "1", "one replica: what is acknowledged must be on its disk"


def test_another_number_of_partitions_than_declared_is_refused(servers: list[str], namespace: str) -> None:
    from streams.log.kafka import KafkaEventLog

    KafkaEventLog(servers, SMALL, namespace=namespace).close()
    with pytest.raises(LogCorruptError, match="3 partitions and 5 are declared"):
        KafkaEventLog(servers, [Topic(ALERTS, 5, ())], namespace=namespace)


def test_a_record_that_no_topic_takes_is_refused_at_once(servers: list[str], namespace: str) -> None:
    from streams.log.kafka import MAX_RECORD_BYTES, KafkaEventLog

    log = KafkaEventLog(servers, SMALL, namespace=namespace)
    with pytest.raises(RecordTooLargeError):
        log.append([record(1), record(2, body=bytes(MAX_RECORD_BYTES))])
    assert not any(everything(log).values())
    log.close()


def test_what_is_no_event_is_named_with_its_place(servers: list[str], namespace: str) -> None:
    from kafka import KafkaProducer

    from streams.log.kafka import KafkaEventLog
    from streams.log.kafka.clients import settings

    log = KafkaEventLog(servers, SMALL, namespace=namespace)
    producer = KafkaProducer(**settings(servers))
    producer.send(namespace + ALERTS, b"a stranger's words", b"key", partition=1).get(10)
    producer.close()
    with pytest.raises(LogCorruptError, match=r"tocsin.alerts\[1\]@0"):
        log.read(ALERTS, 1, 0, 10)
    log.close()


def test_without_the_chain_reading_may_start_anywhere(servers: list[str], namespace: str) -> None:
    from streams.log.kafka import KafkaEventLog

    log = KafkaEventLog(servers, SMALL, namespace=namespace, chained=False)
    log.append(many(20))
    assert bare(everything(log)) == expected(many(20))
    assert {stored.chain for stored in scanned(log, 100)} == {b""}
    log.close()


def test_a_tail_gives_every_record_of_its_partitions_in_order(servers: list[str], namespace: str) -> None:
    from streams.log.kafka import KafkaEventLog

    log = KafkaEventLog(servers, SMALL, namespace=namespace, chained=False)
    log.append(many(30))
    places = {(topic, partition): 0 for topic, count in PARTITIONS.items() for partition in range(count)}
    start = {**places, (ALERTS, 0): log.end(ALERTS)[0]}
    tail = log.tail(start)
    log.append([record(number) for number in range(30, 60)])
    wanted = {place: [each.offset for each in _line(log, place) if each.offset >= start[place]] for place in places}
    found: dict[tuple[str, int], list[int]] = {place: [] for place in places}
    positions = dict(start)
    while positions != {place: log.end(place[0])[place[1]] for place in places}:
        for tailed in tail.poll(5):
            assert all(stored.partition == tailed.place[1] and stored.chain == b"" for stored in tailed.records)
            found[tailed.place] += [stored.offset for stored in tailed.records]
            positions[tailed.place] = tailed.position
    assert found == wanted
    assert tail.poll(0.1) == []
    tail.close()
    log.close()


def test_a_tail_passes_over_what_is_no_event(servers: list[str], namespace: str) -> None:
    from kafka import KafkaProducer

    from streams.log.kafka import KafkaEventLog
    from streams.log.kafka.clients import settings

    log = KafkaEventLog(servers, SMALL, namespace=namespace, chained=False)
    tail = log.tail({(ALERTS, 1): 0})
    producer = KafkaProducer(**settings(servers))
    producer.send(namespace + ALERTS, b"a stranger's words", b"key", partition=1).get(10)
    producer.close()
    while not (found := tail.poll(5)):
        pass
    assert found == [((ALERTS, 1), [], 1)]
    tail.close()
    log.close()


def _line(log: EventLog, place: tuple[str, int]) -> list[Stored]:
    return log.read(*place, 0, 1000)


@pytest.mark.slow
def test_a_broker_that_is_killed_and_comes_back(tmp_path: Path) -> None:
    from streams.log.kafka import KafkaEventLog

    broker = new_broker(tmp_path / "kafka").start()
    log = KafkaEventLog([broker.servers], SMALL, timeout=timedelta(seconds=2))
    try:
        log.append(many(20))
        log.commit("readers", {(ALERTS, 1): 2})
        tail = log.tail({(ALERTS, partition): 0 for partition in range(PARTITIONS[ALERTS])})
        broker.kill()
        for call in (lambda: log.append([record(100)]), lambda: log.read(ALERTS, 1, 0, 1), lambda: log.end(ALERTS)):
            with pytest.raises(LogUnavailableError):
                call()
        broker.start()
        _until_it_works(lambda: log.append([record(200)]))
        _until_it_works(lambda: log.commit("writers", {(ALERTS, 1): 1}))
        held = [stored.record for line in everything(log).values() for stored in line]
        assert {each.id for each in held} - {record(100).id} == {each.id for each in [*many(20), record(200)]}
        assert log.positions("readers") == {(ALERTS, 1): 2}
        seen: set[str] = set()
        while record(200).id not in seen:
            seen |= {stored.record.id for tailed in tail.poll(1) for stored in tailed.records}
        lying = {stored.record.id for (topic, _), line in everything(log).items() if topic == ALERTS for stored in line}
        assert seen == lying
        tail.close()
    finally:
        log.close()
        broker.stop()


def _until_it_works(call: Callable[[], object]) -> None:
    for _ in range(20):
        try:
            call()
        except LogUnavailableError:
            continue
        return
    raise AssertionError("the log stayed unavailable though the broker is back")
