"""A page with subscribers, of whom a ledger is told what happens; time goes on by one with each event."""

from collections.abc import Sequence

from msgspec.structs import replace

from consumers.delivery import plans
from consumers.delivery.ledger_rules import notification_id
from consumers.delivery.queue import DeliveryQueue, Entry
from schemas.events import (
    DeliveriesRecorded,
    DeliveryResult,
    Event,
    EventData,
    Micros,
    NoticePublished,
    NotificationsClaimed,
    NotificationsPlanned,
    NotificationsRedriven,
)
from schemas.ids import derive, random_id
from schemas.topics import shard_of
from schemas.vocabulary import IncidentStatus, Kind
from schemas.vocabulary import NotificationState as State
from tests.contract.queue.ledgers import Ledger
from tests.unit.delivery.pipeline import notice_of

PAGE, MAIL = "acme", "email"
ANN, BEN, EVE = (derive("subscriber", name) for name in ("ann", "ben", "eve"))


class Town:
    """What happens, in the words of the tests; ``now`` is behind all that happened."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.queue: DeliveryQueue = ledger.queue
        self.now: Micros = 1_000

    def happens(self, *data: EventData, page: str = PAGE) -> None:
        """Fold events."""
        events = []
        for each in data:
            self.now += 1
            events.append(Event(random_id(), page, self.now, self.now, "test", None, None, False, each))
        self.ledger.fold(events)

    def plan(
        self, update: str, *people: str, subject: str = "outage", channel: str = MAIL, page: str = PAGE,
        published: bool = True, turn: int = 0,
    ) -> None:  # fmt: skip
        """Publish an update and plan it for some people, of whom each puts off those behind by ``plans.EACH``."""
        if published:
            notice = notice_of(IncidentStatus.INVESTIGATING, subject, self.now)
            self.happens(NoticePublished(replace(notice, update=update)), page=page)
        shards: dict[int, list[str]] = {}
        for one in sorted(people):
            shards.setdefault(shard_of(one), []).append(one)
        planned = []
        for number, (shard, some) in enumerate(sorted(shards.items())):
            planned.append(NotificationsPlanned(update, subject, Kind.INCIDENT, channel, number, shard, some, turn))
            turn += plans.EACH * len(some)
        self.happens(*planned, page=page)

    def claim(self, *notifications: str, worker: str = "worker") -> None:
        """Claim by a worker."""
        for one in notifications:
            self.happens(NotificationsClaimed(worker, shard_of(one[24:]), [one]))

    def end(
        self, notification: str, state: State, *, retry_at: Micros | None = None, worker: str = "worker",
        receipt: str | None = None, attempted: bool = True,
    ) -> None:  # fmt: skip
        """Record how an attempt ended."""
        found = DeliveryResult(notification, state, state.value if receipt is None else receipt, retry_at, attempted)
        self.happens(DeliveriesRecorded(worker, shard_of(notification[24:]), [found]))

    def redrive(self, *notifications: str, even_in_doubt: bool = False) -> None:
        """Have some sent after all."""
        for one in notifications:
            self.happens(NotificationsRedriven(shard_of(one[24:]), [one], even_in_doubt))

    def next(self, limit: int = 100, *, channel: str = MAIL) -> list[str]:
        """Return what may be sent now."""
        return ids(self.queue.next(channel, self.now, limit))


def told(update: str, subscriber: str, subject: str = "outage") -> str:
    """Return the id of a notification."""
    return notification_id(subject, update, subscriber)


def ids(entries: Sequence[Entry]) -> list[str]:
    """Return the ids of entries."""
    return [entry.notification for entry in entries]
