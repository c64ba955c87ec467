"""The judge of the faults is judged: sound evidence passes, and each thing that is broken on purpose is found and named."""

from dataclasses import replace
from typing import Any

import pytest

from consumers.delivery.ledger_rules import Item, Thread, notification_id
from schemas.vocabulary import NotificationState
from tests.faults.judge import FleetEvidence, Reader, judge_fleet
from tests.faults.load import Person
from tests.kill.evidence import Evidence, Receipt, Said

SUBJECT, OPENING, OVER = "incident", "u1", "u2"
ANN, BEN, EVE = "ann", "ben", "eve"
CHANGED = [{"component": "svc-1", "region": "eu"}]
ELSEWHERE = [{"component": "svc-1", "region": "us"}]


def notice(update: str, changes: list[dict[str, str]]) -> dict[str, Any]:
    said = {"kind": "incident", "subject_id": SUBJECT, "update": update, "title": "It fails", "changes": changes}
    return {"id": f"notice {update}", "type": "NoticePublished", "recorded_at": 10, "data": {"notice": said}}


def plan(update: str, *recipients: str) -> dict[str, Any]:
    data = {"kind": "incident", "subject_id": SUBJECT, "update": update, "recipients": list(recipients)}
    return {"id": f"plan {update}", "type": "NotificationsPlanned", "recorded_at": 10, "data": data}


def thread(one: str, *updates: str) -> Thread:
    items = [
        Item(notification_id(SUBJECT, update, one), update, 10, NotificationState.SENT, "", "w", 1, 11, None)
        for update in updates
    ]
    return Thread(SUBJECT, one, "email", 0, tuple(items))


EVENTS = [notice(OPENING, CHANGED), plan(OPENING, ANN, EVE), notice(OVER, ELSEWHERE), plan(OVER, ANN, BEN, EVE)]
THREADS = [thread(ANN, OPENING, OVER), thread(BEN, OVER), thread(EVE, OPENING, OVER)]
RECEIVED = [
    Receipt(notification_id(SUBJECT, update, one), f"{one}@example.com")
    for one, updates in ((ANN, (OPENING, OVER)), (BEN, (OVER,)), (EVE, (OPENING, OVER)))
    for update in updates
]
LISTED = {receipt.notification: "sent" for receipt in RECEIVED}
PLANS = {OPENING: frozenset({ANN, EVE}), OVER: frozenset({ANN, BEN, EVE})}
NOTHING: frozenset[Any] = frozenset()
SOUND = FleetEvidence(
    evidence=Evidence(NOTHING, NOTHING, NOTHING, NOTHING, EVENTS, LISTED, RECEIVED, {}, {}),
    copies={event["id"]: 1 for event in EVENTS} | {"plan u1": 2},
    threads=THREADS,
    readers=[
        Reader(ANN, "ann@example.com", [{"component": "all", "region": "eu"}]),
        Reader(BEN, "ben@example.com", [{"component": "svc-1", "region": "us"}]),
    ],
    people=[Person("eve@example.com", EVE, began_to_confirm=5, confirmed=6)],
    plans_at_wipes=[{OPENING: PLANS[OPENING]}],
    plans=PLANS,
)


def test_sound_evidence_is_sound() -> None:
    found = judge_fleet(SOUND)
    assert not found.broken
    assert found.counts["copies on the log, passed over"] == 1
    assert found.counts["plans before wipes"] == 1
    assert found.counts["sent"] == len(RECEIVED)


def alert(name: str, status: str) -> dict[str, Any]:
    said = {"fingerprint": "f1", "status": status, "episode": "e1"}
    return {"id": name, "type": "AlertReceived", "recorded_at": 1, "data": said}


def episode(name: str, kind: str) -> dict[str, Any]:
    return {"id": name, "type": kind, "recorded_at": 1, "data": {"episode": "e1"}}


SAID = {"acknowledged": frozenset({Said("f1", "resolved")}), "said": frozenset({Said("f1", "resolved")})}


def test_an_end_that_was_kept_as_late_is_counted_and_no_loss() -> None:
    events = [*EVENTS, alert("a1", "resolved"), alert("a2", "resolved"), episode("c1", "EpisodeClosed")]
    promised = SOUND.evidence.event_ids | {"a1", "a2"}
    found = judge_fleet(replace(SOUND, **with_evidence(events=events, event_ids=promised, **SAID)))
    assert not found.broken
    assert found.counts["said again under an id of their own, passed over"] == 1


def with_evidence(**changes: Any) -> dict[str, Any]:
    return {"evidence": replace(SOUND.evidence, **changes)}


def planned(update: str, *recipients: str) -> dict[str, Any]:
    """Return the changes that make a plan name others."""
    return {"plans": {**PLANS, update: frozenset(recipients)}}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        (planned(OPENING, ANN, EVE, "new"), "the plan of u1 changed: [] left it, ['new'] came"),
        (planned(OPENING, ANN), "the plan of u1 changed: ['eve'] left it, [] came"),
        (
            {"plans_at_wipes": [{"u0": frozenset()}], "plans": {**PLANS, "u0": frozenset({ANN})}},
            "the plan of u0 changed",
        ),
        (planned(OVER, BEN, EVE), "['ann'] should have been told"),
        ({**planned(OPENING, ANN, BEN, EVE), "plans_at_wipes": []}, "and ['ben'] should not"),
        ({"people": [Person("eve@example.com", EVE)]}, "eve@example.com never confirmed and is planned"),
        ({"people": [replace(SOUND.people[0], left=9)]}, "eve@example.com had left and is planned"),
        (
            with_evidence(received=[*RECEIVED, Receipt("other", "ann@example.com")]),
            "nobody planned what ann@example.com got",
        ),
        (
            with_evidence(received=[*RECEIVED[1:], RECEIVED[0]._replace(endpoint="ben@example.com")]),
            "ben@example.com got what was planned for ann@example.com",
        ),
        (
            with_evidence(events=[*EVENTS, episode("c1", "EpisodeClosed"), episode("c2", "EpisodeClosed")]),
            "EpisodeClosed 2 times",
        ),
        ({"threads": THREADS[1:]}, "a planned notification has no end"),
        (with_evidence(received=[*RECEIVED, RECEIVED[0]]), "sent 2 times and never in doubt"),
        (with_evidence(received=RECEIVED[1:]), "recorded as sent and never received"),
    ],
)
def test_whatever_is_broken_is_found_and_named(changes: dict[str, Any], complaint: str) -> None:
    found = judge_fleet(replace(SOUND, **changes)).broken
    assert any(complaint in one for one in found), found


def test_what_the_ledger_says_counts_and_not_the_last_claim() -> None:
    """Two senders claim the same; the second one's claim changes nothing."""
    claim = {"worker": "late", "notifications": [RECEIVED[0].notification]}
    late = {"id": "claim", "type": "NotificationsClaimed", "recorded_at": 12, "data": claim}
    assert not judge_fleet(replace(SOUND, **with_evidence(events=[*EVENTS, late]))).broken
