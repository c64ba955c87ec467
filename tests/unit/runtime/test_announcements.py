"""What is appended is announced as it lies on the log, and only once it does."""

from collections.abc import Sequence

import pytest

from streams.log.memory import MemoryEventLog
from streams.log.port import Appended, LogUnavailableError, Record, record_of
from streams.runtime.announcements import AnnouncingLog
from tests.builders.counting import ALERTS, PARTITIONS, alert, messages
from tests.fakes.announcer import NotedAnnouncements


class Away:
    def append(self, records: Sequence[Record]) -> list[Appended]:
        raise LogUnavailableError("away")


def test_what_is_announced_is_what_is_read() -> None:
    log, heard = MemoryEventLog(PARTITIONS), NotedAnnouncements()
    announcing = AnnouncingLog(log, heard)
    announcing.append([record_of(alert(0, "first"), origin="counting/tocsin.alerts/0@1.0")])
    announcing.append([record_of(alert(number, f"name-{number}")) for number in range(1, 50)])
    lying = [
        ((ALERTS, partition), message)
        for partition in range(PARTITIONS[ALERTS])
        for message in messages(log, ALERTS, partition)
    ]
    assert sorted(heard.placed) == sorted(lying)
    assert len(lying) == 50


def test_what_was_not_appended_is_not_announced() -> None:
    heard = NotedAnnouncements()
    with pytest.raises(LogUnavailableError):
        AnnouncingLog(Away(), heard).append([record_of(alert(0, "first"))])
    assert heard.placed == []
