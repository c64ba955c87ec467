"""The Python side of every event: one frozen type per Avro record, and the envelope around it.

Times are whole microseconds since 1970-01-01 UTC (``Micros``): a plain Avro ``long``, because logical
timestamps cost more to decode than all the rest of an alert. Durations in events are whole seconds.
They hold values and no cycles, and the collector need not look at them (``gc=False``).
A field that was added later has a default, here and in the ``.avsc``; ``tests/unit/schemas`` holds the two together.
"""

from typing import Generic, TypeAlias, TypeVar

import msgspec

from schemas.vocabulary import (
    AlertStatus,
    Audience,
    CellStatus,
    DigestEvery,
    Impact,
    IncidentStatus,
    Kind,
    MaintenanceStatus,
    NotificationState,
    Publish,
    Severity,
    Suppression,
)

Micros: TypeAlias = int


class EventData(msgspec.Struct, frozen=True, gc=False):
    """What is particular to one type of event; the class name is the event's type."""


class Cell(msgspec.Struct, frozen=True, gc=False, order=True):
    """A (component, region) pair; a component without regions has the one cell with ``region=None``."""

    component: str
    region: str | None = None

    @property
    def key(self) -> str:
        """The cell as one string, unique within its page (ids hold no slash)."""
        return self.component if self.region is None else f"{self.component}/{self.region}"


class Effect(msgspec.Struct, frozen=True, gc=False):
    """What an incident or a draft does to one cell."""

    component: str
    region: str | None
    status: CellStatus

    @property
    def cell(self) -> Cell:
        """The cell that is affected."""
        return Cell(self.component, self.region)


class Change(msgspec.Struct, frozen=True, gc=False):
    """One cell's status before and after, as one incident saw it."""

    component: str
    region: str | None
    old: CellStatus
    new: CellStatus


# --- tocsin.alerts, by page/instance ---------------------------------------------------------------


class AlertReceived(EventData, frozen=True):
    """A monitor said something new about one alert instance.

    ``episode`` is the id of the firing it belongs to; ``expires_at`` ends a lease; ``inconclusive`` marks a ``resolved``
    that is no recovery (the monitor lost sight of the series).
    """

    source: str
    fingerprint: str
    episode: str
    status: AlertStatus
    severity: Severity
    starts_at: Micros | None
    ends_at: Micros | None
    expires_at: Micros | None
    title: str
    labels: dict[str, str]
    annotations: dict[str, str]
    url: str
    body_hash: str
    test: bool
    inconclusive: bool


class AlertRefreshed(EventData, frozen=True):
    """A monitor repeated a firing alert and so moved its expiry."""

    source: str
    fingerprint: str
    episode: str
    expires_at: Micros


class TimerFired(EventData, frozen=True):
    """A time that a fold asked to be woken at has come; ``timer`` is the name it gave."""

    processor: str
    timer: str
    due: Micros


# --- tocsin.pages, by page -------------------------------------------------------------------------


class PageDefined(EventData, frozen=True):
    """The page's own settings, whole."""

    name: str
    url: str
    timezone: str
    support_url: str
    update_every: int
    partial_weight: float
    maintenance_indicator: bool


class Region(msgspec.Struct, frozen=True, gc=False):
    """A place where components run."""

    id: str
    name: str


class RegionsDefined(EventData, frozen=True):
    """The page's regions in display order, whole."""

    regions: list[Region]


class ComponentDefined(EventData, frozen=True):
    """A component or a group (a component that is another's parent) as it now is.

    What is ``internal``, and all below it, the public never hears of.
    """

    component: str
    name: str
    parent: str | None
    position: int
    regions: list[str]
    slo: float | None
    third_party: bool
    description: str
    audience: Audience = Audience.PUBLIC


class ComponentRemoved(EventData, frozen=True):
    """A component is no longer shown; its history stays."""

    component: str


class SourceDefined(EventData, frozen=True):
    """A monitoring system that may post alerts; its token stays outside the log."""

    source: str
    kind: str


class SourceRemoved(EventData, frozen=True):
    """A monitoring system that may no longer post."""

    source: str


class Rule(msgspec.Struct, frozen=True, gc=False):
    """Which alerts affect which cells, how badly, and how the public learns of it."""

    id: str
    source: str | None
    labels: dict[str, str]
    component: str
    region: str | None
    status: dict[str, CellStatus]
    publish: Publish
    delay: int
    template: str


