"""What a fleet shares, in memory and in a real Redis: commands that are remembered, alerts that are on their way."""

from datetime import timedelta
from typing import Any, Protocol

import pytest

from producers.commands.limits import SignUpLimits
from schemas.events import AnyEvent, Event, PromiseReminded
from schemas.ids import random_id
from schemas.topics import ALERTS, instance_key, partition_of
from streams.domain.episodes import EPISODES, INSTANCES, table_key
from streams.log.port import Record, record_of
from streams.runtime.fleet_instances import Departures, Glance, Glances, Newest
from streams.runtime.problems import ProblemError
from streams.runtime.redis_client import redis_client
from streams.runtime.redis_limits import redis_limits
from streams.runtime.redis_memory import RedisMemory
from streams.runtime.redis_turns import RedisTurns
from streams.runtime.remembering import EventMemory, Known
from streams.runtime.state_store import Changes, StateStore, StoreUnavailableError

NOWHERE = "redis://127.0.0.1:1/0"


def record(identifier: str, at: int = 1) -> Record:
    event: AnyEvent = Event(identifier, "acme", at, at, "ops", None, None, drill=False, data=PromiseReminded("i", at))
    return record_of(event)


def test_an_event_is_remembered_as_it_was_first(event_memory: EventMemory) -> None:
    assert event_memory.find("one") is None
    assert event_memory.first([record("one"), record("two")]) == [None, None]
    assert event_memory.first([record("two", at=2), record("three")]) == [Known(record("two")), None]
    assert event_memory.find("two") == Known(record("two"))


def test_a_place_is_noted_once_it_is_known(event_memory: EventMemory) -> None:
    event_memory.first([record("one")])
    event_memory.placed({"one": Known(record("one"), (3, 14))})
    assert event_memory.find("one") == Known(record("one"), (3, 14))
    assert event_memory.first([record("one")]) == [Known(record("one"), (3, 14))]


@pytest.mark.redis
def test_commands_are_forgotten_after_their_days(client: Any) -> None:
    memory = RedisMemory(client, namespace := f"{random_id()}.", timedelta(hours=1))
    memory.first([record("one")])
    assert 3_500 < client.ttl(f"{namespace}event/one") <= 3_600


class Noted(Departures, Glances, Protocol):
    """What takes notes and looks at them."""


PLACE = partition_of(instance_key("acme", "prom", "a"), ALERTS.partitions)
A, B, C = [
    name for name in map(str, range(99)) if partition_of(instance_key("acme", "prom", name), ALERTS.partitions) == PLACE
][:3]


def noted(departures: Noted, *names: str) -> dict[str, Newest]:
    seen = departures.glance("acme", PLACE, [table_key("prom", name) for name in names])
    return {key.removeprefix("prom/"): newest for key, newest in seen.newest.items()}


def keys(**offsets: int) -> dict[str, int]:
    named = {"a": A, "b": B}
    return {instance_key("acme", "prom", named[name]): offset for name, offset in offsets.items()}


def test_nothing_is_noted_of_what_nobody_appends_to(departures: Noted) -> None:
    assert departures.glance("acme", PLACE, [table_key("prom", A), table_key("prom", B)]) == Glance({}, 0, {})


def test_what_is_leaving_is_noted_until_all_of_it_has_landed(departures: Noted) -> None:
    departures.enter("first", keys(a=0, b=0))
    departures.enter("second", keys(b=0))
    assert noted(departures, A, B, C) == {A: Newest(leaving=True, offset=-1), B: Newest(True, -1)}
    departures.land({"second": keys(b=9)})
    assert noted(departures, B) == {B: Newest(leaving=True, offset=9)}
    departures.land({"first": keys(a=3, b=4)})
    assert noted(departures, A, B) == {A: Newest(False, 3), B: Newest(False, 9)}, "the highest offset counts"


def test_flights_land_together(departures: Noted) -> None:
    departures.enter("first", keys(a=0, b=0))
    departures.enter("second", keys(b=0))
    departures.land({"first": keys(a=3, b=4), "second": keys(b=2)})
    assert noted(departures, A, B) == {A: Newest(False, 3), B: Newest(False, 4)}


@pytest.mark.parametrize("count", [1, 3, 1_500])
def test_what_is_folded_is_seen_beside_the_notes(departures: Noted, folded: StateStore, count: int) -> None:
    place = (ALERTS.name, PLACE)
    names = [table_key("prom", str(number)) for number in range(count)]
    rows = {(INSTANCES, "acme", name): name.encode() for name in names[1:]}
    assert folded.commit(EPISODES.name, place, 0, 7, Changes(rows))
    assert departures.glance("acme", PLACE, names) == Glance({}, 7, {name: name.encode() for name in names[1:]})
    assert departures.glance("globex", PLACE, names) == Glance({}, 7, {}), "another page's"


@pytest.mark.redis
def test_limits_are_counted_together(redis_url: str) -> None:
    namespace = f"{random_id()}."
    fleet = [SignUpLimits(per_address="2/hour", storage=redis_limits(redis_url, namespace)) for _ in range(3)]
    fleet[0].require("192.0.2.1", "acme/email/a")
    fleet[1].require("192.0.2.2", "acme/email/a")
    with pytest.raises(ProblemError) as refused:
        fleet[2].require("192.0.2.3", "acme/email/a")
    assert (refused.value.status, refused.value.retry_after is not None) == (429, True)
    fleet[2].require("192.0.2.3", "acme/email/b")


@pytest.mark.redis
def test_codes_and_guesses_are_counted_together(redis_url: str) -> None:
    namespace = f"{random_id()}."
    fleet = [SignUpLimits(storage=redis_limits(redis_url, namespace)) for _ in range(2)]
    for rank in range(3):
        fleet[rank % 2].require_code(f"192.0.2.{rank}", f"owner-{rank}", "+4915112345678", "DE", "acme", 100)
    for each in fleet:
        with pytest.raises(ProblemError) as refused:
            each.require_code("192.0.2.9", "owner-9", "+4915112345678", "DE", "acme", 100)
        assert refused.value.status == 429
    for rank in range(5):
        fleet[rank % 2].require_try("phone")
    with pytest.raises(ProblemError):
        fleet[1].require_try("phone")


def test_where_limits_cannot_be_counted_nobody_signs_up() -> None:
    with pytest.raises(ProblemError) as refused:
        SignUpLimits(storage=redis_limits(NOWHERE, "")).require("192.0.2.1", "acme/email/a")
    assert refused.value.status == 503


def test_a_memory_out_of_reach_says_so() -> None:
    with pytest.raises(StoreUnavailableError):
        RedisMemory(redis_client(NOWHERE), "").find("one")


@pytest.mark.redis
def test_turns_are_taken_one_after_the_other(client: Any) -> None:
    turns = RedisTurns(client, namespace := f"{random_id()}.")
    with turns.turn("apply"):
        assert client.exists(f"{namespace}turn/apply")
        with turns.turn("another"):
            pass
    assert not client.exists(f"{namespace}turn/apply")
    with turns.turn("apply"):
        client.delete(f"{namespace}turn/apply")  # it took longer than a turn lasts
