"""Stages that are saved seldom: after a crash in a storm they come to what they would have been, and nothing is doubled."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from schemas.events import AlertReceived, AnyEvent, Event
from schemas.ids import derive
from schemas.vocabulary import AlertStatus, Severity
from streams.domain.episodes import EPISODES, INSTANCES, episode_id
from streams.domain.pages import PAGES
from streams.log.sqlite import FILE_NAME, SqliteEventLog
from streams.runtime import embedded
from streams.runtime.embedded import EmbeddedDriver
from streams.runtime.instances import EmbeddedInstances
from streams.runtime.stage import FoldStage

NOW = 1_795_000_000_000_000
STORM = 200


class Site:
    """A log that is driven, as one process has it open."""

    def __init__(self, folder: Path, *, patient: bool) -> None:
        self.log = SqliteEventLog(folder)
        self.episodes = FoldStage(EPISODES, patient=patient)
        self.driver = EmbeddedDriver(self.log, (self.episodes, FoldStage(PAGES, patient=patient)), lambda: NOW)
        self.driver.start()

    def append(self, events: list[AnyEvent]) -> None:
        self.log.submit(lambda connection: self.log.append_events(connection, events)).result()

    def settle(self) -> None:
        while any(self.driver.lag().values()):
            self.log.submit(lambda _: None).result()
        self.log.submit(lambda _: None).result()


def alert(number: int, status: AlertStatus) -> AnyEvent:
    """Return what the intake would append; every third has a lease and so a timer."""
    fingerprint = f"{derive('instance', str(number))[:16]}"
    expires = NOW + 60_000_000 if number % 3 == 0 else None
    data = AlertReceived(
        "prom", fingerprint, episode_id("acme", "prom", fingerprint, NOW), status, Severity.CRITICAL, NOW, None, expires,
        "Disk full", {"service": "api"}, {}, "", "0" * 64, False, False,
    )  # fmt: skip
    return Event(derive("alert", fingerprint, status), "acme", NOW, NOW, "source:prom", None, None, False, data)


def storm(status: AlertStatus, count: int = STORM) -> list[AnyEvent]:
    return [alert(number, status) for number in range(count)]


def contents(folder: Path) -> Iterator[list[tuple[object, ...]]]:
    """Yield what the file holds that a crash must not change."""
    with closing(sqlite3.connect(folder / FILE_NAME)) as file:
        yield file.execute(
            "select topic.name, key, id, body from log join topics topic on topic.number = place / 4096 order by seq"
        ).fetchall()
        yield file.execute("select * from state order by stage, tbl, page, key").fetchall()
        yield file.execute("select * from timers order by stage, page, timer").fetchall()
        yield file.execute("select * from positions order by 1, 2").fetchall()


@pytest.fixture
def never_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_QUIET_SECONDS", 3_600.0)


@pytest.mark.usefixtures("never_quiet")
def test_a_crash_in_a_storm_changes_nothing(tmp_path: Path) -> None:
    patient, eager = tmp_path / "patient", tmp_path / "eager"
    for folder, is_patient in ((patient, True), (eager, False)):
        site = Site(folder, patient=is_patient)
        site.append(storm(AlertStatus.FIRING))
        site.append(storm(AlertStatus.RESOLVED, STORM // 2))
        unsaved = site.log.query("select position from positions where \"group\" = 'episodes'") == []
        assert unsaved == is_patient  # so there is something that a crash can lose
        site.log.close()  # without a word to the driver: what it had not saved is gone
        again = Site(folder, patient=is_patient)
        again.append(storm(AlertStatus.FIRING, 3))
        again.settle()
        again.log.close()
    assert list(contents(patient)) == list(contents(eager))


@pytest.mark.usefixtures("never_quiet")
def test_the_intake_sees_what_is_not_saved(tmp_path: Path) -> None:
    site = Site(tmp_path, patient=True)
    instances = EmbeddedInstances(site.log, site.episodes)
    site.append(storm(AlertStatus.FIRING))
    keys = [key for key, _ in site.episodes.tables[INSTANCES].items("acme")]
    assert site.log.query("select count(*) from state") == [(0,)]
    assert instances.get_many("acme", [*keys, "prom/unknown"]).keys() == set(keys)
    site.log.close()


def test_what_is_unsaved_is_saved_when_it_is_quiet(tmp_path: Path) -> None:
    site = Site(tmp_path, patient=True)
    site.append(storm(AlertStatus.FIRING))
    end = site.log.last + 1
    while site.log.query("select min(position) from positions where place = 0") != [(end,)]:
        pass  # nobody appends: the driver must do it by itself
    assert site.log.query("select count(*) from state where tbl = 'instances'") == [(STORM,)]
    site.log.close()
