"""A data folder with a short, full history: alerts, drafts, incidents, a maintenance, subscribers, mail, a dead letter."""

from pathlib import Path

from schemas.events import (
    AlertReceived,
    AnyEvent,
    DeadLettered,
    DeliveriesRecorded,
    DeliveryResult,
    DraftApproved,
    Effect,
    Event,
    EventData,
    Filter,
    IncidentOpened,
    IncidentUpdated,
    MaintenanceScheduled,
    Micros,
    NotificationsClaimed,
    SubscriberAdded,
)
from schemas.ids import derive
from schemas.vocabulary import (
    AlertStatus,
    CellStatus,
    Impact,
    IncidentStatus,
    Kind,
    NotificationState,
    Severity,
)
from streams.domain.episodes import episode_id
from tocsin.backend import Backend
from tocsin.config.catalogue import desired
from tocsin.config.loader import load_example

PAGE = "acme"
SECOND: Micros = 1_000_000
MINUTE: Micros = 60 * SECOND
HOUR: Micros = 60 * MINUTE
NOON: Micros = 1_790_164_800_000_000
"""2026-09-23T12:00:00Z"""
ADDRESS = b"sealed: nobody@example.com"


class Story:
    """Writes a history into a folder through the stages of a server, with a clock that only it moves."""

    def __init__(self, folder: Path) -> None:
        self.now = NOON
        self._count = 0
        self._failed = False
        self.backend = Backend(folder, {}, lambda: self.now)
        self.backend.apply(PAGE, desired(load_example({})))

    def append(self, *data: EventData, page: str = PAGE, actor: str = "operator:ops") -> None:
        """Append events and wait until all stages have folded them."""
        self.backend._append_events([self._event(each, page, actor) for each in data])
        self.backend.settle()

    def _event(self, data: EventData, page: str, actor: str) -> AnyEvent:
        self._count += 1
        identifier = derive("history", str(self._count))
        return Event(identifier, page, self.now - SECOND, self.now, actor, None, None, False, data)

    def wait(self, span: Micros) -> None:
        """Let time pass: what became due happens."""
        self.now += span
        self.backend.log.submit(lambda _: None).result()
        self.backend.settle()

    def alert(
        self, service: str, region: str, *, firing: bool = True, severity: Severity = Severity.CRITICAL,
        lease: Micros | None = None, started_at: Micros = NOON,
    ) -> None:  # fmt: skip
        """Let the monitor say that a service fails or works again."""
        instance = f"{service}-{region}"
        labels = {"service": service, "region": region, "alertname": "Errors"}
        self.append(
            AlertReceived(
                "prom", instance, episode_id(PAGE, "prom", instance, started_at),
                AlertStatus.FIRING if firing else AlertStatus.RESOLVED, severity, started_at, None if firing else self.now,
                None if lease is None else self.now + lease, f"{service} fails", labels, {}, "", "0" * 64, False, False,
            ),
            actor="source:prom",
        )  # fmt: skip

    def subscribe(self, name: str, *, confirmed: bool = True) -> None:
        """Add a subscriber to everything."""
        wanted = Filter(None, Impact.NONE, [Kind.INCIDENT, Kind.MAINTENANCE])
        self.append(SubscriberAdded(derive("subscriber", name), "email", ADDRESS, wanted, confirmed, "test"))

    def deliver(self) -> None:
        """Claim what is due, and record all but the newest as sent; the very first cannot be."""
        rows = self.backend.log.query("select notification, shard from ledger where due <= ? order by seq", (self.now,))
        for notification, shard in rows:
            self.append(NotificationsClaimed("sender", shard, [notification]))
        for notification, shard in rows[:-1]:
            result = DeliveryResult(notification, NotificationState.SENT, "", None)
            if not self._failed:
                result = DeliveryResult(notification, NotificationState.FAILED, "given up", None, soft=True)
                self._failed = True
            self.append(DeliveriesRecorded("sender", shard, [result]))

    def close(self) -> None:
        """Leave the folder to be read."""
        self.backend.close()


def write(folder: Path) -> None:
    """Write the whole history."""
    story = Story(folder)
    tell(story)
    story.close()


def tell(story: Story) -> None:
    """Let everything happen once."""
    story.subscribe("ann")
    story.subscribe("bob", confirmed=False)
    story.alert("api", "eu")
    story.alert("api", "us", severity=Severity.WARNING)
    story.alert("payments", "eu")
    story.alert("web", "us", lease=10 * MINUTE)
    story.alert("unknown", "eu")
    story.deliver()
    story.wait(6 * MINUTE)
    drafts = story.backend.board.view(PAGE)
    assert drafts is not None, "the page was defined"
    story.append(*(DraftApproved(draft) for draft in drafts.drafts), actor="operator:lead")
    story.wait(10 * MINUTE)
    story.alert("api", "eu", firing=False)
    story.append(
        IncidentOpened(
            "byhand", derive("update", "1"), "Login is slow", "We look into it.", IncidentStatus.INVESTIGATING, None,
            [Effect("login", None, CellStatus.DEGRADED)], None, None, None, story.now + HOUR,
        ),
        MaintenanceScheduled(
            "works", derive("update", "2"), "New servers", "An hour at night.", [Effect("maps", None, CellStatus.MAINTENANCE)],
            story.now + HOUR, story.now + 3 * HOUR,
        ),
        DeadLettered("prom", "no JSON", "text/plain", "1" * 64, 7, b"sealed: secret", "key", story.now + 30 * 24 * HOUR),
    )  # fmt: skip
    story.wait(2 * HOUR)
    story.append(
        IncidentUpdated(
            "byhand", derive("update", "3"), "A disk.", IncidentStatus.IDENTIFIED, None, [], None, story.now + HOUR
        ),
        IncidentUpdated("no such incident", derive("update", "4"), "", IncidentStatus.IDENTIFIED, None, [], None, None),
    )
    story.deliver()
    story.alert("payments", "us", lease=10 * MINUTE, started_at=story.now)
