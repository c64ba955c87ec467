"""All processors on one worker, on three, on two: what one process folds from the same log is what they have in Redis."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

import msgspec
import pytest

from consumers.projection.board import STATUS
from schemas import events as e
from schemas.events import AlertRefreshed, Event
from schemas.ids import derive
from schemas.topics import DEFAULT_PARTITIONS, TOPICS, partition_of
from streams.log.kafka import KafkaEventLog
from streams.log.port import Appended, Record, event_of, record_of
from streams.runtime.follower import Follower
from streams.runtime.memory_store import MemoryStateStore
from streams.runtime.partition_fold import PartitionFold
from streams.runtime.state_store import Held, Row, StateStore
from tests.builders.counting import messages
from tests.integration.kafka.crews import SEEN
from tests.integration.kafka.fleet import PATIENCE, Fleet, fleet_of
from tests.integration.kafka.town import INSTANCES_OF_ALL, Town

pytestmark = [pytest.mark.kafka, pytest.mark.redis, pytest.mark.slow]
PAGES_OF_TOWN = 24


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with fleet_of("real", tmp_path) as made:
        yield made


class Mute(KafkaEventLog):
    """A log on which what a replay brings about is not said again."""

    def append(self, records: Sequence[Record]) -> list[Appended]:
        return [Appended(0, 0) for _ in records]


def _replayed(fleet: Fleet, servers: list[str]) -> dict[tuple[str, int], tuple[Held, dict[Row, bytes]]]:
    """Fold the whole log in this process, from nothing."""
    log, store = Mute(servers, fleet.crew.topics, namespace=fleet.namespace, chained=False), MemoryStateStore()
    for processor in fleet.crew.processors:
        fold = PartitionFold(processor, log, store)
        fold.assigned(range(DEFAULT_PARTITIONS))
        for topic in processor.topics:
            for partition in range(DEFAULT_PARTITIONS):
                fold.fold((topic, partition), messages(fleet.log, topic, partition))
    log.close()
    return _states(fleet, store)


def _states(fleet: Fleet, store: StateStore) -> dict[tuple[str, int], tuple[Held, dict[Row, bytes]]]:
    found = {}
    for processor in fleet.crew.processors:
        tables = [spec.name for spec in processor.tables]
        for partition in range(DEFAULT_PARTITIONS):
            held, rows = store.snapshot(processor.name, partition, tables)
            found[processor.name, partition] = held, dict(rows)
    return found


def _check(fleet: Fleet) -> None:
    """Nothing lost, nothing torn: the store holds what a fresh fold of the log holds."""
    mine, theirs = _states(fleet, fleet.store), _replayed(fleet, [fleet.servers])
    for where, (held, rows) in theirs.items():
        assert mine[where][1] == rows, where
        assert mine[where][0] == held, where


def test_one_three_and_two_workers(fleet: Fleet) -> None:
    town = Town(fleet.log, PAGES_OF_TOWN)
    first = fleet.start()
    fleet.wait(lambda: fleet.folded("pages", "tocsin.pages") > 0)
    town.fires()
    second, _ = fleet.start(), fleet.start()
    fleet.wait_for_all()
    town.clears()
    fleet.wait(lambda: fleet.folded("episodes", "tocsin.alerts") > PAGES_OF_TOWN * len(INSTANCES_OF_ALL))
    fleet.kill(first)
    town.fires()
    fleet.wait_for_all()
    town.clears()
    fleet.stop(second)
    fleet.wait_for_all()
    fleet.stop_all()
    _check(fleet)
    wanted = 2 * PAGES_OF_TOWN * len(INSTANCES_OF_ALL)
    assert len(_of(fleet, e.EpisodeOpened)) == len(_of(fleet, e.EpisodeClosed)) == wanted
    assert len(_of(fleet, e.IncidentOpened)) >= 2 * PAGES_OF_TOWN, "rule api opens at once"


def test_timers_fire_once_across_a_rebalance(fleet: Fleet) -> None:
    town = Town(fleet.log, PAGES_OF_TOWN)
    first = fleet.start()
    fleet.wait_for_all()
    town.fires()
    fleet.wait(lambda: len(_of(fleet, e.DraftWritten)) == PAGES_OF_TOWN)
    second = fleet.start()
    fleet.wait(lambda: len(_of(fleet, e.TimerFired)) > 0)
    fleet.kill(first)
    fleet.start()
    fleet.wait(lambda: len(_of(fleet, e.IncidentOpened)) == 2 * PAGES_OF_TOWN)
    fleet.stop(second)
    fleet.wait_for_all()
    fleet.stop_all()
    _check(fleet)
    fired = _of(fleet, e.TimerFired)
    assert len(fired) == PAGES_OF_TOWN
    assert set(fired.values()) == {1}, "nobody was paused, so no wake-up came twice"


def test_a_follower_has_at_hand_what_the_workers_fold(fleet: Fleet) -> None:
    town = Town(fleet.log, PAGES_OF_TOWN)
    fleet.start()
    fleet.wait(lambda: fleet.folded("status", "tocsin.pages") > PAGES_OF_TOWN)
    early = Follower(STATUS, fleet.log, fleet.store)
    early.start()
    town.fires()
    fleet.wait_for_all()
    late = Follower(STATUS, fleet.log, fleet.store)
    late.start()
    town.clears()
    fleet.wait_for_all()
    fleet.stop_all()
    ends = {("tocsin.pages", partition): end for partition, end in fleet.log.end("tocsin.pages").items()}
    wanted = {
        row: value
        for (name, _), (_, rows) in _states(fleet, fleet.store).items()
        if name == "status"
        for row, value in rows.items()
    }
    for follower in (early, late):
        assert follower.wait_for(ends, PATIENCE)
        found = {
            (name, page, key): msgspec.json.encode(value)
            for name, table in follower.tables.items()
            for page in table.pages()
            for key, value in table.items(page)
        }
        assert found == wanted
        follower.stop()


def _of(fleet: Fleet, kind: type[e.EventData]) -> Counter[str]:
    """Return the ids of all events of a type on the pages' topic, and how often each lies there."""
    events = [event_of(stored.record) for stored in fleet.lying("tocsin.pages")]
    return Counter(event.id for event in events if isinstance(event.data, kind))