class RulesDefined(EventData, frozen=True):
    """The page's rules, whole, in the order in which they are tried."""

    rules: list[Rule]


class TemplateDefined(EventData, frozen=True):
    """The words of an incident: a title and a text for each incident status."""

    template: str
    title: str
    texts: dict[str, str]


class TemplateRemoved(EventData, frozen=True):
    """A template that no rule uses any more."""

    template: str


class EpisodeOpened(EventData, frozen=True):
    """One firing of one alert instance began."""

    episode: str
    source: str
    fingerprint: str
    severity: Severity
    started_at: Micros
    title: str
    labels: dict[str, str]
    annotations: dict[str, str]
    url: str
    test: bool


class EpisodeChanged(EventData, frozen=True):
    """The severity of a running episode changed; the rest is what the monitor now says."""

    episode: str
    source: str
    fingerprint: str
    severity: Severity
    title: str
    labels: dict[str, str]
    annotations: dict[str, str]
    url: str


class EpisodeClosed(EventData, frozen=True):
    """An episode ended: ``reason`` is ``resolved``, ``expired`` or ``refired``."""

    episode: str
    source: str
    fingerprint: str
    ended_at: Micros
    reason: str


class DraftWritten(EventData, frozen=True):
    """A message lies ready and waits for ``approval`` or for its ``delay`` (until ``publish_at``).

    ``incident`` names the open incident that the message would update; null means it would open one.
    """

    draft: str
    incident: str | None
    rule: str
    component: str
    title: str
    body: str
    status: IncidentStatus
    affects: list[Effect]
    waits_for: str
    publish_at: Micros | None
    started_at: Micros


class DraftRevised(EventData, frozen=True):
    """More or fewer cells are affected than when the draft was written."""

    draft: str
    title: str
    body: str
    affects: list[Effect]


class DraftApproved(EventData, frozen=True):
    """A person let the draft go out."""

    draft: str


class DraftDismissed(EventData, frozen=True):
    """A person threw the draft away."""

    draft: str
    reason: str


class DraftWithdrawn(EventData, frozen=True):
    """The alerts behind the draft cleared before it went out."""

    draft: str
    reason: str


class IncidentOpened(EventData, frozen=True):
    """The public, or an internal ``audience``, learns of an incident; ``rule`` and ``component`` are null where a person opened it."""

    incident: str
    update: str
    title: str
    body: str
    status: IncidentStatus
    impact: Impact | None
    affects: list[Effect]
    rule: str | None
    component: str | None
    draft: str | None
    promise_at: Micros | None
    audience: Audience = Audience.PUBLIC


class IncidentUpdated(EventData, frozen=True):
    """A new message on an incident; ``affects`` holds only the cells whose status it changes."""

    incident: str
    update: str
    body: str
    status: IncidentStatus
    impact: Impact | None
    affects: list[Effect]
    draft: str | None
    promise_at: Micros | None


class IncidentCellsChanged(EventData, frozen=True):
    """Cells of an incident changed without a message."""

    incident: str
    affects: list[Effect]


class CellStatusChanged(EventData, frozen=True):
    """What customers see of a cell changed, all incidents and maintenances weighed; ``occurred_at`` is when."""

    component: str
    region: str | None
    old: CellStatus
    new: CellStatus


class PromiseReminded(EventData, frozen=True):
    """The promised next update is about to be late; operators are told."""

    incident: str
    promise_at: Micros


class MaintenanceScheduled(EventData, frozen=True):
    """A maintenance was announced, to the public or to an internal ``audience``."""

    maintenance: str
    update: str
    title: str
    body: str
    affects: list[Effect]
    starts_at: Micros
    ends_at: Micros
    audience: Audience = Audience.PUBLIC


class MaintenanceUpdated(EventData, frozen=True):
    """A maintenance started, is being verified, was completed, or has news."""

    maintenance: str
    update: str
    status: MaintenanceStatus
    body: str


# --- tocsin.subscriptions, by page/subscriber ------------------------------------------------------


class Filter(msgspec.Struct, frozen=True, gc=False):
    """What a subscriber wants to hear of.

    ``cells=None`` is everything; a cell with a group's id means every component below it, now and later;
    a cell without a region means every region.
    """

    cells: list[Cell] | None
    min_impact: Impact
    kinds: list[Kind]


