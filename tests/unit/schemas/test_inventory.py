"""The contract is whole: every event has its schemas, its examples, its place on the log; and nothing lies about."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import codec
from schemas import events as e
from schemas.codec import Schema
from schemas.events import EVENT_TYPE_OF_NAME, EVENT_TYPES, EventData
from schemas.topics import SHARDS, TOPIC_OF_NAME, TOPICS, by_shard, partition_of, route, shard_of
from schemas.vocabulary import Impact, Kind
from tests.strategies.events import events
from tests.unit.schemas import kept

VERSION = re.compile(r"([A-Z][A-Za-z]+)\.([1-9][0-9]*)")


def test_every_event_class_is_registered() -> None:
    assert set(EVENT_TYPES) == set(EventData.__subclasses__())
    assert len(EVENT_TYPE_OF_NAME) == len(EVENT_TYPES)


def test_versions_are_consecutive_from_one_and_no_schema_is_an_orphan() -> None:
    files = {path.stem for path in kept.AVRO.iterdir()} - {"Envelope"}
    assert all(VERSION.fullmatch(name) for name in files)
    # `schemas()` counts up from 1 and stops at the first gap, so a gap or an unknown name shows as a file too many.
    assert files == {kept.name_of(schema) for schema in codec.schemas()}
    assert {schema.type for schema in codec.schemas()} == set(EVENT_TYPES)


def test_no_two_schemas_have_the_same_fingerprint() -> None:
    assert len({schema.fingerprint for schema in codec.schemas()}) == len(codec.schemas())


@pytest.mark.parametrize("schema", codec.schemas(), ids=kept.name_of)
def test_a_released_schema_is_never_edited(schema: Schema) -> None:
    known = kept.fingerprints().get(kept.name_of(schema))
    assert known is not None, "record it: python -m tests.unit.schemas.kept"
    assert known == schema.fingerprint.hex(), "a released schema stays; what changes is a new version"


def test_no_schema_that_was_released_is_gone() -> None:
    assert kept.fingerprints().keys() == {kept.name_of(schema) for schema in codec.schemas()}


def test_every_version_has_its_example_and_its_bytes() -> None:
    found = kept.examples()
    assert {f"{one.name}.{one.version}" for one in found} == {kept.name_of(schema) for schema in codec.schemas()}
    assert [one.name for one in found if not one.message.exists()] == []
    listed = {path for one in found for path in (one.message, one.message.with_suffix(".json"))}
    assert {path for path in kept.EXAMPLES.rglob("*") if path.is_file()} == listed


def test_every_type_travels_on_one_topic_and_timers_on_two() -> None:
    places = {kind: [topic.name for topic in TOPICS if kind in topic.types] for kind in EVENT_TYPES}
    assert places.pop(e.TimerFired) == ["tocsin.alerts", "tocsin.pages"]
    assert {kind.__name__: found for kind, found in places.items() if len(found) != 1} == {}
    assert all(len(set(topic.types)) == len(topic.types) for topic in TOPICS)


@pytest.mark.parametrize("kind", [kind for kind in EVENT_TYPES if kind is not e.TimerFired])
@settings(max_examples=5)
@given(data=st.data())
def test_route_leads_to_the_topic_that_lists_the_type(kind: type[EventData], data: st.DataObject) -> None:
    event = data.draw(events(kind))
    topic, key = route(event)
    assert kind in TOPIC_OF_NAME[topic].types
    assert key == event.page or key.startswith(f"{event.page}/"), "a key belongs to its page"


@given(st.text())
def test_any_id_has_a_shard(subscriber: str) -> None:
    assert 0 <= shard_of(subscriber) < SHARDS


@given(st.lists(st.uuids().map(lambda one: one.hex), max_size=50))
def test_sorted_ids_are_sorted_by_shard_and_fill_all_of_them(subscribers: list[str]) -> None:
    shards = [shard_of(one) for one in sorted(subscribers)]
    assert shards == sorted(shards)
    assert {shard_of(f"{number:02x}") for number in range(256)} == set(range(SHARDS))


@given(st.lists(st.text(max_size=4) | st.uuids().map(lambda one: one.hex), unique=True))
def test_ids_fall_into_shards_one_by_one_and_all_at_once_alike(subscribers: list[str]) -> None:
    found = by_shard(subscribers)
    assert found == {
        shard: [one for one in subscribers if shard_of(one) == shard] for shard in map(shard_of, subscribers)
    }


def test_what_concerns_one_subscriber_travels_under_one_key_and_notices_of_one_incident_too() -> None:
    subscriber, other = "8f" * 16, "12" * 16
    shard = shard_of(subscriber)
    planned = e.NotificationsPlanned("update", "incident", Kind.INCIDENT, "email", 0, shard, [subscriber])
    claimed = e.NotificationsClaimed("worker", shard, ["notification"])
    keys = {route(_event(data))[1] for data in (planned, claimed, e.DeliveriesRecorded("worker", shard, []))}
    assert keys == {f"acme/{shard}"}
    assert shard_of(other) != shard
    first, second = (e.NoticePublished(_notice(update)) for update in ("one", "two"))
    assert route(_event(first)) == route(_event(second)) == ("tocsin.notifications", "acme/incident")


def _event(data: EventData) -> e.AnyEvent:
    return e.Event("id", "acme", 0, 0, "test", None, None, False, data)


def _notice(update: str) -> e.Notice:
    return e.Notice(
        Kind.INCIDENT, update, "incident", "", "", "", Impact.NONE, False, [], [], [], "", "", "UTC", None, 0, 0
    )


@given(st.text(), st.integers(1, 64))
def test_a_key_has_one_partition(key: str, partitions: int) -> None:
    assert 0 <= partition_of(key, partitions) < partitions
