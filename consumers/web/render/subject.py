"""An incident or a maintenance in the one shape that the v2 API, the page and the feeds show."""

from collections.abc import Iterator

import msgspec

from consumers.web.render import codes
from schemas.events import Cell, Effect, Micros
from schemas.vocabulary import CellStatus, IncidentStatus, MaintenanceStatus
from streams.domain.model import Incident, Maintenance, Update
from streams.domain.rollup import worst

MASKING = (MaintenanceStatus.IN_PROGRESS, MaintenanceStatus.VERIFYING)
OVER = (IncidentStatus.RESOLVED, IncidentStatus.POSTMORTEM)


class Step(msgspec.Struct, frozen=True):
    """What an update meant for one component, by the worst of its cells that the incident ever touched."""

    component: str
    old: CellStatus
    new: CellStatus


class Post(msgspec.Struct, frozen=True):
    """One update, with its code and a step for each component that is affected so far."""

    code: str
    update: Update
    steps: list[Step]


class Subject(msgspec.Struct, frozen=True):
    """What is told about. ``posts`` are the newest first; ``impact`` is ``maintenance`` for a maintenance.

    ``components`` are those ever affected, in the order in which they were. ``window`` is a maintenance's planned time.
    """

    kind: str
    id: str
    code: str
    path: str
    title: str
    status: str
    impact: str
    affects: list[Effect]
    components: list[str]
    started_at: Micros
    created_at: Micros
    updated_at: Micros
    monitoring_at: Micros | None
    resolved_at: Micros | None
    promise_at: Micros | None
    window: tuple[Micros, Micros] | None
    posts: list[Post]


def of_incident(page: str, incident: Incident) -> Subject:
    """Return an incident as a subject."""
    posts = _posts(page, incident.updates, _incident_steps(incident))
    return Subject(
        kind="incident",
        id=incident.id,
        code=codes.incident_code(page, incident.id),
        path=codes.incident_path(page, incident.id),
        title=incident.title,
        status=incident.status.value,
        impact=incident.impact.value,
        affects=sorted(incident.effects.values(), key=lambda effect: (effect.component, effect.region or "")),
        components=_unique(
            [step.component for post in reversed(posts) for step in post.steps]
            + [effect.component for effect in incident.effects.values()]
        ),
        started_at=incident.started_at,
        created_at=incident.created_at,
        updated_at=incident.updated_at,
        monitoring_at=incident.monitoring_at,
        resolved_at=incident.resolved_at,
        promise_at=incident.promise_at if incident.is_open else None,
        window=None,
        posts=posts,
    )


def of_maintenance(page: str, maintenance: Maintenance) -> Subject:
    """Return a maintenance as a subject."""
    return Subject(
        kind="maintenance",
        id=maintenance.id,
        code=codes.maintenance_code(page, maintenance.id),
        path=codes.maintenance_path(page, maintenance.id),
        title=maintenance.title,
        status=maintenance.status.value,
        impact="maintenance",
        affects=maintenance.affects,
        components=_unique([effect.component for effect in maintenance.affects]),
        started_at=maintenance.started_at or maintenance.starts_at,
        created_at=maintenance.created_at,
        updated_at=maintenance.updated_at,
        monitoring_at=None,
        resolved_at=maintenance.completed_at,
        promise_at=None,
        window=(maintenance.starts_at, maintenance.ends_at),
        posts=_posts(page, maintenance.updates, _maintenance_steps(maintenance)),
    )


def subject_of(page: str, thing: Incident | Maintenance) -> Subject:
    """Return either as a subject."""
    return of_incident(page, thing) if isinstance(thing, Incident) else of_maintenance(page, thing)


def _posts(page: str, updates: list[Update], steps: Iterator[list[Step]]) -> list[Post]:
    posts = [
        Post(codes.update_code(page, update.id), update, each) for update, each in zip(updates, steps, strict=True)
    ]
    return posts[::-1]


def _incident_steps(incident: Incident) -> Iterator[list[Step]]:
    """Yield the steps of each update, oldest first: what it changed, and what it left as it was."""
    now: dict[Cell, CellStatus] = {}
    for update in incident.updates:
        before = now | {Cell(change.component, change.region): change.old for change in update.changes}
        now = before | {Cell(change.component, change.region): change.new for change in update.changes}
        if update.status in OVER:
            # What is over affects nothing, whatever cleared silently before it.
            now = dict.fromkeys(now, CellStatus.OPERATIONAL)
        yield [
            Step(name, _of_component(before, name), _of_component(now, name))
            for name in _unique([cell.component for cell in now])
        ]


def _maintenance_steps(maintenance: Maintenance) -> Iterator[list[Step]]:
    """Yield the steps of each update, oldest first; they follow from its status alone."""
    names = _unique([effect.component for effect in maintenance.affects])
    old = CellStatus.OPERATIONAL
    for update in maintenance.updates:
        new = CellStatus.MAINTENANCE if update.status in MASKING else CellStatus.OPERATIONAL
        yield [Step(name, old, new) for name in names]
        old = new


def _of_component(statuses: dict[Cell, CellStatus], component: str) -> CellStatus:
    return worst(status for cell, status in statuses.items() if cell.component == component)


def _unique(names: list[str]) -> list[str]:
    return list(dict.fromkeys(names))
