"""What must hold after any number of deaths: from evidence to what is broken. Pure, so that it can be tested itself."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from consumers.delivery.ledger_rules import notification_id
from tests.kill.evidence import Evidence, Receipt, Said

LEFT = frozenset({"sent", "delivered", "in_doubt"})
ENDED = LEFT | {"failed", "suppressed", "superseded"}
_LISTED = ("incident", "maintenance")
_COMMANDS = ("IncidentOpened", "IncidentUpdated")


@dataclass(frozen=True)
class Judgement:
    """The counts of a siege, for a table, and what was broken."""

    counts: Mapping[str, int]
    broken: tuple[str, ...]


class Record:
    """The audit log as far as deliveries are concerned."""

    def __init__(self, events: Iterable[Mapping[str, Any]]) -> None:
        self.planned: dict[str, tuple[str, str]] = {}
        self.public: set[str] = set()
        self.states: dict[str, str] = {}
        self.waits: dict[str, bool] = {}
        self.doubted: set[str] = set()
        self.claims = 0
        for event in events:
            self.add(event)

    def add(self, event: Mapping[str, Any]) -> None:
        """Take one event, in the order of the log."""
        data = event["data"]
        match event["type"]:
            case "NotificationsPlanned":
                subject, update = data["subject_id"], data["update"]
                planned = {notification_id(subject, update, one): (update, one) for one in data["recipients"]}
                self.planned |= planned
                if data["kind"] in _LISTED:
                    self.public |= planned.keys()
            case "NotificationsClaimed":
                self.claims += 1
                for notification in data["notifications"]:
                    self.states[notification], self.waits[notification] = "claimed", False
            case "DeliveriesRecorded":
                for result in data["results"]:
                    self._record(result)
            case _:
                pass

    def _record(self, result: Mapping[str, Any]) -> None:
        notification = result["notification"]
        self.states[notification] = result["state"]
        self.waits[notification] = result["retry_at"] is not None
        if result["state"] == "in_doubt":
            self.doubted.add(notification)

    def unfinished(self) -> list[str]:
        """Return the planned notifications that have not come to their end."""
        return [
            one for one in self.planned if self.states.get(one, "planned") not in ENDED or self.waits.get(one, True)
        ]


def judge(evidence: Evidence, known: Record | None = None) -> Judgement:
    """Hold a siege against everything that is promised; ``known`` is the record where the events alone do not make it."""
    record = known or Record(evidence.events)
    copies = Counter(receipt.notification for receipt in evidence.received)
    twice = {notification for notification, count in copies.items() if count > 1}
    alerts = Counter(
        Said(event["data"]["fingerprint"], event["data"]["status"])
        for event in evidence.events
        if event["type"] == "AlertReceived"
    )
    lost = evidence.acknowledged - alerts.keys()
    counts = {
        "alerts": len(evidence.acknowledged),
        "lost": len(lost),
        "doubled": sum(count - 1 for count in alerts.values()),
        "planned": len(record.planned),
        **{
            state: sum(found == state for found in record.states.values()) for state in ("sent", "superseded", "failed")
        },
        "in doubt": sum(found == "in_doubt" for found in record.states.values()),
        "ever in doubt": len(record.doubted),
        "twice, listed": len(twice & record.doubted),
        "twice, unlisted": len(twice - record.doubted),
    }
    broken = (
        *_of_alerts(evidence, alerts),
        *_of_commands(evidence),
        *_of_deliveries(evidence, record),
        *_of_receipts(evidence.received, record),
        *_of_the_page(evidence),
        *evidence.complaints,
    )
    return Judgement(counts, broken)


def _of_alerts(evidence: Evidence, alerts: Counter[Said]) -> Iterator[str]:
    yield from (f"an acknowledged alert is lost: {said}" for said in sorted(evidence.acknowledged - alerts.keys()))
    yield from (f"an alert is {count} times on the log: {said}" for said, count in alerts.items() if count > 1)
    yield from (f"nobody sent this alert: {said}" for said in sorted(alerts.keys() - evidence.said))
    ids = Counter(event["id"] for event in evidence.events)
    yield from (f"a promised event is not on the log: {one}" for one in sorted(evidence.event_ids - ids.keys()))
    yield from (f"an event is {count} times on the log: {one}" for one, count in ids.items() if count > 1)


def _of_commands(evidence: Evidence) -> Iterator[str]:
    texts = Counter(event["data"]["body"] for event in evidence.events if event["type"] in _COMMANDS)
    for text in sorted(evidence.commands):
        if texts[text] != 1:
            yield f"a command that was answered is {texts[text]} times on the log: {text}"


def _of_deliveries(evidence: Evidence, record: Record) -> Iterator[str]:
    for notification in record.unfinished():
        yield f"a planned notification has no end: {notification} is {record.states.get(notification, 'planned')}"
    yield from (
        f"nobody planned this notification: {one}" for one in sorted(record.states.keys() - record.planned.keys())
    )
    for notification, state in evidence.listed.items():
        if (recorded := record.states.get(notification, "planned")) != state:
            yield f"{notification} is listed as {state} and recorded as {recorded}"
    for notification in sorted(record.public - evidence.listed.keys()):
        yield f"a planned notification is not listed: {notification}"


def _of_receipts(received: Iterable[Receipt], record: Record) -> Iterator[str]:
    found = list(received)
    copies = Counter(receipt.notification for receipt in found)
    for notification, count in copies.items():
        if count > 1 and notification not in record.doubted:
            yield f"sent {count} times and never in doubt: {notification}"
        if (state := record.states.get(notification, "planned")) not in LEFT:
            yield f"sent and recorded as {state}: {notification}"
    for notification, state in record.states.items():
        if state == "sent" and notification not in copies:
            yield f"recorded as sent and never received: {notification}"
    # Under two ids the same update would look like two messages.
    updates = Counter(
        (record.planned[one.notification][0], one.endpoint)
        for one in dict.fromkeys(found)
        if one.notification in record.planned
    )
    yield from (f"{who} was told {count} times of update {what}" for (what, who), count in updates.items() if count > 1)


def _of_the_page(evidence: Evidence) -> Iterator[str]:
    for name, status in evidence.expected.items():
        if evidence.shown.get(name) != status:
            yield f"the page shows {name} as {evidence.shown.get(name)} and it is {status}"
