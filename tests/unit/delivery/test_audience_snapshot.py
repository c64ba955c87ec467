"""Snapshots of the audience index: read back they are the index, and nothing that does not fit the log is used."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery import audience_snapshot
from consumers.delivery.audience import Question
from consumers.delivery.audience_file import NAME, AudienceFile, Place
from consumers.delivery.audience_index import AudienceIndex
from consumers.delivery.audience_rebuild import fold
from consumers.delivery.audience_snapshot import UnusableSnapshotError
from consumers.delivery.subscriber_stage import SubscriberStage
from schemas.events import AnyEvent, Event, EventData, SubscriberAdded, SubscriberChanged, SubscriberRemoved
from schemas.ids import derive
from streams.log.port import record_of
from streams.log.sqlite import SqliteEventLog
from streams.runtime.embedded import EmbeddedDriver
from tests.unit.delivery.pipeline import EVERYTHING, NOON, PAGE, Pipeline, ScriptedChannel
from tests.unit.delivery.test_audience_index import CHANNEL_OF, Chosen, choices, questions
from tests.unit.delivery.test_audience_index import PAGE as INDEXED
from tests.unit.delivery.test_subscriber_book import OF_ALL

HERE = Place(7, "AB")
ANN, BEN, EVE = (derive("subscriber", name) for name in ("ann", "ben", "eve"))


@given(choices, questions, choices)
def test_an_index_that_was_read_back_is_the_same_and_goes_on_the_same(
    chosen: Chosen, asked: Question, then: Chosen
) -> None:
    index = AudienceIndex()
    for name, state, wanted, belongs_to in chosen:
        index.put(INDEXED, name, CHANNEL_OF[name], state, wanted, belongs_to)
    again, place = audience_snapshot.load(audience_snapshot.dump(index, HERE), Place)
    assert place == HERE
    for known in (index, again):
        for name, state, wanted, belongs_to in then:
            known.put(INDEXED, name, CHANNEL_OF[name], state, wanted, belongs_to)
    assert again.match(INDEXED, asked) == index.match(INDEXED, asked)
    assert [again.standing(INDEXED, name) for name in CHANNEL_OF] == [
        index.standing(INDEXED, name) for name in CHANNEL_OF
    ]
    assert len(again) == len(index)


def a_snapshot() -> bytes:
    index = AudienceIndex()
    index.put(PAGE, ANN, "email", "active", EVERYTHING)
    return audience_snapshot.dump(index, HERE)


@given(st.integers(0, len(a_snapshot()) - 1), st.integers(1, 255))
def test_no_changed_byte_is_read_back(at: int, by: int) -> None:
    data = bytearray(a_snapshot())
    data[at] ^= by
    with pytest.raises(UnusableSnapshotError):
        audience_snapshot.load(bytes(data), Place)


@given(st.integers(0, len(a_snapshot()) - 1))
def test_nothing_that_was_cut_off_is_read_back(at: int) -> None:
    with pytest.raises(UnusableSnapshotError):
        audience_snapshot.load(a_snapshot()[:at], Place)


def test_an_id_of_several_lines_is_refused() -> None:
    index = AudienceIndex()
    index.put(PAGE, "a\nb", "email", "active", EVERYTHING)
    with pytest.raises(ValueError, match="several lines"):
        audience_snapshot.dump(index, HERE)


class Driven:
    """A folder's log with the stage of subscribers, which keeps a snapshot of any number."""

    def __init__(self, folder: Path) -> None:
        self.log = SqliteEventLog(folder)
        self.stage = SubscriberStage(self.log.query, AudienceFile(folder, self.log), worth=1)
        self.driver = EmbeddedDriver(self.log, [self.stage], lambda: NOON)
        self.driver.start()

    def say(self, *data: EventData) -> None:
        for each in data:
            identifier = derive("test", str(self.log.last))
            event: AnyEvent = Event(identifier, PAGE, NOON, NOON, "test", None, None, False, each)
            self.log.append([record_of(event)])
        while self.driver.lag()[self.stage.name]:
            self.log.submit(lambda _: None).result()

    def keep(self) -> None:
        self.log.submit(lambda _: self.stage.keep()).result()

    def told(self) -> list[str]:
        return self.stage.index.match(PAGE, OF_ALL)

    def close(self) -> None:
        self.log.close()


