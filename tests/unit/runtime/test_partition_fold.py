"""One worker's fold of its partitions: what is passed over, fetched, fenced, repeated, emitted and wished."""

import logging
from collections.abc import Callable, Mapping, Sequence

import pytest

from schemas.events import AnyEvent, PromiseReminded
from streams.domain.processor import Output, Processor
from streams.domain.state import State, TableSpec
from streams.log import origin
from streams.log.port import LogCorruptError, LogUnavailableError, Record, event_of
from streams.runtime import partition_state, partition_steps
from streams.runtime.partition_fold import FencedError, PartitionFold
from streams.runtime.partition_state import Due, decoded, page_and_key
from streams.runtime.state_store import Held, Part, Row, StoreUnavailableError
from tests.builders.fold_world import ALERTS, BOTH, COUNTING, ECHO, PAGES, PARTITIONS, Seen, World, alert

HERE = (ALERTS, 1)
"""Where the alerts of acme's load lie."""


def _world(alerts: int) -> World:
    return World([alert(number) for number in range(alerts)])


def _said(world: World) -> list[tuple[str, int]]:
    events = [event_of(stored.record) for stored in world.log.scan(None, 10_000)[0]]
    return [(event.data.incident, event.data.promise_at) for event in events if isinstance(event.data, PromiseReminded)]


def _seen(world: World) -> tuple[int, ...]:
    [value] = world.store.fetch("counting", 1, [("counts", "acme", "load")]).values()
    found: Seen = decoded(COUNTING.tables[0], value)
    return found.numbers


def _position(world: World) -> int:
    return world.store.positions("counting", 1).get(ALERTS, 0)


def test_a_batch_moves_position_rows_ranks_wishes_and_events() -> None:
    world = _world(4)
    worker = world.worker(COUNTING)
    worker.fold(HERE, world.messages(HERE))
    assert (_position(world), worker.position(HERE), _seen(world)) == (4, 4, (0, 1, 2, 3))
    assert world.ranking() == {"acme/load": 4}
    assert world.store.held("counting", 1).wishes == {("acme", "third:load"): 7}
    assert _said(world) == [("load", 10 * count + rank) for count in range(4) for rank in range(2)]
    assert world.store.commits == 1


def test_an_emission_names_its_cause() -> None:
    world = _world(2)
    world.worker(COUNTING).fold(HERE, world.messages(HERE))
    emitted = [stored.record.origin for stored in world.log.scan(None, 100)[0] if stored.record.topic == PAGES]
    assert emitted == [f"counting/{ALERTS}/1@{offset}.{rank}+0" for offset in range(2) for rank in range(2)]


def test_what_was_folded_before_is_passed_over() -> None:
    world = _world(5)
    worker = world.worker(COUNTING)
    for end in (3, 3, 5):
        worker.fold(HERE, world.messages(HERE)[:end])
    assert (_seen(world), len(_said(world))) == ((0, 1, 2, 3, 4), 10)


def test_what_the_transport_left_out_is_read_from_the_log() -> None:
    world = _world(1_300)
    worker = world.worker(COUNTING)
    worker.fold(HERE, world.messages(HERE)[:2])
    worker.fold(HERE, world.messages(HERE)[1_290:])
    assert _seen(world) == tuple(range(1_300))


def test_an_offset_that_no_record_has_is_passed_over() -> None:
    world = _world(6)
    worker = world.worker(COUNTING)
    gone = world.log._split[HERE].pop(2)
    assert gone.offset == 2
    worker.fold(HERE, [message for message in world.messages(HERE) if message.offset != 2][:1])
    worker.fold(HERE, [message._replace(offset=message.offset + 5) for message in world.messages(HERE)[3:]])
    assert worker.position(HERE) == 11


