"""What the read API asks of others: ports by role, and the values that pass through them.

All methods may block and are called from worker threads. A cursor that a port did not make raises ValueError.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol

from consumers.web.render.uptime import DayUptime, Uptime
from consumers.web.sse import Changing
from schemas.events import Cell, Filter, Micros, Pace
from schemas.vocabulary import Audience as AudienceOf
from schemas.vocabulary import Impact, Kind, NotificationState, Suppression
from streams.domain.alarms import UnroutedAlarm
from streams.domain.model import Incident, Maintenance, PageView
from streams.runtime.views import Views


class Board(Views, Changing, Protocol):
    """The status board: pictures, changes, and what was ignored."""

    def view(self, page: str) -> PageView | None: ...

    def ignored(self, page: str) -> dict[str, str]:
        """Return why events of the page were ignored, by event id."""


@dataclass(frozen=True)
class Recipient:
    """A subscriber as operators see one: the address is masked."""

    subscriber: str
    channel: str
    address: str


@dataclass(frozen=True)
class AudienceCount:
    """Whom an update would reach: how many, on which channels, and a few of them."""

    count: int
    by_channel: Mapping[str, int]
    sample: Sequence[Recipient]


@dataclass(frozen=True)
class Explanation:
    """Why a subscriber is told or not: the words of the function that decides."""

    subscriber: str
    told: bool
    reason: str


class Audience(Protocol):
    """Answers who would be told of an incident, without telling anybody.

    ``cells`` are those that it changes (None: of nothing in particular), ``impact`` how badly; ``audience`` is for whom it is.
    """

    def count(
        self, page: str, cells: Sequence[Cell] | None, impact: Impact, audience: AudienceOf = AudienceOf.PUBLIC
    ) -> AudienceCount:
        """Return the audience in numbers."""

    def explain(
        self,
        page: str,
        subscriber: str,
        cells: Sequence[Cell] | None,
        impact: Impact,
        audience: AudienceOf = AudienceOf.PUBLIC,
    ) -> Explanation | None:
        """Say why a subscriber is told or not; None for an unknown one."""


@dataclass(frozen=True)
class Delivery:
    """One notification as the ledger has it; ``at`` is when it came into this state, ``address`` is masked.

    ``suppression`` is why its address is not told any more today.
    """

    notification: str
    subject: str
    subscriber: str
    channel: str
    address: str
    state: NotificationState
    at: Micros
    reason: str
    attempts: int
    suppression: Suppression | None = None


class Deliveries(Protocol):
    """Reads the ledger."""

    def list(self, page: str, subject: str, after: str | None, limit: int) -> tuple[Sequence[Delivery], str | None]:
        """Return notifications about an incident or maintenance behind a cursor, and the next cursor if there is more."""

    def in_state(
        self, page: str, state: NotificationState, after: str | None, limit: int
    ) -> tuple[Sequence[Delivery], str | None]:
        """Return the page's failed notifications, or those in doubt, behind a cursor, and the next cursor."""


@dataclass(frozen=True)
class Standing:
    """How a subscriber stands, or stood at some time: state, the reason for it, filter, and whom they belong to."""

    state: str
    reason: str
    filter: Filter
    audience: AudienceOf = AudienceOf.PUBLIC


@dataclass(frozen=True)
class Judgement:
    """What the deciding code says of a subscriber, and why."""

    told: bool
    reason: str


@dataclass(frozen=True)
class Reach:
    """A changed cell that a filter reaches, and how badly it is hit.

    ``chosen`` is the line of the filter that reaches it (None: everything), ``through`` the group by which it does (None:
    none), ``weighs`` whether the impact is as bad as the filter asks for.
    """

    cell: Cell
    impact: Impact
    chosen: Cell | None
    through: str | None
    weighs: bool


@dataclass(frozen=True)
class Fate:
    """What became of a planned notification: ``meaning`` is the state in words, ``reason`` what is recorded with it.

    ``superseded_by`` is the newer update that goes, or went, instead.
    """

    notification: str
    state: NotificationState
    meaning: str
    reason: str
    attempts: int
    at: Micros
    superseded_by: str | None


@dataclass(frozen=True)
class Why:
    """Why a subscriber was told of an update or not. ``planned`` is the record: whether a plan on the log names them.

    ``number`` counts the updates from 1, and is None for a reminder. ``then`` is how they stood, None before they signed
    up; ``today`` what would be decided of them as they stand now, None where they stand as then.
    """

    update: str
    number: int | None
    kind: Kind
    status: str
    at: Micros
    planned: bool
    reason: str
    told_before: bool
    reaches: Sequence[Reach]
    then: Standing | None
    today: Judgement | None
    fate: Fate | None


