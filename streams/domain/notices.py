"""From a fact to what customers or operators are told of it: the notice, with all that a channel needs to write it."""

from typing import Any, TypeVar

from schemas import events as e
from schemas.events import AnyEvent, Change, Effect, Notice, PageDefined
from schemas.ids import derive
from schemas.vocabulary import Audience, CellStatus, Impact, IncidentStatus, Kind, MaintenanceStatus
from streams.domain import audiences
from streams.domain import page as facts
from streams.domain.model import Incident, Maintenance
from streams.domain.state import State


def notice_of(state: State, event: AnyEvent) -> Notice | None:
    """Return what an applied fact has to tell, None for what is silent. A drill tells no real people."""
    match event.data:
        case e.IncidentOpened(incident=incident) | e.IncidentUpdated(incident=incident):
            return _of_incident(state, event, incident)
        case e.MaintenanceScheduled(maintenance=maintenance) | e.MaintenanceUpdated(maintenance=maintenance):
            return _of_maintenance(state, event, maintenance)
        case e.PromiseReminded(incident=incident):
            return _reminder(state, event, incident)
        case _:
            return None


def _of_incident(state: State, event: AnyEvent, identifier: str) -> Notice | None:
    incident = _known(state[facts.INCIDENTS].get(event.page, identifier), Incident)
    if incident.drill:
        return None
    update = incident.updates[-1]
    affects = list(incident.effects.values()) or _cleared(update.changes)
    affects, changes = _told(state, event.page, affects, update.changes, incident.audience)
    settings = _settings(state, event.page)
    return Notice(
        kind=Kind.INCIDENT,
        update=update.id,
        subject_id=incident.id,
        title=incident.title,
        body=update.body,
        status=update.status,
        impact=incident.impact,
        impact_chosen=incident.chosen_impact is not None,
        changes=changes,
        affects=affects,
        components=_names(state, event.page, affects),
        page_name=settings.name,
        page_url=settings.url,
        timezone=settings.timezone,
        promise_at=incident.promise_at if update.status not in _OVER else None,
        started_at=incident.started_at,
        published_at=update.at,
        audience=incident.audience,
    )


_OVER = (IncidentStatus.RESOLVED, IncidentStatus.POSTMORTEM)


def _of_maintenance(state: State, event: AnyEvent, identifier: str) -> Notice | None:
    maintenance = _known(state[facts.MAINTENANCES].get(event.page, identifier), Maintenance)
    if maintenance.drill:
        return None
    update = maintenance.updates[-1]
    settings = _settings(state, event.page)
    over = maintenance.status is MaintenanceStatus.COMPLETED
    new = CellStatus.OPERATIONAL if over else CellStatus.MAINTENANCE
    old = CellStatus.MAINTENANCE if over else CellStatus.OPERATIONAL
    changes = [Change(effect.component, effect.region, old, new) for effect in maintenance.affects]
    affects, changes = _told(state, event.page, maintenance.affects, changes, maintenance.audience)
    return Notice(
        kind=Kind.MAINTENANCE,
        update=update.id,
        subject_id=maintenance.id,
        title=maintenance.title,
        body=update.body,
        status=update.status,
        impact=Impact.NONE,
        impact_chosen=False,
        changes=changes,
        affects=affects,
        components=_names(state, event.page, affects),
        page_name=settings.name,
        page_url=settings.url,
        timezone=settings.timezone,
        promise_at=maintenance.ends_at,
        started_at=maintenance.starts_at,
        published_at=update.at,
        audience=maintenance.audience,
    )


def _reminder(state: State, event: AnyEvent, identifier: str) -> Notice | None:
    incident = _known(state[facts.INCIDENTS].get(event.page, identifier), Incident)
    if incident.drill:
        return None
    settings = _settings(state, event.page)
    affects = list(incident.effects.values())
    return Notice(
        kind=Kind.REMINDER,
        update=derive("reminder", incident.id, event.id),
        subject_id=incident.id,
        title=incident.title,
        body=incident.updates[-1].body,
        status=incident.status,
        impact=incident.impact,
        impact_chosen=False,
        changes=[],
        affects=affects,
        components=_names(state, event.page, affects),
        page_name=settings.name,
        page_url=settings.url,
        timezone=settings.timezone,
        promise_at=incident.promise_at,
        started_at=incident.started_at,
        published_at=event.recorded_at,
        audience=incident.audience,
    )


def _told(
    state: State, page: str, affects: list[Effect], changes: list[Change], audience: Audience
) -> tuple[list[Effect], list[Change]]:
    """Return what may be named: to the public no internal component, even where one came to be so meanwhile."""
    if audience is Audience.INTERNAL:
        return affects, changes
    internal = audiences.hidden_in(
        state, page, [*(one.component for one in affects), *(one.component for one in changes)]
    )
    return audiences.without(affects, internal), audiences.without(changes, internal)


V = TypeVar("V")


def _known(value: Any, kind: type[V]) -> V:
    assert isinstance(value, kind), "a fact that was applied has its entity"
    return value


def _cleared(changes: list[Change]) -> list[Effect]:
    return [Effect(change.component, change.region, change.new) for change in changes]


def _names(state: State, page: str, affects: list[Effect]) -> list[str]:
    """Name cells as people do: ``API (Europe)``, ``Login``."""
    known = state[facts.REGIONS].get(page, facts.ONLY)
    regions = {} if known is None else {region.id: region.name for region in known.regions}
    names = []
    for effect in affects:
        component = state[facts.COMPONENTS].get(page, effect.component)
        name = effect.component if component is None else component.definition.name
        names.append(name if effect.region is None else f"{name} ({regions.get(effect.region, effect.region)})")
    return names


def _settings(state: State, page: str) -> PageDefined:
    known: PageDefined | None = state[facts.SETTINGS].get(page, facts.ONLY)
    # A fold is total: an incident may lie on the log before the page's definition does.
    return known or PageDefined(page, "", "UTC", "", 1800, facts.DEFAULT_PARTIAL_WEIGHT, True)