# --- who has what ---


def test_a_worker_has_partition_n_of_every_topic(tmp_path: Path) -> None:
    with fleet_of("witnesses", tmp_path) as fleet:
        workers = [fleet.start() for _ in range(3)]
        rounds = count(1)
        fleet.wait(lambda: _owners(fleet, next(rounds)) == 3)
        fleet.kill(workers[0])
        fleet.wait(lambda: _owners(fleet, next(rounds)) == 2)
        assert fleet.gave_up == [], "a worker that is given partitions of one number apart from each other gives up"


def _owners(fleet: Fleet, number: int) -> int | None:
    """Have every partition of every topic folded, and return by how many processes; None if some partition had two.

    That is so while partitions move, and would stay so if partition N of the topics were at different workers.
    """
    _tell_all(fleet, number)
    fleet.wait_for_all()
    found: dict[int, set[str]] = defaultdict(set)
    for processor in fleet.crew.processors:
        for partition in range(DEFAULT_PARTITIONS):
            found[partition] |= set(fleet.store.page(processor.name, partition, SEEN, f"round-{number}"))
    return len(set.union(*found.values())) if all(len(pids) == 1 for pids in found.values()) else None


def _tell_all(fleet: Fleet, number: int) -> None:
    """Put a record into every partition of every topic."""
    data = AlertRefreshed("prom", "a", "e1", 1)
    for topic in TOPICS:
        for partition in range(DEFAULT_PARTITIONS):
            identifier = derive("told", topic.name, str(partition), str(number))
            event = Event(identifier, f"round-{number}", 1, 1, "tocsin", None, None, drill=False, data=data)
            fleet.log.append([record_of(event, topic=topic.name, key=_key(partition))])


def _key(partition: int) -> str:
    return next(key for key in map(str, range(1000)) if partition_of(key, DEFAULT_PARTITIONS) == partition)
