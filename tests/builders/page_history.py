"""A page's history in few words: what monitors, people and the clock do, folded by the real processors.

The log is the one in memory; what the folds emit lies on it and is folded in turn. ``choose`` picks which partition is
read next, so that every order that a log may give can be tried; None leaves the rest for later.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from producers.intake.judging import Origin, Verdicts, keys_of
from producers.sources.source import Alert
from schemas import events as e
from schemas.events import AnyEvent, Effect, Event, EventData, Micros, Notice, Rule
from schemas.ids import derive
from schemas.topics import NOTIFICATIONS
from schemas.vocabulary import AlertStatus, CellStatus, IncidentStatus, MaintenanceStatus, Publish, Severity
from streams.domain import alarms, page
from streams.domain.episodes import EPISODES, INSTANCES, table_key
from streams.domain.groups import Group
from streams.domain.model import Draft, Incident, Maintenance, PageView
from streams.domain.pages import PAGES
from streams.domain.processor import Output, Processor
from streams.domain.state import MemoryTable, memory_state
from streams.log.memory import MemoryEventLog
from streams.log.port import TopicPartition, event_of, record_of
from streams.runtime.embedded import timer_event
from tests.builders import views
from tests.builders.views import MAJOR, MINUTE, NOW, effect

PAGE = "acme"
OPERATOR = "operator:ada"
Place = tuple["Fold", TopicPartition]
Choose = Callable[[Sequence[Place]], Place | None]
V = TypeVar("V")

TEMPLATES = {
    "api-errors": e.TemplateDefined(
        "api-errors",
        "API errors in {{ region.name }}",
        {
            "investigating": "Requests in {{ region.name }} fail (all: {{ regions | join(', ') }}). News by {{ next_update }}.",
            "resolved": "The API in {{ region.name }} works again after {{ duration }}.",
        },
    ),
    "slow": e.TemplateDefined(
        "slow", "{{ component.name }} is slow", {"investigating": "Slow, says {{ alert.title }}."}
    ),
}
STATUS = {"critical": CellStatus.MAJOR_OUTAGE, "warning": CellStatus.DEGRADED}


def rule(name: str, publish: Publish = Publish.AUTO, **fields: Any) -> Rule:
    """Return a rule for alerts whose label ``service`` is the rule's name, on the cell that their labels name."""
    made = Rule(name, "prom", {"service": name}, name, "{{ labels.region }}", dict(STATUS), publish, 0, "api-errors")
    return replace(made, **fields)


RULES = [
    rule("api"),
    rule("web", Publish.AFTER, delay=300, template="slow"),
    rule("payments", Publish.APPROVE),
    rule("login", region=None, template="slow", status={"*": CellStatus.PARTIAL_OUTAGE}),
    rule("all", component="platform"),
]


class Fold:
    """One processor with its tables, positions and timers."""

    def __init__(self, processor: Processor) -> None:
        self.processor = processor
        self.tables: dict[str, MemoryTable[Any]] = memory_state(processor.tables)
        self.positions: dict[TopicPartition, int] = {}
        self.timers: dict[str, Micros] = {}

    def fold(self, event: AnyEvent) -> Output:
        """Fold one event."""
        out = Output(event)
        data = event.data
        if isinstance(data, e.TimerFired):
            if data.processor != self.processor.name:
                return out
            self.timers.pop(data.timer, None)
        self.processor.step(self.tables, event, out)
        for (_, timer), due in out.wakes.items():
            self.timers.pop(timer, None)
            if due is not None:
                self.timers[timer] = due
        return out

    def rows(self) -> dict[tuple[str, str], bytes]:
        """Return every value as it would be kept, by table and key."""
        return {
            (name, key): msgspec.json.encode(value)
            for name, table in self.tables.items()
            for key, value in table.items(PAGE)
        }


def first(places: Sequence[Place]) -> Place:
    """Choose alerts before what follows from them, and leave nothing for later."""
    return places[0]


