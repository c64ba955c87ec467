"""The fold of a page's facts: catalogue, drafts, incidents, maintenance, and the status of every cell.

It applies what lies on the log where it lies there. What alerts bring about is decided elsewhere
(``streams.domain.deciding``) and arrives here as facts like those a person writes.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from msgspec.structs import replace

from schemas import events as e
from schemas.events import AnyEvent, Change, Effect, Micros
from schemas.topics import PAGES
from schemas.vocabulary import (
    IMPACT_OF_STATUS,
    IMPACT_RANK,
    CellStatus,
    Impact,
    IncidentStatus,
    MaintenanceStatus,
)
from streams.domain.model import CellState, Component, Draft, Incident, Maintenance, Update
from streams.domain.processor import Output
from streams.domain.rollup import worst
from streams.domain.state import State, TableSpec

SETTINGS, REGIONS, COMPONENTS, SOURCES = "settings", "regions", "components", "sources"
RULES, TEMPLATES = "rules", "templates"
INCIDENTS, MAINTENANCES, DRAFTS, CELLS = "incidents", "maintenances", "drafts", "cells"
ONLY = ""
"""The key of a table that holds one value a page."""

CATALOGUE_TABLES = (
    TableSpec(SETTINGS, e.PageDefined),
    TableSpec(REGIONS, e.RegionsDefined),
    TableSpec(COMPONENTS, Component),
    TableSpec(SOURCES, e.SourceDefined),
    TableSpec(RULES, e.RulesDefined),
    TableSpec(TEMPLATES, e.TemplateDefined),
)
PAGE_TABLES = (
    *CATALOGUE_TABLES,
    TableSpec(INCIDENTS, Incident),
    TableSpec(MAINTENANCES, Maintenance),
    TableSpec(DRAFTS, Draft),
    TableSpec(CELLS, CellState),
)
CATALOGUE_TYPES = frozenset(
    {
        "PageDefined", "RegionsDefined", "ComponentDefined", "ComponentRemoved", "SourceDefined", "SourceRemoved",
        "RulesDefined", "TemplateDefined", "TemplateRemoved",
    }
)  # fmt: skip
FACT_TYPES = CATALOGUE_TYPES | {
    "DraftWritten", "DraftRevised", "DraftApproved", "DraftDismissed", "DraftWithdrawn", "IncidentOpened",
    "IncidentUpdated", "IncidentCellsChanged", "PromiseReminded", "MaintenanceScheduled", "MaintenanceUpdated",
}  # fmt: skip
TOPIC = PAGES.name
PLAUSIBLE_PAST: Micros = 24 * 3600 * 1_000_000
"""How long before it was recorded a thing may claim to have happened."""


class Transition(NamedTuple):
    """A cell's status changed at a time of the world."""

    component: str
    region: str | None
    old: CellStatus
    new: CellStatus
    at: Micros


def happened_at(event: AnyEvent) -> Micros:
    """Return when the event happened, clamped to what is plausible: not after it was recorded, nor a day before."""
    return max(min(event.occurred_at, event.recorded_at), event.recorded_at - PLAUSIBLE_PAST)


def evolve(state: State, event: AnyEvent, out: Output) -> list[Transition]:
    """Apply one fact and return the status changes of cells that it brought about."""
    fold = _FOLDS.get(type(event.data))
    if fold is None:
        out.ignore("not a fact of a page")
        return []
    return fold(state, event, event.data, out) or []


def _page_defined(state: State, event: AnyEvent, data: e.PageDefined, out: Output) -> None:
    state[SETTINGS].put(event.page, ONLY, data)


def _regions_defined(state: State, event: AnyEvent, data: e.RegionsDefined, out: Output) -> None:
    state[REGIONS].put(event.page, ONLY, data)


def _component_defined(state: State, event: AnyEvent, data: e.ComponentDefined, out: Output) -> None:
    known = state[COMPONENTS].get(event.page, data.component)
    created = event.recorded_at if known is None else known.created_at
    state[COMPONENTS].put(event.page, data.component, Component(data, created, event.recorded_at))


def _component_removed(state: State, event: AnyEvent, data: e.ComponentRemoved, out: Output) -> None:
    state[COMPONENTS].delete(event.page, data.component)


def _source_defined(state: State, event: AnyEvent, data: e.SourceDefined, out: Output) -> None:
    state[SOURCES].put(event.page, data.source, data)


def _source_removed(state: State, event: AnyEvent, data: e.SourceRemoved, out: Output) -> None:
    state[SOURCES].delete(event.page, data.source)


def _rules_defined(state: State, event: AnyEvent, data: e.RulesDefined, out: Output) -> None:
    state[RULES].put(event.page, ONLY, data)


