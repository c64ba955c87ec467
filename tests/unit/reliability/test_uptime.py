"""The fold of uptime: what every history must yield, whatever its order, and a day told by hand."""

from collections.abc import Sequence
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.reliability.past import FoldedPast
from consumers.reliability.reader import UptimeReader
from consumers.reliability.uptime import DAY, DAYS, RELIABILITY, day_of, split, start_of
from consumers.web.render.uptime import DayUptime
from schemas import events as e
from schemas.events import AnyEvent, Cell, Event, EventData, Micros
from schemas.ids import derive
from schemas.vocabulary import CellStatus
from streams.domain.processor import Output
from streams.domain.state import MemoryTable, memory_state
from tests.builders.views import HOUR, NOW, SETTINGS, component, view

PAGE = "acme"
START = date(2026, 11, 1)
CELLS = [Cell("api", "eu"), Cell("api", "us"), Cell("login")]
Tables = dict[str, MemoryTable[object]]


def event(data: EventData, recorded: Micros, occurred: Micros | None = None) -> AnyEvent:
    identifier = derive("event", str(data), str(recorded))
    return Event(identifier, PAGE, recorded if occurred is None else occurred, recorded, "x", None, None, False, data)


def fold(events: Sequence[AnyEvent], tables: Tables | None = None) -> Tables:
    tables = memory_state(RELIABILITY.tables) if tables is None else tables
    for each in events:
        RELIABILITY.step(tables, each, Output(each))
    return tables


def defined(name: str, regions: list[str], at: Micros) -> AnyEvent:
    return event(e.ComponentDefined(name, name, None, 0, regions, None, False, ""), at)


def changed(cell: Cell, new: CellStatus, at: Micros, recorded: Micros | None = None) -> AnyEvent:
    data = e.CellStatusChanged(cell.component, cell.region, CellStatus.OPERATIONAL, new)
    return event(data, at if recorded is None else recorded, at)


def days(tables: Tables, cells: Sequence[Cell], first: date, last: date, now: Micros) -> list[DayUptime]:
    return UptimeReader(FoldedPast(tables)).days(PAGE, cells, first, last, now)


moments = st.integers(start_of(START), start_of(START) + 9 * DAY)
cells = st.sampled_from(CELLS)
happenings = st.lists(
    st.one_of(
        st.builds(changed, cells, st.sampled_from(CellStatus), moments, moments),
        st.builds(defined, st.sampled_from(["api", "login"]), st.sampled_from([[], ["eu"], ["eu", "us"]]), moments),
        st.builds(lambda name, at: event(e.ComponentRemoved(name), at), st.sampled_from(["api", "login"]), moments),
    ),
    max_size=25,
)


@given(happenings, st.integers(0, 12))
def test_any_history_in_any_order_yields_a_ratio_and_no_more_time_than_there_is(
    history: list[AnyEvent], length: int
) -> None:
    now = start_of(START) + 10 * DAY
    for cell in CELLS:
        for day in days(fold(history), [cell], START, START + timedelta(days=length), now):
            assert day.ratio is None or 0 <= day.ratio <= 1
            assert all(seconds >= 0 for seconds in day.seconds.values())
            assert day.accounted <= 86_400 + len(day.seconds)  # each status is rounded by itself


@given(happenings, st.integers(0, 9), st.integers(0, 9))
def test_windows_next_to_each_other_add_up(history: list[AnyEvent], first: int, second: int) -> None:
    now = start_of(START) + 10 * DAY
    tables = fold(history)
    start, middle, end = START, START + timedelta(days=first), START + timedelta(days=first + second + 1)
    parts = days(tables, CELLS, start, middle, now) + days(tables, CELLS, middle + timedelta(days=1), end, now)
    assert days(tables, CELLS, start, end, now) == parts


@given(happenings, st.integers(0, 25))
def test_a_history_may_be_folded_in_parts_and_events_may_come_twice_in_a_row(history: list[AnyEvent], cut: int) -> None:
    whole = fold(history)
    parts = fold(history[cut:], fold(history[:cut]))
    twice = fold([same for each in history for same in (each, each)])
    for name in whole:
        assert whole[name].rows(PAGE) == parts[name].rows(PAGE) == twice[name].rows(PAGE)


@given(happenings)
def test_all_time_that_a_cell_was_known_is_accounted_for(history: list[AnyEvent]) -> None:
    ordered = sorted(history, key=lambda each: each.recorded_at)
    begin = defined("api", ["eu", "us"], start_of(START) - DAY)
    kept = [each for each in ordered if isinstance(each.data, e.CellStatusChanged)]
    now = start_of(START) + 10 * DAY
    for day in days(fold([begin, *kept]), [CELLS[0]], START, START + timedelta(days=9), now):
        assert abs(day.accounted - 86_400) <= len(day.seconds)