@dataclass(frozen=True)
class SubscriberWhy:
    """A subscriber as they stand now, and the reasons for each update of one incident or maintenance, oldest first."""

    subscriber: str
    channel: str
    address: str
    standing: Standing
    updates: Sequence[Why]


class Reasons(Protocol):
    """Answers why one subscriber was told of what."""

    def why(self, page: str, subscriber: str, subject: Incident | Maintenance) -> SubscriberWhy | None:
        """Return the reasons for each update; None for an unknown subscriber."""


@dataclass(frozen=True)
class SubscriberRow:
    """A subscriber with state (``pending active paused suppressed removed``) and filter; the address is masked."""

    id: str
    channel: str
    address: str
    state: str
    reason: str
    filter: Filter
    created_at: Micros
    pace: Pace | None = None
    suppression: Suppression | None = None
    audience: AudienceOf = AudienceOf.PUBLIC


class Subscribers(Protocol):
    """Reads who subscribed."""

    def list(
        self, page: str, after: str | None, limit: int, state: str | None = None
    ) -> tuple[Sequence[SubscriberRow], str | None]:
        """Return subscribers behind a cursor, those in a ``state`` or all, and the next cursor if there is more."""

    def one(self, page: str, subscriber: str) -> SubscriberRow | None:
        """Return one subscriber, None for an unknown one."""


@dataclass(frozen=True)
class ExportedSubscriber:
    """A subscriber with the address in clear, and the ``secret`` that signs what a webhook gets (empty elsewhere)."""

    id: str
    channel: str
    address: str = field(repr=False)
    secret: str = field(repr=False)
    state: str
    reason: str
    filter: Filter
    created_at: Micros
    pace: Pace | None = None
    audience: AudienceOf = AudienceOf.PUBLIC


class Export(Protocol):
    """Reads who subscribed, to carry them elsewhere."""

    def list(self, page: str, after: str | None, limit: int) -> tuple[Sequence[ExportedSubscriber], str | None]:
        """Return those who are not removed behind a cursor, and the next cursor if there is more; a part may be empty."""


class UptimeFigures(Protocol):
    """Reads the fold of uptime."""

    def days(self, page: str, cells: Iterable[Cell], first: date, last: date, now: Micros) -> Sequence[DayUptime]:
        """Return the UTC days from ``first`` to ``last`` for all of ``cells`` together, as they stand at ``now``."""

    def uptime_of_page(self, view: PageView, now: Micros) -> Uptime:
        """Return the last ninety days of every leaf component."""


class Unrouted(Protocol):
    """Reads the alerts that tell nobody."""

    def list(self, page: str) -> Mapping[str, UnroutedAlarm]:
        """Return them by episode."""


@dataclass(frozen=True)
class ChannelRest:
    """A channel (``provider`` empty), or one of its providers, that refused us and is tried again at ``until``."""

    provider: str
    since: Micros
    until: Micros
    refusals: int
    reason: str


@dataclass(frozen=True)
class ChannelHold:
    """A limit that holds messages back; ``until`` None: each of them waits for a time of its own."""

    limit: str
    since: Micros
    last: Micros
    times: int
    until: Micros | None


@dataclass(frozen=True)
class ChannelRow:
    """A channel that is switched on, as its senders say that it stands; ``waiting_since``: what is next in line."""

    name: str
    title: str
    state: str
    summary: str
    senders: int
    waiting_since: Micros | None
    stand_in: str
    rests: Sequence[ChannelRest]
    held_back: Sequence[ChannelHold]


class Channels(Protocol):
    """Knows how channels stand."""

    def list(self) -> Sequence[ChannelRow]:
        """Return those that are switched on, by name."""


class Readiness(Protocol):
    """Knows whether this process does its work."""

    def problems(self) -> Sequence[str]:
        """Return what is in the way, in words for an operator; empty when all is well."""


Notes = Callable[[], Sequence[str]]
"""What is in the way of others than this process, in words for anybody: it does its work all the same. Must not block."""
EventPages = Callable[[str, str | None, int], tuple[Sequence[Mapping[str, Any]], str | None]]
"""The audit log of a page: (page, after, limit) to events in append order as JSON objects, and the next cursor."""