class History:
    """Acme Cloud, with its catalogue defined, from ``NOW`` on."""

    def __init__(self, rules: Sequence[Rule] = tuple(RULES), choose: Choose = first) -> None:
        self.now = NOW
        self.log = MemoryEventLog()
        self.episodes, self.page = Fold(EPISODES), Fold(PAGES)
        self.ignored: dict[str, str] = {}
        self._choose: Choose = first
        self._numbers = 0
        self._fired: set[tuple[str, Micros]] = set()
        definitions = [each.definition for each in views.ACME]
        for data in (views.SETTINGS, e.RegionsDefined(views.REGIONS), *definitions, *TEMPLATES.values()):
            self.say(data, actor="config")
        self.say(e.RulesDefined(list(rules)), actor="config")
        self._choose = choose

    # --- what happens ---

    def say(
        self, data: EventData, *, actor: str = OPERATOR, occurred_at: Micros | None = None, drill: bool = False
    ) -> str | None:
        """Let someone say a fact; returns why it was ignored, None where it was applied."""
        self._numbers += 1
        identifier = derive("said", str(self._numbers))
        at = self.now if occurred_at is None else occurred_at
        self.take(Event(identifier, PAGE, at, self.now, actor, None, None, drill, data))
        return self.ignored.get(identifier)

    def fires(self, service: str = "api", region: str = "eu", severity: str = "critical", **fields: Any) -> None:
        """Let a monitor say that it fires; the instance is (service, region) unless a fingerprint is given."""
        self.post(alert(service, region, severity, **{"starts_at": self.now, **fields}))

    def clears(self, service: str = "api", region: str = "eu", severity: str = "critical", **fields: Any) -> None:
        """Let a monitor say that it is over."""
        said = {"status": AlertStatus.RESOLVED, "ends_at": self.now, **fields}
        self.post(alert(service, region, severity, **said))

    def post(self, *alerts: Alert, source: str = "prom") -> None:
        """Let a monitor post a body: judged as the intake judges it, appended and folded."""
        keys = keys_of(source, alerts)
        table = self.episodes.tables[INSTANCES]
        known = {key: found for key in keys if (found := table.get(PAGE, key)) is not None}
        verdicts = Verdicts(Origin(PAGE, source, "0" * 64, self.now), known)
        verdicts.judge_all(keys, alerts)
        self.take(*verdicts.events)

    def wait(self, span: Micros) -> None:
        """Let time pass; timers fire when they are due."""
        end = self.now + span
        while (found := self._next_timer()) is not None and found[2] <= end:
            fold, timer, due = found
            self._fired.add((timer, due))
            self.now = max(self.now, due)
            event = timer_event(fold.processor.name, PAGE, timer, due, self.now)
            key = fold.processor.timer_key(PAGE, timer)
            self.log.append([record_of(event, topic=fold.processor.topics[0], key=key)])
            self.settle()
        self.now = end

    def take(self, *events: AnyEvent) -> None:
        """Append events and fold all that follows from them."""
        self.log.append([record_of(event) for event in events])
        self.settle()

    def race(self, *facts: EventData) -> None:
        """Put facts on the page's topic one behind the other before any of them is folded."""
        events: list[AnyEvent] = []
        for data in facts:
            self._numbers += 1
            actor = OPERATOR if isinstance(data, e.DraftApproved | e.DraftDismissed | e.IncidentUpdated) else "tocsin"
            events.append(
                Event(derive("said", str(self._numbers)), PAGE, self.now, self.now, actor, None, None, False, data)
            )
        self.take(*events)

    def settle(self) -> None:
        """Fold until there is nothing left to fold, or ``choose`` leaves the rest for later."""
        while (places := self._unread()) and (chosen := self._choose(places)) is not None:
            self.advance(*chosen)

    def rest(self) -> None:
        """Fold all that was left for later."""
        while places := self._unread():
            self.advance(*first(places))

    def advance(self, fold: Fold, place: TopicPartition) -> None:
        """Fold one record."""
        position = fold.positions.get(place, 0)
        record = self.log.read(*place, position, 1)[0].record
        fold.positions[place] = position + 1
        if record.type not in fold.processor.types:
            return
        out = fold.fold(event_of(record))
        if out.ignored is not None:
            self.ignored[record.id] = out.ignored
        self.log.append([record_of(event) for event in out.emitted])

    def _unread(self) -> list[Place]:
        return [
            (fold, (topic, partition))
            for fold in (self.episodes, self.page)
            for topic in fold.processor.topics
            for partition, end in self.log.end(topic).items()
            if fold.positions.get((topic, partition), 0) < end
        ]

    def _next_timer(self) -> tuple[Fold, str, Micros] | None:
        waiting = [
            (fold, timer, due)
            for fold in (self.episodes, self.page)
            for timer, due in fold.timers.items()
            if (timer, due) not in self._fired
        ]
        return min(waiting, key=lambda each: (each[2], each[1]), default=None)

    # --- what people do, in short ---

    def opens(self, *cells: str, status: CellStatus = MAJOR, promise_at: Micros | None = None, **fields: Any) -> str:
        """Let a person open an incident on ``cells``; returns its id."""
        name = derive("incident", str(self._numbers))
        opened = e.IncidentOpened(
            name, derive("update", name), "Trouble", "We look into it.", IncidentStatus.INVESTIGATING, None,
            [effect(cell, status) for cell in cells], None, None, None, promise_at,
        )  # fmt: skip
        self.say(replace(opened, **fields))
        return name

    def updates(
        self, incident: str, status: IncidentStatus, *changes: tuple[str, CellStatus], **fields: Any
    ) -> str | None:
        """Let a person write an update; returns why it was ignored."""
        told = e.IncidentUpdated(
            incident, derive("update", incident, str(self._numbers)), "News.", status, None,
            [effect(cell, new) for cell, new in changes], None, None,
        )  # fmt: skip
        return self.say(replace(told, **fields))

    def resolves(self, incident: str) -> str | None:
        """Let a person resolve an incident; returns why it was ignored."""
        return self.updates(incident, IncidentStatus.RESOLVED)

    def schedules(self, *cells: str, starts_in: Micros = 10 * MINUTE, lasts: Micros = 60 * MINUTE) -> str:
        """Let a person announce a maintenance; returns its id."""
        name = derive("maintenance", str(self._numbers))
        affects = [effect(cell, CellStatus.MAINTENANCE) for cell in cells]
        start = self.now + starts_in
        self.say(
            e.MaintenanceScheduled(name, derive("update", name), "Work", "We work.", affects, start, start + lasts)
        )
        return name

    def maintains(self, maintenance: str, status: MaintenanceStatus) -> str | None:
        """Let a person move a maintenance on; returns why it was ignored."""
        update = derive("update", maintenance, str(self._numbers))
        return self.say(e.MaintenanceUpdated(maintenance, update, status, "On it goes."))

    # --- what is ---

    @property
    def incidents(self) -> list[Incident]:
        """All incidents, oldest first."""
        return sorted(self._all(page.INCIDENTS), key=lambda one: (one.created_at, one.started_at))

    @property
    def incident(self) -> Incident:
        """The one incident that there is."""
        (found,) = self.incidents
        return found

    @property
    def drafts(self) -> list[Draft]:
        """All drafts that wait, oldest first."""
        return sorted(self._all(page.DRAFTS), key=lambda one: (one.created_at, one.component))

    @property
    def draft(self) -> Draft:
        """The one draft that there is."""
        (found,) = self.drafts
        return found

    @property
    def maintenances(self) -> list[Maintenance]:
        """All maintenances."""
        return self._all(page.MAINTENANCES)

    @property
    def groups(self) -> list[Group]:
        """All open matters of alerts."""
        return self._all(alarms.GROUPS)

    @property
    def cells(self) -> dict[str, CellStatus]:
        """The status of each cell that is not operational."""
        found = self.page.tables[page.CELLS].items(PAGE)
        return {key: cell.status for key, cell in sorted(found) if cell.status is not CellStatus.OPERATIONAL}

    @property
    def unrouted(self) -> dict[str, str]:
        """The titles of running alerts that tell nobody, with the reason."""
        return {one.title: one.reason for one in self._all(alarms.UNROUTED)}

    @property
    def notices(self) -> list[Notice]:
        """All that was to be told, in order."""
        found = [event.data for event in self.emitted(NOTIFICATIONS.name) if isinstance(event.data, e.NoticePublished)]
        return [one.notice for one in found]

    def said(self, kind: type[V]) -> list[V]:
        """Return the data of all events of a type on the page's topic, in order."""
        return [event.data for event in self.emitted("tocsin.pages") if isinstance(event.data, kind)]

    def emitted(self, topic: str) -> list[AnyEvent]:
        """Return all events of a topic in the order of the log."""
        return [event_of(each.record) for each in self.log.scan(None, 1_000_000)[0] if each.record.topic == topic]

    def page_events(self) -> list[AnyEvent]:
        """Return all events of the page's topic."""
        return self.emitted("tocsin.pages")

    def emitted_changes(self) -> list[AnyEvent]:
        """Return every change of a cell that was said."""
        return [event for event in self.page_events() if isinstance(event.data, e.CellStatusChanged)]

    def view(self) -> PageView:
        """Return the page as renderers see it."""
        tables = self.page.tables
        return PageView(
            PAGE, views.SETTINGS, views.REGIONS, tables[page.COMPONENTS].rows(PAGE), tables[page.CELLS].rows(PAGE),
            tables[page.INCIDENTS].rows(PAGE), tables[page.MAINTENANCES].rows(PAGE), tables[page.DRAFTS].rows(PAGE), self.now, 0,
        )  # fmt: skip

    def _all(self, table: str) -> list[Any]:
        return [value for _, value in self.page.tables[table].items(PAGE)]


def alert(service: str, region: str, severity: str = "critical", **fields: Any) -> Alert:
    """Return what a monitor says of an instance: firing, unless ``fields`` say otherwise."""
    labels = {"service": service, "region": region}
    made = Alert(
        fingerprint=f"{service}-{region}", status=AlertStatus.FIRING, severity=Severity(severity), starts_at=None, ends_at=None,
        expires_at=None, title=f"{service} in {region} is ill", labels=labels, annotations={}, url="",
    )  # fmt: skip
    return replace(made, **fields)


def affected(effects: Sequence[Effect]) -> dict[str, str]:
    """Return effects by cell in the words of the API."""
    return {one.cell.key: one.status.value for one in effects}


def instance(history: History, fingerprint: str = "api-eu", source: str = "prom") -> Any:
    """Return what is known of an alert instance."""
    return history.episodes.tables[INSTANCES].get(PAGE, table_key(source, fingerprint))