def _template_defined(state: State, event: AnyEvent, data: e.TemplateDefined, out: Output) -> None:
    state[TEMPLATES].put(event.page, data.template, data)


def _template_removed(state: State, event: AnyEvent, data: e.TemplateRemoved, out: Output) -> None:
    state[TEMPLATES].delete(event.page, data.template)


def _draft_written(state: State, event: AnyEvent, data: e.DraftWritten, out: Output) -> None:
    if state[DRAFTS].get(event.page, data.draft) is not None:
        return out.ignore("this draft was written before")
    draft = Draft(
        id=data.draft,
        incident=data.incident,
        rule=data.rule,
        component=data.component,
        title=data.title,
        body=data.body,
        status=data.status,
        affects=data.affects,
        waits_for=data.waits_for,
        publish_at=data.publish_at,
        started_at=data.started_at,
        created_at=event.recorded_at,
        updated_at=event.recorded_at,
        approved=False,
        drill=event.drill,
    )
    state[DRAFTS].put(event.page, data.draft, draft)
    return None


def _draft_revised(state: State, event: AnyEvent, data: e.DraftRevised, out: Output) -> None:
    if (draft := _waiting_draft(state, event, data.draft, out)) is not None:
        revised = replace(
            draft, title=data.title, body=data.body, affects=data.affects, updated_at=event.recorded_at
        )
        state[DRAFTS].put(event.page, data.draft, revised)


def _draft_approved(state: State, event: AnyEvent, data: e.DraftApproved, out: Output) -> None:
    if (draft := _waiting_draft(state, event, data.draft, out)) is not None:
        state[DRAFTS].put(event.page, data.draft, replace(draft, approved=True, updated_at=event.recorded_at))


def _draft_gone(state: State, event: AnyEvent, data: e.DraftDismissed | e.DraftWithdrawn, out: Output) -> None:
    if _waiting_draft(state, event, data.draft, out) is not None:
        state[DRAFTS].delete(event.page, data.draft)


def _waiting_draft(state: State, event: AnyEvent, draft_id: str, out: Output) -> Draft | None:
    draft: Draft | None = state[DRAFTS].get(event.page, draft_id)
    if draft is None:
        out.ignore("no such draft is waiting")
    elif draft.approved:
        out.ignore("the draft was approved before")
        return None
    return draft


def _incident_opened(state: State, event: AnyEvent, data: e.IncidentOpened, out: Output) -> list[Transition]:
    if state[INCIDENTS].get(event.page, data.incident) is not None:
        out.ignore("this incident was opened before")
        return []
    if data.draft is not None:
        state[DRAFTS].delete(event.page, data.draft)
    at = happened_at(event)
    effects = {effect_key(effect): effect for effect in data.affects if effect.status is not CellStatus.OPERATIONAL}
    resolved = data.status in _OVER
    incident = Incident(
        id=data.incident,
        title=data.title,
        status=data.status,
        chosen_impact=data.impact,
        peak=worst_impact(effects.values()),
        effects={} if resolved else effects,
        rule=data.rule,
        component=data.component,
        started_at=at,
        created_at=event.recorded_at,
        updated_at=event.recorded_at,
        monitoring_at=event.recorded_at if data.status is IncidentStatus.MONITORING else None,
        resolved_at=event.recorded_at if resolved else None,
        promise_at=None if resolved else data.promise_at,
        updates=[],
        drill=event.drill,
    )
    changes = [Change(effect.component, effect.region, CellStatus.OPERATIONAL, effect.status) for effect in data.affects]
    update = Update(data.update, data.status, data.body, event.recorded_at, changes, data.promise_at, event.actor)
    state[INCIDENTS].put(event.page, data.incident, replace(incident, updates=[update]))
    return _apply_effects(state, event, incident.id, incident.effects, {}, at)


_OVER = (IncidentStatus.RESOLVED, IncidentStatus.POSTMORTEM)


def _incident_updated(state: State, event: AnyEvent, data: e.IncidentUpdated, out: Output) -> list[Transition]:
    incident: Incident | None = state[INCIDENTS].get(event.page, data.incident)
    if data.draft is not None:
        state[DRAFTS].delete(event.page, data.draft)
    if incident is None:
        out.ignore("there is no such incident")
        return []
    if any(update.id == data.update for update in incident.updates):
        out.ignore("this update was made before")
        return []
    if (refusal := _refuses(incident, data)) is not None:
        out.ignore(refusal)
        return []
    return _updated(state, event, incident, data)


def _refuses(incident: Incident, data: e.IncidentUpdated) -> str | None:
    if data.status is IncidentStatus.POSTMORTEM:
        return None if incident.resolved_at is not None else "a post-mortem follows the resolution"
    return None if incident.resolved_at is None else "the incident is resolved"


