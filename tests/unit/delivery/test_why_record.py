"""Where the record and what is read of that time part, the record counts and the reason says so; and what is no record yet."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from consumers.delivery.history import Past, history
from consumers.delivery.queue import Entry, Overtaken
from consumers.delivery.reports import Addresses
from consumers.delivery.subscribers import ACTIVE, PENDING, REMOVED, Subscriber
from consumers.delivery.verdicts import successor_in, superseded
from consumers.delivery.why import MEANINGS, WhyReport, fate
from consumers.web.ports import Why
from schemas.events import (
    AnyEvent,
    ConfirmationRequested,
    Event,
    EventData,
    Micros,
    NoticePublished,
    NotificationsPlanned,
    SubscriberAdded,
    SubscriberConfirmed,
    SubscriberRemoved,
)
from schemas.topics import SUBSCRIPTIONS, partition_of, shard_of
from schemas.vocabulary import Impact, IncidentStatus, Kind, NotificationState
from streams.domain.model import Incident, Update
from streams.keys.sqlite import SqliteKeyStore
from streams.keys.vault import Vault
from streams.log.memory import MemoryEventLog
from streams.log.port import record_of
from tests.contract.queue.ledgers import StoredLedger
from tests.unit.delivery.pipeline import EVERYTHING, NOON, OPENING, PAGE, notice_of
from tests.unit.delivery.test_verdict import book_of

ANN = Subscriber("ann", "email", b"", EVERYTHING, ACTIVE, "", "test", NOON - 9)
ASKED, LEFT = replace(ANN, state=PENDING), replace(ANN, state=REMOVED, reason="unsubscribed")
NOTICE = replace(notice_of(OPENING, "outage", NOON), update="u1")
INCIDENT = Incident(
    "outage", "API errors", IncidentStatus.INVESTIGATING, None, Impact.CRITICAL, {}, None, None, NOON, NOON, NOON, None, None,
    None, [Update("u1", OPENING, "", NOON, NOTICE.changes, None, "test")], drill=False,
)  # fmt: skip


def event(data: EventData, at: Micros = NOON, key: str = "e") -> AnyEvent:
    return Event(f"{key}{at}", PAGE, at, at, "test", None, None, False, data)


def reasons(
    pasts: Sequence[Past], *facts: EventData, now: Subscriber = ANN, incident: Incident = INCIDENT
) -> Sequence[Why]:
    """Return what is said of a subscriber whose ledger holds ``facts``."""
    ledger = StoredLedger()
    ledger.fold([event(each) for each in facts])
    addresses = Addresses(Vault(SqliteKeyStore(":memory:"), bytes(32)), {})
    report = WhyReport(ledger.queue, book_of(now), lambda *_: pasts, addresses)
    found = report.why(PAGE, "ann", incident)
    ledger.close()
    assert found is not None
    assert found.address == "erased"
    return found.updates


PUBLISHED = NoticePublished(NOTICE)
PLAN = NotificationsPlanned("u1", "outage", Kind.INCIDENT, "email", 0, shard_of("ann"), ["ann"])


@pytest.mark.parametrize(
    ("pasts", "facts", "planned", "reason"),
    [
        ([Past(NOON, ANN)], [PUBLISHED, PLAN], True, "wants to hear of everything"),
        ([Past(NOON, ASKED), Past(NOON + 1, ANN), Past(NOON + 2, LEFT)], [PUBLISHED, PLAN], True,
            "wants to hear of everything; so since after it was published, before it was planned"),
        ([Past(NOON, ASKED)], [PUBLISHED, PLAN], True,
            "a plan names them, though by what is known today they were not to be told: the subscriber is pending: not confirmed yet"),
        ([Past(NOON, ANN)], [PUBLISHED], False,
            "no plan names them, or none yet, though they were to be told: wants to hear of everything"),
        ([Past(NOON, ANN)], [], False, "nothing of it is published yet"),
        ([Past(NOON, ANN)], [PLAN], True, "a plan names them; what it is about is not known here yet"),
    ],
    ids=["agree", "later", "never", "not planned", "not published", "planned before it is known"],
)  # fmt: skip
def test_the_record_counts(pasts: list[Past], facts: list[EventData], planned: bool, reason: str) -> None:
    [found] = reasons(pasts, *facts)
    assert (found.planned, found.reason) == (planned, reason)
    assert (found.fate is not None) == planned


def test_a_drill_is_told_to_nobody() -> None:
    [found] = reasons([Past(NOON, ANN)], incident=replace(INCIDENT, drill=True))
    assert (found.planned, found.reason) == (False, "it is a drill, which nobody is told of")


def test_a_stranger_has_no_reasons() -> None:
    ledger = StoredLedger()
    addresses = Addresses(Vault(SqliteKeyStore(":memory:"), bytes(32)), {})
    assert WhyReport(ledger.queue, book_of(), lambda *_: [], addresses).why(PAGE, "ann", INCIDENT) is None
    ledger.close()


def test_every_state_has_its_words() -> None:
    assert set(MEANINGS) == set(NotificationState)


def test_a_reason_of_superseded_names_the_newer_update() -> None:
    old = Entry("n1", PAGE, "outage", "u1", "ann", "email", 0, NotificationState.PLANNED, "", "", 0, NOON, 0)
    assert successor_in(superseded(Overtaken(old, "u2")).reason) == "u2"
    assert successor_in("unsubscribed") is None


def test_how_somebody_stood_is_folded_from_their_own_events_and_no_others() -> None:
    log = MemoryEventLog()
    [partition] = {partition_of(f"{PAGE}/ann", SUBSCRIPTIONS.partitions)}
    beside = next(
        key for key in map(str, range(99)) if partition_of(f"{PAGE}/{key}", SUBSCRIPTIONS.partitions) == partition
    )
    added = SubscriberAdded("ann", "email", b"", EVERYTHING, False, "test")
    for at, data in enumerate([
        SubscriberConfirmed("ann"), added, SubscriberAdded(beside, "email", b"", EVERYTHING, True, "test"),
        SubscriberConfirmed(beside), added, ConfirmationRequested("ann", "2"), SubscriberConfirmed("ann"),
        *[SubscriberRemoved(beside, "operator")] * 3_000, SubscriberRemoved("ann", "unsubscribed"),
    ]):  # fmt: skip
        log.append([record_of(event(data, NOON + at))])
    found = history(log, PAGE, "ann")
    assert [(past.at - NOON, past.known.state) for past in found] == [(1, PENDING), (6, ACTIVE), (3_007, REMOVED)]
    assert history(log, PAGE, "nobody") == []
    assert history(log, "globex", "ann") == []


def test_what_was_put_off_says_so() -> None:
    said = "quiet hours until 07:00 Europe/Berlin"
    held = Entry(
        "n1", PAGE, "outage", "u1", "ann", "email", 0, NotificationState.PLANNED, said, "", 0, NOON, 0, NOON + 1
    )
    told = fate(held, ["u1"])
    assert (told.meaning, told.reason, told.attempts) == ("waits for a better time", said, 0)
    assert fate(held, ["u1", "u2"]).meaning == "is not sent any more, a newer update is planned"