def added(*keys: str) -> list[EventData]:
    return [SubscriberAdded(key, "email", b"sealed", EVERYTHING, True, "test") for key in keys]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage().partition("anew: ")[2] for each in caplog.records if each.levelno >= logging.WARNING]


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Return a folder with a snapshot, and events behind it."""
    made = Driven(tmp_path)
    made.say(*added(ANN, BEN))
    made.keep()
    made.say(*added(EVE), SubscriberRemoved(ANN, "unsubscribed"))
    made.close()
    return tmp_path


def test_a_start_goes_on_where_the_snapshot_ends(kept: Path, caplog: pytest.LogCaptureFixture) -> None:
    connection = SqliteEventLog(kept)
    ben = "delete from state where key = ?"
    connection.submit(lambda at: at.execute(ben, (BEN,))).result()  # so that only the snapshot knows of him
    connection.close()
    again = Driven(kept)
    assert again.told() == [BEN, EVE]
    assert warnings(caplog) == []
    again.close()


def _damage(folder: Path) -> None:
    data = bytearray((folder / NAME).read_bytes())
    data[-1] ^= 1
    (folder / NAME).write_bytes(data)


def _of_an_earlier_build(folder: Path) -> None:
    data = bytearray((folder / NAME).read_bytes())
    data[len("tocsin-audience")] = 0
    (folder / NAME).write_bytes(data)


def _of_a_longer_log(folder: Path) -> None:
    index = AudienceIndex()
    index.put(PAGE, "nobody", "email", "active", EVERYTHING)
    (folder / NAME).write_bytes(audience_snapshot.dump(index, Place(100, "AB")))


def _of_another_log(folder: Path) -> None:
    index = AudienceIndex()
    index.put(PAGE, "nobody", "email", "active", EVERYTHING)
    (folder / NAME).write_bytes(audience_snapshot.dump(index, Place(2, "AB")))


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (_damage, "it is damaged"),
        (_of_an_earlier_build, "it is of another format"),
        (_of_a_longer_log, "it is of a longer log"),
        (_of_another_log, "it is of another log"),
        (lambda folder: (folder / NAME).unlink(), None),
    ],
)
def test_what_cannot_be_used_is_said_and_the_index_is_built_anew(
    harm: Callable[[Path], None], said: str | None, kept: Path, caplog: pytest.LogCaptureFixture
) -> None:
    harm(kept)
    again = Driven(kept)
    assert sorted(again.told()) == sorted((BEN, EVE))
    assert warnings(caplog) == ([] if said is None else [said])
    again.keep()
    again.close()
    caplog.clear()
    third = Driven(kept)
    assert sorted(third.told()) == sorted((BEN, EVE))
    assert warnings(caplog) == []
    third.close()


def test_a_snapshot_that_cannot_be_written_is_said_and_nothing_else(
    kept: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (kept / NAME).unlink()
    (kept / NAME).mkdir()
    again = Driven(kept)
    again.say(SubscriberChanged(BEN, EVERYTHING))
    again.keep()
    assert sorted(again.told()) == sorted((BEN, EVE))
    assert [each.name for each in kept.iterdir() if "unfinished" in each.name] == []
    assert any("was not written" in each.getMessage() for each in caplog.records)
    again.close()


def test_an_index_that_is_folded_off_the_log_is_the_stages(kept: Path) -> None:
    again, index = Driven(kept), AudienceIndex()
    assert fold(again.log, index, 0) == 4
    assert index.match(PAGE, OF_ALL) == [BEN, EVE]
    upto = AudienceIndex()
    assert fold(again.log, upto, 0, 2) == 1
    assert upto.match(PAGE, OF_ALL) == [ANN]
    again.close()


def test_few_subscribers_leave_no_snapshot_behind(tmp_path: Path) -> None:
    mail = Pipeline(tmp_path, ScriptedChannel())
    mail.subscribe("ann@example.com")
    mail.close()
    assert not list(tmp_path.rglob(NAME))