def _updated(state: State, event: AnyEvent, incident: Incident, data: e.IncidentUpdated) -> list[Transition]:
    at = max(happened_at(event), incident.started_at)
    over = data.status in _OVER
    effects = {} if over else merged(incident.effects, data.affects)
    named = data.affects
    if over and incident.resolved_at is None:
        # The all-clear changes every cell that was still affected.
        named = [replace(effect, status=CellStatus.OPERATIONAL) for effect in incident.effects.values()]
    changes = [
        Change(effect.component, effect.region, _effect_on(incident, effect), effect.status) for effect in named
    ]
    update = Update(data.update, data.status, data.body, event.recorded_at, changes, data.promise_at, event.actor)
    peak = max(incident.peak, worst_impact(effects.values()), key=IMPACT_RANK.__getitem__)
    monitoring = data.status is IncidentStatus.MONITORING and incident.monitoring_at is None
    changed = replace(
        incident,
        status=data.status,
        chosen_impact=data.impact or incident.chosen_impact,
        peak=peak,
        effects=effects,
        updated_at=event.recorded_at,
        monitoring_at=event.recorded_at if monitoring else incident.monitoring_at,
        resolved_at=event.recorded_at if over and incident.resolved_at is None else incident.resolved_at,
        promise_at=None if over else data.promise_at,
        updates=[*incident.updates, update],
    )
    state[INCIDENTS].put(event.page, incident.id, changed)
    return _apply_effects(state, event, incident.id, effects, incident.effects, at)


def _cells_changed(state: State, event: AnyEvent, data: e.IncidentCellsChanged, out: Output) -> list[Transition]:
    incident: Incident | None = state[INCIDENTS].get(event.page, data.incident)
    if incident is None or incident.resolved_at is not None:
        out.ignore("there is no such open incident")
        return []
    effects = merged(incident.effects, data.affects)
    peak = max(incident.peak, worst_impact(effects.values()), key=IMPACT_RANK.__getitem__)
    changed = replace(incident, effects=effects, peak=peak, updated_at=event.recorded_at)
    state[INCIDENTS].put(event.page, incident.id, changed)
    at = max(happened_at(event), incident.started_at)
    return _apply_effects(state, event, incident.id, effects, incident.effects, at)


def _promise_reminded(state: State, event: AnyEvent, data: e.PromiseReminded, out: Output) -> None:
    incident: Incident | None = state[INCIDENTS].get(event.page, data.incident)
    if incident is None or not incident.is_open or incident.promise_at != data.promise_at:
        out.ignore("the promise was kept or replaced")


def _maintenance_scheduled(state: State, event: AnyEvent, data: e.MaintenanceScheduled, out: Output) -> None:
    if state[MAINTENANCES].get(event.page, data.maintenance) is not None:
        return out.ignore("this maintenance was scheduled before")
    update = Update(data.update, MaintenanceStatus.SCHEDULED, data.body, event.recorded_at, [], None, event.actor)
    maintenance = Maintenance(
        id=data.maintenance,
        title=data.title,
        status=MaintenanceStatus.SCHEDULED,
        affects=data.affects,
        starts_at=data.starts_at,
        ends_at=data.ends_at,
        started_at=None,
        completed_at=None,
        created_at=event.recorded_at,
        updated_at=event.recorded_at,
        updates=[update],
        drill=event.drill,
    )
    state[MAINTENANCES].put(event.page, data.maintenance, maintenance)
    return None


_MAINTENANCE_ORDER = list(MaintenanceStatus)


def _maintenance_updated(state: State, event: AnyEvent, data: e.MaintenanceUpdated, out: Output) -> list[Transition]:
    known: Maintenance | None = state[MAINTENANCES].get(event.page, data.maintenance)
    if known is None:
        out.ignore("there is no such maintenance")
        return []
    if known.status is MaintenanceStatus.COMPLETED:
        out.ignore("the maintenance is completed")
        return []
    if any(update.id == data.update for update in known.updates):
        out.ignore("this update was made before")
        return []
    if _MAINTENANCE_ORDER.index(data.status) < _MAINTENANCE_ORDER.index(known.status):
        out.ignore(f"the maintenance is {known.status} already")
        return []
    if event.actor == "tocsin" and data.status is known.status:
        out.ignore("a person was faster than the clock")
        return []
    return _maintained(state, event, known, data)