def test_a_day_told_by_hand() -> None:
    noon = start_of(START) + 12 * HOUR
    tables = fold(
        [
            event(SETTINGS, noon - 40 * DAY),
            defined("login", [], noon - 40 * DAY),
            changed(CELLS[2], CellStatus.MAJOR_OUTAGE, noon),
            changed(CELLS[2], CellStatus.PARTIAL_OUTAGE, noon + HOUR),
            changed(CELLS[2], CellStatus.MAINTENANCE, noon + 2 * HOUR),
            changed(CELLS[2], CellStatus.DEGRADED, noon + 4 * HOUR),
            changed(CELLS[2], CellStatus.OPERATIONAL, noon + 5 * HOUR),
        ]
    )
    [day] = days(tables, [CELLS[2]], START, START, noon + 3 * DAY)
    assert day.seconds == {
        CellStatus.MAJOR_OUTAGE: 3600, CellStatus.PARTIAL_OUTAGE: 3600, CellStatus.MAINTENANCE: 7200,
        CellStatus.DEGRADED: 3600, CellStatus.OPERATIONAL: 19 * 3600,
    }  # fmt: skip
    assert day.ratio == pytest.approx(1 - 1.3 / 24)
    assert len(tables[DAYS].rows(PAGE)) == 1


def test_an_outage_over_midnight_lies_on_both_days_and_one_that_goes_on_counts_until_now() -> None:
    late = start_of(START) + 23 * HOUR
    tables = fold([defined("login", [], late - DAY), changed(CELLS[2], CellStatus.MAJOR_OUTAGE, late)])
    first, second = days(tables, [CELLS[2]], START, START + timedelta(days=1), late + 3 * HOUR)
    assert first.seconds == {CellStatus.MAJOR_OUTAGE: 3600, CellStatus.OPERATIONAL: 23 * 3600}
    assert second.seconds == {CellStatus.MAJOR_OUTAGE: 7200, CellStatus.OPERATIONAL: 0}
    assert second.ratio == 0
    fold([changed(CELLS[2], CellStatus.OPERATIONAL, late + 3 * HOUR)], tables)
    assert days(tables, [CELLS[2]], START, START, late + 30 * DAY) == [first]


def test_what_is_not_on_the_page_has_no_uptime() -> None:
    at = start_of(START)
    tables = fold([defined("api", ["eu", "us"], at + DAY), defined("api", ["eu"], at + 2 * DAY)])
    us = days(tables, [CELLS[1]], START, START + timedelta(days=3), at + 4 * DAY)
    assert [day.ratio for day in us] == [None, 1.0, None, None]
    fold(
        [changed(CELLS[1], CellStatus.MAJOR_OUTAGE, at + 3 * DAY), event(e.ComponentRemoved("api"), at + 3 * DAY)],
        tables,
    )
    both = days(tables, CELLS[:2], START, START + timedelta(days=3), at + 4 * DAY)
    assert [day.accounted for day in both] == [0, 86_400, 86_400, 0]
    assert days(tables, [Cell("nothing")], START, START, at + DAY)[0].ratio is None


def test_an_outage_may_not_begin_after_it_was_recorded_nor_before_the_cell_was_known() -> None:
    at = start_of(START) + 12 * HOUR
    early = changed(CELLS[2], CellStatus.MAJOR_OUTAGE, at - 5 * DAY, at + HOUR)
    late = changed(CELLS[2], CellStatus.OPERATIONAL, at + 5 * DAY, at + 2 * HOUR)
    tables = fold([defined("login", [], at), early, late])
    [day] = days(tables, [CELLS[2]], START, START, at + 6 * DAY)
    assert day.seconds == {CellStatus.MAJOR_OUTAGE: 7200, CellStatus.OPERATIONAL: 10 * 3600}


def test_the_page_gets_ninety_days_of_every_leaf() -> None:
    begin, now = NOW - 30 * DAY, NOW
    shown = [component("platform"), component("api", parent="platform", regions=["eu"]), component("maps")]
    tables = fold(
        [
            *(event(each.definition, NOW - 200 * DAY) for each in shown[:2]),
            event(shown[2].definition, begin),
            changed(Cell("api", "eu"), CellStatus.MAJOR_OUTAGE, NOW - 2 * HOUR),
        ]
    )
    reader = UptimeReader(FoldedPast(tables))
    found = reader.uptime_of_page(view(shown), now)
    assert set(found) == {"api", "maps"}
    assert [each.day for each in found["api"]] == [
        date(2026, 11, 18) - timedelta(days=ago) for ago in reversed(range(90))
    ]
    assert found["api"][-1].seconds[CellStatus.MAJOR_OUTAGE] == 7200
    assert [each.ratio for each in found["maps"]].count(None) == 59
    assert list(found["api"]) == reader.days(PAGE, [Cell("api", "eu")], found["api"][0].day, day_of(now), now)
    assert reader.uptime_of_page(view(shown), now) is found


@given(st.integers(0, 5 * DAY), st.integers(0, 5 * DAY))
def test_days_split_a_stretch_of_time_without_a_rest(start: Micros, length: Micros) -> None:
    parts = list(split(start, start + length))
    assert sum(span for _, span in parts) == length
    assert all(0 < span <= DAY for _, span in parts)
    assert [day for day, _ in parts] == sorted({day for day, _ in parts})