def test_a_partition_that_was_taken_away_is_left_alone() -> None:
    world = _world(3)
    worker = world.worker(COUNTING)
    worker.assigned([0])
    worker.fold(HERE, world.messages(HERE))
    assert (_position(world), _said(world)) == (0, [])
    with pytest.raises(KeyError):
        worker.position(HERE)


def test_another_type_moves_the_position_only() -> None:
    world = _world(2)
    worker = world.worker(COUNTING)
    worker.fold(HERE, [message._replace(type="AlertReceived") for message in world.messages(HERE)])
    assert (_position(world), _said(world), world.rows()) == (2, [], {})


def test_each_topic_has_its_position() -> None:
    world = _world(3)
    world.worker(COUNTING).fold(HERE, world.messages(HERE))
    worker = world.worker(BOTH)
    worker.fold(HERE, world.messages(HERE))
    for partition in range(PARTITIONS):
        worker.fold((PAGES, partition), world.messages((PAGES, partition)))
    assert worker.position(HERE) == 3
    assert sum(worker.position((PAGES, partition)) for partition in range(PARTITIONS)) == 6
    assert world.worker(BOTH).position(HERE) == 3


# --- other workers ---


def test_a_worker_that_was_overtaken_goes_on_from_the_others_state() -> None:
    world = _world(6)
    slow, quick = world.worker(COUNTING), world.worker(COUNTING)
    quick.fold(HERE, world.messages(HERE)[:4])
    slow.fold(HERE, world.messages(HERE))
    assert (_position(world), _seen(world), slow.fenced) == (6, tuple(range(6)), 1)
    assert len(_said(world)) == 12, "what would have been doubled was not said: the store was asked before"


def test_a_worker_that_is_overtaken_between_emission_and_commit_loses() -> None:
    world = _world(6)
    slow = world.worker(COUNTING)
    world.store.before_commit = _once(world, lambda: _other(world).fold(HERE, world.messages(HERE)[:4]))
    slow.fold(HERE, world.messages(HERE))
    assert (_position(world), _seen(world), slow.fenced) == (6, tuple(range(6)), 1)
    echo = world.worker(ECHO)
    for partition in range(PARTITIONS):
        echo.fold((PAGES, partition), world.messages((PAGES, partition)))
    assert echo.repeated > 0
    [value] = world.store.fetch("echo", 0, [("said", "acme", "load")]).values()
    assert decoded(ECHO.tables[0], value).numbers == tuple(10 * count + rank for count in range(6) for rank in range(2))


def _other(world: World) -> PartitionFold:
    return world.worker(COUNTING)


def _once(world: World, meddle: Callable[[], None]) -> Callable[[], None]:
    def come_in() -> None:
        world.store.before_commit = lambda: None
        meddle()

    return come_in


def test_two_owners_are_an_error() -> None:
    world = _world(40)
    worker = world.worker(COUNTING)

    def meddle() -> None:
        world.store.before_commit = lambda: None
        _other(world).fold(HERE, world.messages(HERE)[: _position(world) + 2])
        world.store.before_commit = meddle

    world.store.before_commit = meddle
    with pytest.raises(FencedError):
        worker.fold(HERE, world.messages(HERE))
    assert len(_seen(world)) == _position(world), "whoever won, each alert was counted once"


def test_an_emptied_store_is_folded_anew_from_the_log() -> None:
    world = _world(700)
    worker = world.worker(COUNTING)
    worker.fold(HERE, world.messages(HERE)[:650])
    world.lose()
    worker.fold(HERE, world.messages(HERE)[650:])
    assert (_seen(world), worker.fenced) == (tuple(range(700)), 1)


def test_what_a_rebalance_leaves_here_is_not_read_again() -> None:
    world = _world(4)
    worker = world.worker(COUNTING)
    worker.fold(HERE, world.messages(HERE)[:2])
    state = worker._states[1]
    worker.assigned([1])
    assert worker._states[1] is state
    _other(world).fold(HERE, world.messages(HERE)[:3])
    worker.assigned([0, 1])
    assert worker._states[1] is not state
    assert worker.position(HERE) == 3


