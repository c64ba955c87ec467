"""The matrix is judged: a sound story passes, and each thing that is broken on purpose is found, named and counted."""

from dataclasses import replace
from typing import Any

import pytest

from consumers.delivery.ledger_rules import notification_id
from tests.kill.matrix.outside import Arrival
from tests.kill.matrix.verdict import COUNTS, MUST_BE_ZERO, Row, row_of
from tests.kill.matrix.ward import Story, about

INCIDENT, OTHER, ANN, BEN = "incident", "another", "ann", "ben"
READERS = {ANN: "ann@example.com", BEN: "ben@example.com"}
TO_ANN, TO_BEN = notification_id(INCIDENT, "u1", ANN), notification_id(INCIDENT, "u1", BEN)
TO_OTHER = notification_id(OTHER, "u2", ANN)
TEXT = "mark1az"
HEARD = [Arrival(address, f"Investigating: {TEXT} and more") for address in READERS.values()]


def event(name: str, number: int, /, **data: Any) -> dict[str, Any]:
    return {"id": f"event {number}", "type": name, "data": data}


def result(notification: str, state: str, retry_at: str | None = None) -> dict[str, Any]:
    return {"notification": notification, "state": state, "reason": "", "retry_at": retry_at}


BEGUN = [
    event("IncidentOpened", 1, incident=INCIDENT, body=TEXT),
    event("NoticePublished", 2, notice={"subject_id": INCIDENT, "update": "u1", "body": TEXT}),
    event("NotificationsPlanned", 3, subject_id=INCIDENT, update="u1", recipients=[ANN, BEN], kind="incident"),
    event("NotificationsClaimed", 4, notifications=[TO_ANN, TO_BEN]),
]
SOUND = Story(
    failpoint="sent",
    restart="once",
    incident=INCIDENT,
    signs={TEXT: (TEXT,)},
    readers=READERS,
    events=[*BEGUN, event("DeliveriesRecorded", 5, results=[result(TO_ANN, "sent"), result(TO_BEN, "in_doubt")])],
    listed={TO_ANN: "sent", TO_BEN: "in_doubt"},
    reasons={TO_ANN: "", TO_BEN: "the sender ended"},
    arrived=HEARD,
    seen=HEARD,
    complaints=(),
)


def row(story: Story, *, repeats: bool = False) -> Row:
    return row_of(story, "mail", "held", repeats=repeats)


def ended(*results: dict[str, Any], **changes: Any) -> Story:
    listed = {one["notification"]: one["state"] for one in results}
    return replace(
        SOUND, events=[*BEGUN, event("DeliveriesRecorded", 5, results=list(results))], listed=listed, **changes
    )


def test_a_sound_story_is_sound() -> None:
    found = row(SOUND)
    assert not found.broken
    assert found.listed == {TO_BEN: "the sender ended"}
    nothing = dict.fromkeys(COUNTS, 0)
    assert found.counts == nothing | {"planned": 2, "sent": 1, "in doubt": 1, "of these arrived": 1}


def test_a_doubt_that_ended_is_counted() -> None:
    later = event("DeliveriesRecorded", 6, results=[result(TO_BEN, "delivered")])
    found = row(replace(SOUND, events=[*SOUND.events, later], listed={TO_ANN: "sent", TO_BEN: "delivered"}))
    assert not found.broken
    assert (found.counts["sent"], found.counts["in doubt"], found.counts["doubts ended"]) == (2, 0, 1)


def test_who_is_asked_again_and_knows_no_repetitions_may_see_it_twice_if_it_is_listed() -> None:
    story = replace(SOUND, arrived=[*HEARD, HEARD[1]], seen=[*HEARD, HEARD[1]])
    found = row(story, repeats=True)
    assert not found.broken
    assert found.counts["seen twice, listed"] == 1
    assert found.counts["doubled"] == 0
    assert row(story).counts["doubled"] == 1, "who knows repetitions must not"
    assert row(replace(story, seen=HEARD)).counts["doubled"] == 0, "and does not see this one"


LOST = result(TO_ANN, "sent"), result(TO_BEN, "sent")
BROKEN = {
    "lost": ended(*LOST, arrived=HEARD[:1], seen=HEARD[:1]),
    "unaccounted": ended(result(TO_ANN, "sent")),
    "doubled": replace(SOUND, arrived=[*HEARD, HEARD[0]], seen=[*HEARD, HEARD[0]]),
}


@pytest.mark.parametrize("name", MUST_BE_ZERO)
def test_what_must_be_zero_is_counted_and_named(name: str) -> None:
    found = row(BROKEN[name])
    assert found.counts[name] == 1
    assert found.broken


def test_what_arrives_twice_and_was_never_in_doubt_is_doubled_though_nobody_sees_it() -> None:
    found = row(replace(SOUND, arrived=[*HEARD, HEARD[0]]))
    assert found.counts["doubled"] == 1
    assert found.broken


@pytest.mark.parametrize(
    ("story", "complaint"),
    [
        (ended(result(TO_ANN, "sent"), result(TO_BEN, "superseded")), "sent and recorded as superseded"),
        (ended(result(TO_ANN, "sent"), result(TO_BEN, "failed"), arrived=HEARD[:1]), "is failed"),
        (ended(result(TO_ANN, "sent"), result(TO_BEN, "in_doubt", "later")), "has no end"),
        (replace(SOUND, listed={TO_ANN: "sent", TO_BEN: "sent"}), "is listed as sent and recorded as in_doubt"),
        (replace(SOUND, events=SOUND.events[1:]), "0 times on the log"),
        (replace(SOUND, readers={**READERS, "eve": "eve@example.com"}), "2 planned for 3 readers"),
        (replace(SOUND, complaints=("the body is not JSON",)), "the body is not JSON"),
    ],
)
def test_what_is_broken_is_named(story: Story, complaint: str) -> None:
    assert [one for one in row(story).broken if complaint in one]


def test_only_what_is_about_an_incident_is_kept_of_the_log() -> None:
    both = [
        event("NoticePublished", 1, notice={"subject_id": OTHER, "update": "u2", "body": "x"}),
        event("NotificationsPlanned", 2, subject_id=OTHER, update="u2", recipients=[ANN], kind="incident"),
        event("NotificationsClaimed", 3, notifications=[TO_ANN, TO_OTHER]),
        event("DeliveriesRecorded", 4, results=[result(TO_OTHER, "sent"), result(TO_BEN, "sent")]),
        event("AlertReceived", 5, fingerprint="f"),
    ]
    assert [one["data"] for one in about(both, INCIDENT)] == [
        {"notifications": [TO_ANN]},
        {"results": [result(TO_BEN, "sent")]},
    ]
    assert [one["id"] for one in about(both, OTHER)] == ["event 1", "event 2", "event 3", "event 4"]
