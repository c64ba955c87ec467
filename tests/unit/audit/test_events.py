"""The audit log page by page: complete, in append order, of one page only, and with nothing unsealed."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.audit.events import SEALED, iso, page_of_events
from schemas.events import EVENT_TYPE_OF_NAME
from schemas.topics import TOPIC_OF_NAME
from streams.log.memory import MemoryEventLog
from streams.log.port import EventLog, Record
from streams.log.sqlite import SqliteEventLog

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def other_page(record: Record, number: int) -> Record:
    """The same record as another page's: one whose id begins like the first one's."""
    page = "acme2" if number % 2 else "acm"
    return Record(record.topic, record.key.replace("acme", page, 1), f"{record.id}-{number}", record.type,
                  record.recorded_at, record.fingerprint, record.body)  # fmt: skip


@pytest.fixture(params=["sqlite", "memory"])
def mixed(request: pytest.FixtureRequest, log: SqliteEventLog, tmp_path: Path) -> Iterator[EventLog]:
    """The history among the events of two other pages."""
    records = [stored.record for stored in log.read_all(0, 10_000)]
    among = [each for number, record in enumerate(records) for each in (record, other_page(record, number))]
    mixed: EventLog = MemoryEventLog() if request.param == "memory" else SqliteEventLog(tmp_path)
    with closing(mixed):
        mixed.append(among)
        yield mixed


@pytest.mark.parametrize("limit", [1, 7, 106, 1000])
def test_every_event_is_shown_once_in_append_order(mixed: EventLog, log: SqliteEventLog, limit: int) -> None:
    expected = [stored.record.id for stored in log.read_all(0, 10_000)]
    shown: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        items, cursor = page_of_events(mixed, "acme", cursor, limit)
        assert len(items) == limit or cursor is None
        assert cursor is None or re.fullmatch(r"[\w.~-]+", cursor)
        shown += [item["id"] for item in items]
    assert shown == expected


def test_a_page_without_events_has_none(mixed: EventLog) -> None:
    assert page_of_events(mixed, "nobody", None, 10) == ([], None)
    assert page_of_events(mixed, "ac%", None, 10) == ([], None)


def test_an_event_has_the_promised_shape(log: SqliteEventLog) -> None:
    items, _ = page_of_events(log, "acme", None, 1000)
    for item in items:
        assert list(item) == ["id", "type", "topic", "occurred_at", "recorded_at", "actor", "data"]
        assert item["type"] in EVENT_TYPE_OF_NAME
        assert item["topic"] in TOPIC_OF_NAME
        assert TIME.fullmatch(item["occurred_at"])
        assert TIME.fullmatch(item["recorded_at"])
    json.dumps(items)


def test_an_alert_shows_what_the_monitor_said(log: SqliteEventLog) -> None:
    items, _ = page_of_events(log, "acme", None, 1000)
    alerts = [item["data"] for item in items if item["type"] == "AlertReceived"]
    said = ("source", "fingerprint", "status", "severity", "starts_at", "ends_at")
    assert {name: alerts[0][name] for name in said} == {
        "source": "prom",
        "fingerprint": "api-eu",
        "status": "firing",
        "severity": "critical",
        "starts_at": "2026-09-23T12:00:00.000000Z",
        "ends_at": None,
    }
    assert alerts[0]["labels"] == {"service": "api", "region": "eu", "alertname": "Errors"}


def test_what_is_sealed_stays_sealed(log: SqliteEventLog) -> None:
    items, _ = page_of_events(log, "acme", None, 1000)
    letters = [item for item in items if item["topic"] == "tocsin.deadletters"]
    assert [letter["data"]["body"] for letter in letters] == [SEALED]
    assert {item["data"]["address"] for item in items if item["type"] == "SubscriberAdded"} == {SEALED}
    assert "secret" not in json.dumps(letters)


def test_times_deep_inside_are_times(log: SqliteEventLog) -> None:
    items, _ = page_of_events(log, "acme", None, 1000)
    times = [item["data"]["notice"]["started_at"] for item in items if item["type"] == "NoticePublished"]
    times += [item["data"]["due"] for item in items if item["type"] == "TimerFired"]
    assert len(times) > 5
    assert all(TIME.fullmatch(time) for time in times)


def test_an_event_that_cannot_be_read_says_so(
    change: Callable[..., None], reopened: Callable[[], SqliteEventLog]
) -> None:
    change("update log set body = x'00' where type = 'DeadLettered'")
    items, _ = page_of_events(reopened(), "acme", None, 1000)
    (letter,) = [item for item in items if item["type"] == "DeadLettered"]
    assert "not a DeadLettered" in letter["data"]["unreadable"]


@pytest.mark.parametrize("cursor", ["x", "-1", "1.5", "٣", "1 ", "9" * 40, "v1.!!"])
def test_a_cursor_that_nobody_gave_is_refused(mixed: EventLog, cursor: str) -> None:
    with pytest.raises(ValueError, match="cursor"):
        page_of_events(mixed, "acme", cursor, 10)


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_a_limit_out_of_bounds_is_refused(log: SqliteEventLog, limit: int) -> None:
    with pytest.raises(ValueError, match="limit"):
        page_of_events(log, "acme", None, limit)


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_time_can_be_written(at: int) -> None:
    assert datetime.fromisoformat(iso(at)).tzinfo is not None