class SubscriberAdded(EventData, frozen=True):
    """Someone signed up (``pending``) or was signed up by an operator (``active``).

    ``address`` is encrypted with the subscriber's own key; for a webhook it holds the URL and the signing secret. Only
    operators say that somebody is of the internal ``audience``.
    """

    subscriber: str
    channel: str
    address: bytes
    filter: Filter
    confirmed: bool
    origin: str
    audience: Audience = Audience.PUBLIC


class SubscriberConfirmed(EventData, frozen=True):
    """The owner of the address confirmed the sign-up."""

    subscriber: str


class ConfirmationRequested(EventData, frozen=True):
    """A known address signed up again: it is told so by mail, the public answer does not differ."""

    subscriber: str
    attempt: str


class SubscriberChanged(EventData, frozen=True):
    """A subscriber chose another filter."""

    subscriber: str
    filter: Filter


class AudienceAssigned(EventData, frozen=True):
    """An operator says whom a subscriber belongs to from now on: the public, or those who work here."""

    subscriber: str
    audience: Audience


class SubscriberPaused(EventData, frozen=True):
    """A subscriber wants to hear of nothing for a while (``paused``), or of what they chose again."""

    subscriber: str
    paused: bool


class QuietHours(msgspec.Struct, frozen=True, gc=False):
    """When nothing is to arrive: from ``start`` to ``end``, in minutes after midnight by the clocks of an IANA time zone.

    An ``end`` that is not after ``start`` is that of the next day.
    """

    start: int
    end: int
    zone: str


class Digest(msgspec.Struct, frozen=True, gc=False):
    """One message for all that happened: each hour, or each day ``at`` minutes after midnight by the clocks of a time zone."""

    every: DigestEvery
    at: int
    zone: str


class Pace(msgspec.Struct, frozen=True, gc=False):
    """When a subscriber wants to be told, and how often at the most.

    ``minimum_gap`` are the seconds from one message to the next at least, 0 for no such wish. ``critical_gets_through``
    says that what is critical goes out at once all the same.
    """

    quiet_hours: QuietHours | None = None
    digest: Digest | None = None
    minimum_gap: int = 0
    critical_gets_through: bool = True


class PaceChosen(EventData, frozen=True):
    """A subscriber chose when to be told, and how often at the most, in place of what they chose before."""

    subscriber: str
    pace: Pace


class SubscriberRemoved(EventData, frozen=True):
    """A subscriber wants no more: ``reason`` is ``unsubscribed``, ``replaced``, ``operator`` or ``erased``."""

    subscriber: str
    reason: str


class EndpointSuppressed(EventData, frozen=True):
    """An address is not told any more, until it is reinstated; ``reason`` says what the provider said."""

    subscriber: str
    reason: str
    kind: Suppression = Suppression.REFUSED


class EndpointReinstated(EventData, frozen=True):
    """An address may be told again, if what suppressed it is among ``overrules``; ``reason`` says who wants that."""

    subscriber: str
    reason: str
    overrules: list[Suppression]


# --- tocsin.notifications (notices by page/subject, plans by page/shard), tocsin.deliveries by page/shard ---


class Notice(msgspec.Struct, frozen=True, gc=False):
    """What is to be told: everything that chooses the audience and that a channel renders, but for the address.

    ``subject_id`` is the incident, maintenance or subscriber it is about. ``changes`` are the cells that choose the
    audience, ``affects`` those affected once this is told, ``components`` their names in the same order.
    ``impact_chosen`` says that a person set the impact, which then counts for every cell. Of what is ``internal`` only
    internal subscribers are told; a public notice names no internal component.
    """

    kind: Kind
    update: str
    subject_id: str
    title: str
    body: str
    status: str
    impact: Impact
    impact_chosen: bool
    changes: list[Change]
    affects: list[Effect]
    components: list[str]
    page_name: str
    page_url: str
    timezone: str
    promise_at: Micros | None
    started_at: Micros
    published_at: Micros
    audience: Audience = Audience.PUBLIC


class NoticePublished(EventData, frozen=True):
    """There is something to tell; the planner finds out whom."""

    notice: Notice