# --- faults ---


def test_nothing_moves_while_the_log_takes_nothing() -> None:
    world = _world(4)
    worker, messages = world.worker(COUNTING), world.messages(HERE)
    world.log.close()
    with pytest.raises(LogUnavailableError):
        worker.fold(HERE, messages)
    assert world.store.held("counting", 1) == Held({}, {}, {})


@pytest.mark.parametrize("fault", ["before", "after"])
def test_a_commit_that_fails_is_repeated_from_the_stores_state(fault: str) -> None:
    world = _world(4)
    worker = world.worker(COUNTING)
    worker.fold(HERE, world.messages(HERE)[:2])
    world.store.faults.append(fault)
    with pytest.raises(StoreUnavailableError):
        worker.fold(HERE, world.messages(HERE))
    worker.fold(HERE, world.messages(HERE))
    assert (_seen(world), worker.fenced) == ((0, 1, 2, 3), 0)


def _fussy(state: State, event: AnyEvent, out: Output) -> None:
    COUNTING.step(state, event, out)
    if event.recorded_at % 5 == 3:
        raise ValueError("a fault of the program")


FUSSY = Processor(COUNTING.name, COUNTING.topics, COUNTING.types, COUNTING.tables, _fussy, COUNTING.prefetch)


def test_an_event_that_cannot_be_folded_is_passed_over_and_named(caplog: pytest.LogCaptureFixture) -> None:
    world = _world(10)
    worker = world.worker(FUSSY)
    with caplog.at_level(logging.ERROR):
        worker.fold(HERE, world.messages(HERE))
    assert (_seen(world), worker.position(HERE), worker.poisoned) == ((0, 1, 2, 4, 5, 6, 7, 9), 10, 2)
    assert len(_said(world)) == 16, "what such a step emitted is not said, what others did is said once"
    assert [record.getMessage() for record in caplog.records] == [
        f"counting passes over tocsin.alerts[1]@{offset}: it cannot fold this AlertRefreshed" for offset in (3, 8)
    ]


def test_a_store_that_fails_within_a_step_is_no_fault_of_the_event() -> None:
    world = _world(2)

    def fetching(state: State, event: AnyEvent, out: Output) -> None:
        world.store.close()
        state["counts"].get(event.page, "not fetched before")

    worker = world.worker(Processor("counting", COUNTING.topics, COUNTING.types, COUNTING.tables, fetching))
    with pytest.raises(StoreUnavailableError):
        worker.fold(HERE, world.messages(HERE))
    assert worker.poisoned == 0


def test_broken_bytes_are_passed_over_and_an_unknown_schema_stops() -> None:
    world = _world(3)
    worker = world.worker(COUNTING)
    first, second, third = world.messages(HERE)
    worker.fold(HERE, [first, second._replace(frame=second.frame[:14])])
    assert (_seen(world), worker.poisoned) == ((0,), 1)
    unknown = third._replace(frame=third.frame[:2] + b"whatever" + third.frame[10:])
    with pytest.raises(LogCorruptError, match=r"alerts\[1\]@2 cannot be read"):
        worker.fold(HERE, [unknown])
    assert worker.position(HERE) == 2


def test_a_prefetch_that_raises_is_a_fault_of_its_event() -> None:
    world = _world(3)

    def wanted(event: AnyEvent) -> list[tuple[str, str, str]]:
        if event.recorded_at == 1:
            raise ValueError("a fault of the program")
        return []

    processor = Processor("counting", COUNTING.topics, COUNTING.types, COUNTING.tables, COUNTING.step, wanted)
    worker = world.worker(processor)
    worker.fold(HERE, world.messages(HERE))
    assert (_seen(world), worker.poisoned) == ((0, 2), 1)


# --- emissions that come again, imports ---


