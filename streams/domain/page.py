"""The fold of a page's facts: catalogue, drafts, incidents, maintenance, and the status of every cell.

It applies what lies on the log where it lies there. What alerts bring about is decided elsewhere
(``streams.domain.alarms``) and arrives here as facts like those a person writes.
"""

from collections.abc import Callable
from math import isfinite
from typing import Any

from msgspec.structs import replace

from schemas import events as e
from schemas.events import AnyEvent
from streams.domain import draft_facts, incident_facts, maintenance_facts
from streams.domain.cells import PLAUSIBLE_PAST, Transition, effect_key, happened_at, merged, worst_impact
from streams.domain.model import Component
from streams.domain.processor import Output
from streams.domain.state import State
from streams.domain.tables import (
    CATALOGUE_TABLES,
    CATALOGUE_TYPES,
    CELLS,
    COMPONENTS,
    DRAFTS,
    FACT_TYPES,
    INCIDENTS,
    MAINTENANCES,
    ONLY,
    PAGE_TABLES,
    REGIONS,
    RULES,
    SETTINGS,
    SOURCES,
    TEMPLATES,
    TOPIC,
)

DEFAULT_PARTIAL_WEIGHT = 0.3

__all__ = [
    "CATALOGUE_TABLES",
    "CATALOGUE_TYPES",
    "CELLS",
    "COMPONENTS",
    "DRAFTS",
    "FACT_TYPES",
    "INCIDENTS",
    "MAINTENANCES",
    "ONLY",
    "PAGE_TABLES",
    "PLAUSIBLE_PAST",
    "REGIONS",
    "RULES",
    "SETTINGS",
    "SOURCES",
    "TEMPLATES",
    "TOPIC",
    "Transition",
    "effect_key",
    "evolve",
    "happened_at",
    "is_masked",
    "merged",
    "worst_impact",
]


def evolve(state: State, event: AnyEvent, out: Output) -> list[Transition]:
    """Apply one fact and return the status changes of cells that it brought about."""
    fold = _FOLDS.get(type(event.data))
    if fold is None:
        out.ignore("not a fact of a page")
        return []
    return fold(state, event, event.data, out) or []


def is_masked(state: State, page: str, cell: str) -> bool:
    """Whether a maintenance that goes on masks the cell of this key."""
    known = state[CELLS].get(page, cell)
    return known is not None and bool(known.maintenances)


def _page_defined(state: State, event: AnyEvent, data: e.PageDefined, out: Output) -> None:
    # A number without end cannot be kept as one.
    weight = data.partial_weight if isfinite(data.partial_weight) else DEFAULT_PARTIAL_WEIGHT
    state[SETTINGS].put(event.page, ONLY, replace(data, partial_weight=weight))


def _regions_defined(state: State, event: AnyEvent, data: e.RegionsDefined, out: Output) -> None:
    state[REGIONS].put(event.page, ONLY, data)


def _component_defined(state: State, event: AnyEvent, data: e.ComponentDefined, out: Output) -> None:
    known = state[COMPONENTS].get(event.page, data.component)
    created = event.recorded_at if known is None else known.created_at
    defined = data if data.slo is None or isfinite(data.slo) else replace(data, slo=None)
    state[COMPONENTS].put(event.page, data.component, Component(defined, created, event.recorded_at))


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
    e.DraftWritten: draft_facts.draft_written,
    e.DraftRevised: draft_facts.draft_revised,
    e.DraftApproved: draft_facts.draft_approved,
    e.DraftDismissed: draft_facts.draft_dismissed,
    e.DraftWithdrawn: draft_facts.draft_withdrawn,
    e.IncidentOpened: incident_facts.incident_opened,
    e.IncidentUpdated: incident_facts.incident_updated,
    e.IncidentCellsChanged: incident_facts.cells_changed,
    e.PromiseReminded: incident_facts.promise_reminded,
    e.MaintenanceScheduled: maintenance_facts.maintenance_scheduled,
    e.MaintenanceUpdated: maintenance_facts.maintenance_updated,
}