class NotificationsPlanned(EventData, frozen=True):
    """The audience of one notice: at most 1,000 subscriber ids; the record of who was meant.

    A plan, the claims on it and their results share the ``shard`` and so the key: their order is kept. ``turn`` are the
    microseconds to be added to when it was planned: in the order of these sums it is sent, among all that wait.
    """

    update: str
    subject_id: str
    kind: Kind
    channel: str
    chunk: int
    shard: int
    recipients: list[str]
    turn: int = 0


class NotificationsClaimed(EventData, frozen=True):
    """A sender takes these notifications (at most 1,000); written before any byte is sent."""

    worker: str
    shard: int
    notifications: list[str]


class DeliveryResult(msgspec.Struct, frozen=True, gc=False):
    """How one attempt ended; ``retry_at`` is set where the notification goes back to ``planned``.

    Without ``attempted`` it was claimed and put off before anything was tried, which counts as no attempt.
    """

    notification: str
    state: NotificationState
    reason: str
    retry_at: Micros | None
    attempted: bool = True


class DeliveriesRecorded(EventData, frozen=True):
    """How claimed notifications ended (at most 1,000)."""

    worker: str
    shard: int
    results: list[DeliveryResult]


class NotificationsRedriven(EventData, frozen=True):
    """An operator has failed notifications sent after all (at most 1,000), in one shard.

    With ``even_in_doubt`` those in doubt are sent again too: some may come twice.
    """

    shard: int
    notifications: list[str]
    even_in_doubt: bool = False


# --- tocsin.deadletters, by source -----------------------------------------------------------------


class DeadLettered(EventData, frozen=True):
    """Something that could not be understood or processed: the reason and the original bytes, encrypted.

    ``key_id`` names the key in the key store; when it expires the bytes are unreadable and the record stays. ``endpoint`` is
    the path below the source's own that it was posted to, and so which protocol it was meant to be.
    """

    source: str
    reason: str
    content_type: str
    body_hash: str
    size: int
    body: bytes
    key_id: str
    expires_at: Micros
    endpoint: str = ""


class DeadLetterRedriven(EventData, frozen=True):
    """A dead letter was read again by its source's parser and understood: what came of it, and the events' ids."""

    source: str
    letter: str
    accepted: int
    ignored: int
    events: list[str]


EVENT_TYPES: tuple[type[EventData], ...] = (
    AlertReceived,
    AlertRefreshed,
    TimerFired,
    PageDefined,
    RegionsDefined,
    ComponentDefined,
    ComponentRemoved,
    SourceDefined,
    SourceRemoved,
    RulesDefined,
    TemplateDefined,
    TemplateRemoved,
    EpisodeOpened,
    EpisodeChanged,
    EpisodeClosed,
    DraftWritten,
    DraftRevised,
    DraftApproved,
    DraftDismissed,
    DraftWithdrawn,
    IncidentOpened,
    IncidentUpdated,
    IncidentCellsChanged,
    CellStatusChanged,
    PromiseReminded,
    MaintenanceScheduled,
    MaintenanceUpdated,
    SubscriberAdded,
    SubscriberConfirmed,
    ConfirmationRequested,
    SubscriberChanged,
    AudienceAssigned,
    SubscriberPaused,
    PaceChosen,
    SubscriberRemoved,
    EndpointSuppressed,
    EndpointReinstated,
    NoticePublished,
    NotificationsPlanned,
    NotificationsClaimed,
    DeliveriesRecorded,
    NotificationsRedriven,
    DeadLetterRedriven,
    DeadLettered,
)
EVENT_TYPE_OF_NAME: dict[str, type[EventData]] = {kind.__name__: kind for kind in EVENT_TYPES}

D = TypeVar("D", bound=EventData, covariant=True)


class Event(msgspec.Struct, Generic[D], frozen=True, gc=False):
    """An event: the envelope that all share, and the data of its type.

    ``occurred_at`` is when it happened in the world, ``recorded_at`` when it was handed to the log. ``actor`` is
    ``source:ID``, ``operator:NAME``, ``subscriber:ID``, ``config`` or ``tocsin``. ``causation_id`` is the event that
    brought this one about, ``correlation_id`` the first of the whole chain.
    """

    id: str
    page: str
    occurred_at: Micros
    recorded_at: Micros
    actor: str
    causation_id: str | None
    correlation_id: str | None
    drill: bool
    data: D

    @property
    def type(self) -> str:
        """The event's type: the name of its data's class and of its Avro record."""
        return type(self.data).__name__


AnyEvent: TypeAlias = Event[EventData]