def test_an_emission_that_came_before_is_passed_over() -> None:
    world = _world(0)
    world.log.append([_from(1, "x@4.0"), _from(2, "x@4.1"), _from(1, "x@4.0"), _from(2, "x@4.1"), _from(3, "y@1.0")])
    worker = world.worker(COUNTING)
    worker.fold(HERE, world.messages(HERE))
    assert (_seen(world), worker.repeated) == ((1, 2, 3), 2)
    world.log.append([_from(2, "x@4.1"), _from(4, "x@10.0"), _from(5, "")])
    world.worker(COUNTING).fold(HERE, world.messages(HERE))
    assert _seen(world) == (1, 2, 3, 4, 5), "and the next worker knows"


def _from(number: int, came_from: str) -> Record:
    made = alert(number)
    return Record(made.topic, made.key, made.id, made.type, made.recorded_at, made.fingerprint, made.body, came_from)


def test_of_an_imported_record_only_the_effect_on_the_state_is_made() -> None:
    world = _world(0)
    world.log.append([_from(number, origin.imported(HERE, number)) for number in range(1, 4)])
    world.log.append([_from(number, origin.imported(HERE, number)) for number in range(2, 5)])
    world.log.append([alert(5)])
    worker = world.worker(COUNTING)
    worker.fold(HERE, world.messages(HERE))
    assert (_seen(world), worker.repeated) == ((1, 2, 3, 4, 5), 2)
    assert _said(world) == [("load", 40), ("load", 41)]
    assert world.store.held("counting", 1).wishes == {("acme", "third:load"): 8}


# --- a store that lost everything ---


def _asking_the_world(mood: list[str]) -> Processor:
    """A processor whose step asks more than its state, as the planner does."""

    def step(state: State, event: AnyEvent, out: Output) -> None:
        for name in mood:
            out.emit(PromiseReminded(name, event.recorded_at), event.occurred_at)

    return Processor("asking", (ALERTS,), COUNTING.types, (), step)


def test_what_was_said_before_the_store_was_lost_is_not_said_again() -> None:
    world = _world(6)
    asking = _asking_the_world(["one"])
    for batch in (2, 4, 6):
        world.worker(asking).fold(HERE, world.messages(HERE)[:batch])
    before = _said(world)
    world.lose()
    asking = _asking_the_world(["one", "another, who came later"])
    for batch in (3, 6):
        world.worker(asking).fold(HERE, world.messages(HERE)[:batch])
    again = _said(world)[len(before) :]
    assert {number for _, number in again} == {4, 5}, "the last batch may not have been said to its end"
    world.log.append([alert(6)])
    world.worker(asking).fold(HERE, world.messages(HERE))
    assert _said(world)[-2:] == [("one", 6), ("another, who came later", 6)]


def test_what_was_not_yet_said_when_the_store_was_lost_is_said() -> None:
    world = _world(6)
    asking = _asking_the_world(["one"])
    world.worker(asking).fold(HERE, world.messages(HERE)[:3])
    world.log.faults.append(1)
    with pytest.raises(LogUnavailableError):
        world.worker(asking).fold(HERE, world.messages(HERE)[3:])
    world.lose()
    world.worker(asking).fold(HERE, world.messages(HERE))
    assert _said(world) == [("one", number) for number in (0, 1, 2, 3, 3, 4, 5)]


def test_it_is_remembered_that_more_may_have_been_said() -> None:
    world = _world(6)
    asking = _asking_the_world(["one"])
    for batch in (2, 4, 6):
        world.worker(asking).fold(HERE, world.messages(HERE)[:batch])
    world.lose()
    world.worker(_asking_the_world([])).fold(HERE, world.messages(HERE)[:1])
    world.worker(asking).fold(HERE, world.messages(HERE))
    assert _said(world)[6:] == [("one", 4), ("one", 5)]


