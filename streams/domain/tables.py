"""The tables that hold a page, and the events that change them: names shared by every fold over a page."""

from schemas import events as e
from schemas.topics import PAGES
from streams.domain.model import CellState, Component, Draft, Incident, Maintenance
from streams.domain.state import TableSpec

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
