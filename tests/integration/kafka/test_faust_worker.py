"""A processor under real Faust workers, killed at work: nothing lost, nothing counted twice."""

import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from schemas.events import AnyEvent, PromiseReminded
from streams.log.port import LogUnavailableError, event_of, record_of
from streams.runtime.faust_driver import GROUP
from tests.builders import counting
from tests.builders.counting import ALERTS, COUNTING, PAGES, PARTITIONS
from tests.integration.kafka.fleet import Fleet, fleet_of
from tests.parts.kafka import new_broker

pytestmark = [pytest.mark.kafka, pytest.mark.redis, pytest.mark.slow]
INSTANCES = 12
NEVER = 4 * counting.BASE


class Counters:
    """A fleet of counting workers, and the alerts that it was given."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self._appended = 0

    def append(self, count: int) -> None:
        first, self._appended = self._appended, self._appended + count
        numbers = range(first, self._appended)
        counting.append(self.fleet.log, [counting.alert(number, _name(number), NEVER) for number in numbers])

    def append_whatever_it_takes(self, count: int) -> None:
        """Append one by one, each again until the log takes it; by its origin, what was taken twice is one alert."""
        first, self._appended = self._appended, self._appended + count
        for number in range(first, self._appended):
            record = record_of(counting.alert(number, _name(number), NEVER), origin=f"test/alerts/0@{number}.0")
            while True:
                try:
                    self.fleet.log.append([record])
                    break
                except LogUnavailableError:
                    continue

    @property
    def told_all(self) -> bool:
        """Whether every alert was counted."""
        return sum(self.counts().values()) == self._appended

    @property
    def folded(self) -> int:
        return self.fleet.folded(COUNTING.name, ALERTS)

    def counts(self) -> dict[str, int]:
        tables = [counting.COUNTS]
        rows = [
            row for number in range(PARTITIONS[ALERTS]) for row in self.fleet.store.rows(COUNTING.name, number, tables)
        ]
        return {key: msgspec.json.decode(value, type=int) for (_, _, key), value in rows}

    def emitted(self) -> list[AnyEvent]:
        return [event_of(stored.record) for stored in self.fleet.lying(PAGES)]

    def check(self) -> None:
        """Each instance was counted exactly as often as it came, and each count was said under one id."""
        wanted = Counter(_name(number) for number in range(self._appended))
        assert self.counts() == dict(wanted)
        said: dict[str, tuple[str, int]] = {}
        for event in self.emitted():
            assert isinstance(event.data, PromiseReminded)
            what = (event.data.incident, event.data.promise_at)
            assert said.setdefault(event.id, what) == what, "an event that is emitted again is the same event"
        assert sorted(said.values()) == sorted(
            (name, number + 1) for name, count in wanted.items() for number in range(count)
        )


def _name(number: int) -> str:
    return f"instance-{number % INSTANCES}"


@pytest.fixture
def counters(tmp_path: Path) -> Iterator[Counters]:
    with fleet_of("counting", tmp_path) as fleet:
        yield Counters(fleet)


def test_killed_in_the_middle_and_started_again(counters: Counters) -> None:
    fleet = counters.fleet
    first = fleet.start()
    counters.append(200)
    fleet.wait(lambda: counters.folded > 0)
    counters.append(6_000)
    fleet.wait(lambda: counters.folded > 400)
    fleet.kill(first)
    assert counters.folded < 6_200, "the worker was to be killed at work"
    counters.append(100)
    fleet.start()
    fleet.wait_for_all()
    counters.check()


def test_partitions_move_between_workers_while_some_die_and_one_is_paused(counters: Counters) -> None:
    fleet = counters.fleet
    first = fleet.start()
    counters.append(500)
    fleet.wait(lambda: counters.folded > 0)
    second = fleet.start()
    counters.append(2_000)
    fleet.wait(lambda: counters.folded > 800)
    first.send_signal(signal.SIGSTOP)
    counters.append(500)
    fleet.wait_for_all()
    counters.append(1_000)
    first.send_signal(signal.SIGCONT)
    fleet.kill(second)
    fleet.wait_for_all()
    counters.check()


def test_an_empty_store_is_folded_anew_whatever_the_group_committed(counters: Counters) -> None:
    fleet = counters.fleet
    first = fleet.start()
    counters.append(400)
    fleet.wait_for_all()
    fleet.stop(first)
    assert fleet.log.positions(GROUP) == {(ALERTS, number): end for number, end in fleet.log.end(ALERTS).items()}
    fleet.forget()
    fleet.start()
    fleet.wait_for_all()
    counters.check()


def test_a_store_that_is_emptied_under_a_worker_is_filled_again(counters: Counters) -> None:
    fleet = counters.fleet
    fleet.start()
    counters.append(400)
    fleet.wait_for_all()
    fleet.forget()
    counters.append(400)
    fleet.wait(lambda: counters.folded == 800)
    counters.check()


def test_a_store_that_is_emptied_under_a_worker_is_filled_again_though_nothing_more_arrives(counters: Counters) -> None:
    fleet = counters.fleet
    fleet.start()
    counters.append(400)
    fleet.wait_for_all()
    fleet.forget()
    fleet.wait_for_all()
    counters.check()


def test_a_worker_that_is_told_to_stop_hands_over_at_once(tmp_path: Path) -> None:
    with fleet_of("patient", tmp_path) as fleet:
        counters = Counters(fleet)
        first = fleet.start()
        counters.append(100)
        fleet.wait_for_all()
        fleet.stop(first)
        fleet.start()
        counters.append(100)
        fleet.wait_for_all()
        assert fleet.gave_up == []
        counters.check()


def test_a_worker_whose_transport_hangs_ends_in_time_and_says_where_it_hung(tmp_path: Path) -> None:
    with fleet_of("hanging", tmp_path) as fleet:
        counters = Counters(fleet)
        worker = fleet.start()
        counters.append(50)
        fleet.wait(lambda: counters.told_all)
        fleet.stop(worker)
        said = (tmp_path / "worker-0.log").read_text("utf-8")
        assert "has not ended within 0:00:08: it ends now, and all that it had in hand is done" in said
        assert "most recent call first" in said


def test_a_worker_with_a_fault_hands_over_at_once(tmp_path: Path) -> None:
    with fleet_of("patient", tmp_path) as fleet:
        counters = Counters(fleet)
        fleet.start()
        counters.append(100)
        fleet.wait_for_all()
        fleet.lose_half()
        counters.append(100)
        fleet.wait(lambda: len(fleet.gave_up) > 0)
        fleet.forget()
        fleet.wait_for_all()
        counters.check()


def test_a_broker_that_is_killed_under_workers_and_comes_back(tmp_path: Path) -> None:
    with new_broker(tmp_path / "kafka") as broker, fleet_of("counting", tmp_path, broker) as fleet:
        counters = Counters(fleet)
        fleet.start()
        fleet.start()
        counters.append(200)
        fleet.wait_for_all()
        broker.kill()
        broker.start()
        counters.append_whatever_it_takes(300)
        fleet.wait(lambda: counters.told_all)
        counters.check()