def test_a_log_that_was_never_folded_is_not_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    world = _world(0)
    worker = world.worker(COUNTING)
    monkeypatch.setattr(world.log, "scan", None)
    world.log.append([alert(number) for number in range(3)])
    worker.fold(HERE, world.messages(HERE))
    assert world.store.positions("counting", 1) == {ALERTS: 3}, "what came after it was taken over can only be new"


# --- wishes ---


def test_a_wish_is_due_once_it_is_committed_and_gone_once_it_was_granted() -> None:
    world = _world(3)
    worker = world.worker(COUNTING)
    assert worker.wishes_due(1, 1_000, 9) == []
    worker.fold(HERE, world.messages(HERE))
    assert worker.wishes_due(1, 6, 9) == []
    assert worker.wishes_due(1, 7, 9) == [Due("acme", "third:load", 7)]
    assert worker.wishes_due(0, 7, 9) == []
    world.fire(worker, 7)
    worker.fold(HERE, world.messages(HERE))
    assert worker.wishes_due(1, 1_000, 9) == []
    assert world.rows(COUNTING)["fired", "acme", "third:load@7"] == b"1"


def test_wishes_are_due_in_their_order_and_up_to_a_limit() -> None:
    world = World([alert(number, fingerprint=f"disk{number % 40}") for number in range(400)])
    worker = world.worker(COUNTING)
    for partition in range(PARTITIONS):
        worker.fold((ALERTS, partition), world.messages((ALERTS, partition)))
        found = worker.wishes_due(partition, 10_000, 10_000)
        assert found == sorted(found, key=lambda due: due.due)
        assert worker.wishes_due(partition, 10_000, 3) == found[:3]
        assert worker.wishes_due(partition, 300, 10_000) == [due for due in found if due.due <= 300]


def test_nothing_is_due_until_what_lay_there_is_folded() -> None:
    """The dead worker's wake-up may lie on the log: who takes over looks first."""
    world = _world(3)
    first = world.worker(COUNTING)
    first.fold(HERE, world.messages(HERE))
    world.fire(first, 1_000)
    successor = world.worker(COUNTING)
    assert successor.wishes_due(1, 1_000, 9) == []
    successor.fold(HERE, world.messages(HERE))
    assert successor.wishes_due(1, 1_000, 9) == []
    world.log.append([alert(number) for number in range(3, 6)])
    successor.fold(HERE, world.messages(HERE))
    assert successor.wishes_due(1, 1_000, 9) == [Due("acme", "third:load", 10)]


def test_a_second_wake_up_changes_nothing() -> None:
    world = _world(3)
    worker = world.worker(COUNTING)
    worker.fold(HERE, world.messages(HERE))
    world.fire(worker, 1_000)
    world.fire(worker, 1_000)
    worker.fold(HERE, world.messages(HERE))
    assert worker.position(HERE) == 5
    assert list(world.rows(COUNTING)) == [("counts", "acme", "load"), ("fired", "acme", "third:load@7")]


def test_a_wake_up_does_not_take_back_a_later_wish() -> None:
    world = _world(3)
    worker = world.worker(COUNTING)
    worker.fold(HERE, world.messages(HERE))
    world.log.append([alert(number) for number in range(3, 6)])
    world.fire(worker, 1_000)
    worker.fold(HERE, world.messages(HERE))
    assert worker.wishes_due(1, 1_000, 9) == [Due("acme", "third:load", 10)]


def test_a_wake_up_of_another_processor_is_passed_over() -> None:
    world = _world(3)
    worker = world.worker(COUNTING)
    worker.fold(HERE, world.messages(HERE))
    stranger = Processor("else", COUNTING.topics, COUNTING.types, COUNTING.tables, COUNTING.step, COUNTING.prefetch)
    world.fire(worker, 1_000)
    other = world.worker(stranger)
    other.fold(HERE, world.messages(HERE))
    assert [row[0] for row in world.rows(stranger)] == ["counts"]


