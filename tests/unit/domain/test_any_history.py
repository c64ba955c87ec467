"""What holds for every sequence of valid events, however senseless: folds are total, idempotent, and survive a restart."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import codec
from schemas import events as e
from schemas.events import AnyEvent
from streams.domain.episodes import EPISODES
from streams.domain.pages import PAGES
from streams.domain.processor import Processor
from streams.log.port import record_of
from streams.runtime.replay import new_file
from streams.runtime.stage import FoldStage
from tests.builders.page_history import Fold
from tests.strategies.page_events import ALERT_HISTORIES, PAGE, PAGE_HISTORIES

BOTH = pytest.mark.parametrize(
    ("processor", "histories"), [(PAGES, PAGE_HISTORIES), (EPISODES, ALERT_HISTORIES)], ids=["pages", "episodes"]
)
Rows = dict[tuple[str, str], bytes]


def folded(processor: Processor, events: Sequence[AnyEvent]) -> Fold:
    fold = Fold(processor)
    for event in events:
        fold.fold(event)
    return fold


@BOTH
@settings(max_examples=150)
@given(data=st.data())
def test_no_history_stops_a_fold(
    processor: Processor, histories: st.SearchStrategy[list[AnyEvent]], data: st.DataObject
) -> None:
    fold = Fold(processor)
    for event in data.draw(histories):
        out = fold.fold(event)
        for emitted in out.emitted:
            if isinstance(emitted.data, e.NoticePublished | e.EpisodeOpened):
                record_of(emitted)
            assert codec.decode(*codec.encode(emitted)) == emitted
        assert all(due is None or -(2**63) <= due < 2**63 for due in out.wakes.values())
    for spec in processor.tables:
        for _, value in fold.tables[spec.name].items(PAGE):
            assert msgspec.msgpack.decode(msgspec.msgpack.encode(value), type=spec.value) == value
            assert msgspec.json.decode(msgspec.json.encode(value), type=spec.value) == value


@BOTH
@settings(max_examples=150)
@given(data=st.data())
def test_an_event_twice_is_an_event_once(
    processor: Processor, histories: st.SearchStrategy[list[AnyEvent]], data: st.DataObject
) -> None:
    fold = Fold(processor)
    for event in data.draw(histories):
        once = fold.fold(event)
        rows, timers = fold.rows(), dict(fold.timers)
        again = fold.fold(event)
        assert fold.rows() == rows
        assert {one.id for one in again.emitted} <= {one.id for one in once.emitted}
        if not isinstance(event.data, e.TimerFired):
            assert fold.timers == timers


@BOTH
@settings(max_examples=100)
@given(data=st.data())
def test_any_split_and_any_restart_fold_to_the_same(
    processor: Processor, histories: st.SearchStrategy[list[AnyEvent]], data: st.DataObject
) -> None:
    events = data.draw(histories)
    cuts = data.draw(st.lists(st.integers(0, len(events)), max_size=6).map(sorted))
    whole = Fold(processor)
    emitted = [one for event in events for one in whole.fold(event).emitted]
    connection = new_file()
    stage, found = FoldStage(processor), []
    stage.load(connection)
    for start, end in zip([0, *cuts], [*cuts, len(events)], strict=True):
        found += stage.run(connection, events[start:end])
        stage.save(connection)
        stage.committed()
        if data.draw(st.booleans()):
            stage = FoldStage(processor)
            stage.load(connection)
    assert found == emitted
    assert stored(connection) == whole.rows()
    assert dict(connection.execute("select timer, due from timers")) == whole.timers
    connection.close()


def stored(connection: Any) -> Rows:
    return {(table, key): value for table, key, value in connection.execute("select tbl, key, value from state")}