def _maintained(state: State, event: AnyEvent, known: Maintenance, data: e.MaintenanceUpdated) -> list[Transition]:
    at = happened_at(event)
    changed = replace(
        known,
        status=data.status,
        started_at=at if known.started_at is None and data.status is not MaintenanceStatus.SCHEDULED else known.started_at,
        completed_at=at if data.status is MaintenanceStatus.COMPLETED else None,
        updated_at=event.recorded_at,
        updates=[
            *known.updates,
            Update(data.update, data.status, data.body, event.recorded_at, [], None, event.actor),
        ],
    )
    state[MAINTENANCES].put(event.page, known.id, changed)
    if known.drill or changed.is_active == known.is_active:
        return []
    return [
        found
        for effect in known.affects
        for found in _mask(state, event.page, effect, known.id, masked=changed.is_active, at=at)
    ]


def _apply_effects(
    state: State, event: AnyEvent, incident: str, new: dict[str, Effect], old: dict[str, Effect], at: Micros
) -> list[Transition]:
    if event.drill:
        return []
    found = []
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key), new.get(key)
        if before != after:
            effect = after or before
            assert effect is not None, "a key comes from one of the two"
            status = None if after is None else after.status
            found += _weigh(state, event.page, effect, incident, status, at)
    return found


def _weigh(
    state: State, page: str, effect: Effect, incident: str, status: CellStatus | None, at: Micros
) -> Iterable[Transition]:
    cell = state[CELLS].get(page, effect_key(effect)) or CellState({}, [], CellStatus.OPERATIONAL, 0)
    effects = {key: value for key, value in cell.effects.items() if key != incident}
    if status is not None:
        effects[incident] = status
    return _settle(state, page, effect, cell, replace(cell, effects=effects), at)


def _mask(
    state: State, page: str, effect: Effect, maintenance: str, *, masked: bool, at: Micros
) -> Iterable[Transition]:
    cell = state[CELLS].get(page, effect_key(effect)) or CellState({}, [], CellStatus.OPERATIONAL, 0)
    others = [known for known in cell.maintenances if known != maintenance]
    changed = replace(cell, maintenances=[*others, maintenance] if masked else others)
    return _settle(state, page, effect, cell, changed, at)


def _settle(
    state: State, page: str, effect: Effect, old: CellState, new: CellState, at: Micros
) -> Iterable[Transition]:
    status = CellStatus.MAINTENANCE if new.maintenances else worst(new.effects.values())
    changed = status is not old.status
    # Time runs forward within a cell: two monitors' clocks may disagree, its history may not.
    since = max(at, old.since) if changed else old.since
    state[CELLS].put(page, effect_key(effect), replace(new, status=status, since=since))
    return [Transition(effect.component, effect.region, old.status, status, since)] if changed else []


def effect_key(effect: Effect) -> str:
    """Return the key of the cell that ``effect`` is on."""
    return effect.component if effect.region is None else f"{effect.component}/{effect.region}"


def merged(effects: dict[str, Effect], changes: Iterable[Effect]) -> dict[str, Effect]:
    """Return ``effects`` with ``changes`` applied; an operational cell is no longer affected."""
    result = dict(effects)
    for effect in changes:
        if effect.status is CellStatus.OPERATIONAL:
            result.pop(effect_key(effect), None)
        else:
            result[effect_key(effect)] = effect
    return result


def worst_impact(effects: Iterable[Effect]) -> Impact:
    """Return the impact of the worst of ``effects``."""
    return max((IMPACT_OF_STATUS[effect.status] for effect in effects), key=IMPACT_RANK.__getitem__, default=Impact.NONE)


def _effect_on(incident: Incident, effect: Effect) -> CellStatus:
    known = incident.effects.get(effect_key(effect))
    return CellStatus.OPERATIONAL if known is None else known.status


_FOLDS: dict[type[e.EventData], Callable[[State, AnyEvent, Any, Output], list[Transition] | None]] = {
    e.PageDefined: _page_defined,
    e.RegionsDefined: _regions_defined,
    e.ComponentDefined: _component_defined,
    e.ComponentRemoved: _component_removed,
    e.SourceDefined: _source_defined,
    e.SourceRemoved: _source_removed,
    e.RulesDefined: _rules_defined,
    e.TemplateDefined: _template_defined,
    e.TemplateRemoved: _template_removed,
    e.DraftWritten: _draft_written,
    e.DraftRevised: _draft_revised,
    e.DraftApproved: _draft_approved,
    e.DraftDismissed: _draft_gone,
    e.DraftWithdrawn: _draft_gone,
    e.IncidentOpened: _incident_opened,
    e.IncidentUpdated: _incident_updated,
    e.IncidentCellsChanged: _cells_changed,
    e.PromiseReminded: _promise_reminded,
    e.MaintenanceScheduled: _maintenance_scheduled,
    e.MaintenanceUpdated: _maintenance_updated,
}