def test_a_wish_for_the_wake_up_that_is_being_answered_is_none() -> None:
    """It would be due for ever."""
    world = _world(1)

    def again(state: State, event: AnyEvent, out: Output) -> None:
        out.wake("third:load", 7)

    stubborn = Processor(
        "counting", COUNTING.topics, COUNTING.types, COUNTING.tables, again, timer_key=COUNTING.timer_key
    )
    worker = world.worker(stubborn)
    worker.fold(HERE, world.messages(HERE))
    assert worker.wishes_due(1, 7, 9) == [Due("acme", "third:load", 7)]
    world.fire(worker, 7)
    worker.fold(HERE, world.messages(HERE))
    assert worker.wishes_due(1, 7, 9) == []


# --- memory and rankings ---


def test_lazy_tables_are_fetched_by_the_batch_and_shrink(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partition_state, "_KEEP_IN_MEMORY", 10)
    world = World([alert(number, fingerprint=f"disk{number % 30}") for number in range(300)])
    worker = world.worker(COUNTING)
    fetched: list[int] = []
    read = world.store.read

    def counted(processor: str, wanted: Mapping[int, Sequence[Row]]) -> dict[int, Part]:
        fetched.extend(len(rows) for rows in wanted.values())
        return read(processor, wanted)

    monkeypatch.setattr(world.store, "read", counted)
    for partition in range(PARTITIONS):
        for start in range(0, 200, 20):
            worker.fold((ALERTS, partition), world.messages((ALERTS, partition), start, 20))
            table = worker._states[partition].tables["counts"]
            assert sum(len(table.rows(page)) for page in table.pages()) <= 10
    assert all(1 < size <= 20 for size in fetched), "many to a question, and no more than a batch asks for"
    found = {row[2]: decoded(COUNTING.tables[0], value).numbers for row, value in world.rows(COUNTING).items()}
    assert found == {f"disk{number}": tuple(range(number, 300, 30)) for number in range(30)}


def test_many_rows_are_several_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partition_steps, "_MOST_ROWS", 3)
    world = World([alert(number, fingerprint=f"disk{number}") for number in range(20)])
    mine = [place for place in ((ALERTS, 0), (ALERTS, 1)) if world.messages(place)]
    worker = world.worker(COUNTING)
    for place in mine:
        worker.fold(place, world.messages(place))
        assert worker.position(place) == len(world.messages(place))
    assert 7 <= world.store.commits <= 8
    assert len(world.rows(COUNTING)) == 20


def _ranked(state: State, event: AnyEvent, out: Output) -> None:
    """Row k has the place that the alert's number says; 0 deletes it."""
    number = event.recorded_at
    if number % 10 == 0:
        state["rows"].delete(event.page, f"k/{number // 10 % 3}")
    else:
        state["rows"].put(event.page, f"k/{number // 10 % 3}", number % 10)


def test_rankings_follow_their_rows() -> None:
    spec = TableSpec("rows", int, ranked=lambda key, value: [("odd" if value % 2 else "even", value)])
    processor = Processor("ranked", (ALERTS,), COUNTING.types, (spec,), _ranked)
    world = World([alert(number) for number in (1, 12, 23, 2, 13, 3, 20, 11, 10, 4, 30)])
    worker = world.worker(processor)
    expected: dict[int, tuple[list[str], list[str]]] = {
        3: (["k/0", "k/2"], ["k/1"]),
        5: (["k/1", "k/2"], ["k/0"]),
        7: (["k/1", "k/0"], []),
        9: (["k/0"], []),
        11: ([], []),  # from odd to even to nothing in one batch
    }
    for end, (odd, even) in expected.items():
        worker.fold(HERE, world.messages(HERE)[:end])
        for name, keys in (("odd", odd), ("even", even)):
            found = [page_and_key(each) for each, _ in world.store.ranked("ranked", 1, name, None, 9)]
            assert sorted(found) == sorted(("acme", key) for key in keys)
