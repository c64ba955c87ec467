"""Every page as folded tables have it, as a document that stays the same for the same log.

It renders for operators and scripts; what the public sees is rendered in ``consumers.web``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from consumers.audit.events import iso, shown
from consumers.projection.board import STATUS, picture_of
from schemas.events import Micros
from streams.domain.model import Incident, PageView
from streams.domain.page import SETTINGS
from streams.domain.rollup import cell_status, component_status, status_of_page
from streams.domain.state import MemoryTable
from streams.domain.tree import Tree
from streams.runtime.stage import FoldStage, Stage


def pages_of(stages: Sequence[Stage]) -> dict[str, PageView]:
    """Return the picture of every page from the status board among replayed ``stages``."""
    return pages_in(
        next(stage.tables for stage in stages if isinstance(stage, FoldStage) and stage.name == STATUS.name)
    )


def pages_in(tables: Mapping[str, MemoryTable[Any]]) -> dict[str, PageView]:
    """Return the picture of every page from the tables of the status board."""
    found = {page: picture_of(tables, page) for page in sorted(tables[SETTINGS].pages())}
    return {page: view for page, view in found.items() if view is not None}


def document(pages: Mapping[str, PageView], until: Micros | None, events: int) -> dict[str, Any]:
    """Return ``{until, events, pages: {id: {name, status, components, incidents, maintenances, drafts}}}``."""
    shapes = {page: _page(view) for page, view in pages.items()}
    return {"until": None if until is None else iso(until), "events": events, "pages": shapes}


def _page(view: PageView) -> dict[str, Any]:
    tree = Tree(view.components)
    status = status_of_page(view)
    return {
        "name": view.settings.name,
        "status": status.indicator,
        "description": status.description,
        "updated_at": iso(view.updated_at),
        "components": {component: _component(view, component, tree) for component in sorted(view.components)},
        "incidents": [_incident(incident) for incident in _by_age(view.incidents)],
        "maintenances": [shown(msgspec.to_builtins(each)) for each in _by_age(view.maintenances)],
        "drafts": [shown(msgspec.to_builtins(each)) for each in _by_age(view.drafts)],
    }


def _component(view: PageView, component: str, tree: Tree) -> dict[str, Any]:
    own = [] if tree.is_group(component) else view.components[component].cells
    cells = {cell.key: cell_status(view, cell).value for cell in own}
    return {"status": component_status(view, component, tree).value, "cells": cells}


def _incident(incident: Incident) -> dict[str, Any]:
    plain: dict[str, Any] = shown(msgspec.to_builtins(incident))
    return plain | {"impact": incident.impact.value}


def _by_age(entities: Mapping[str, Any]) -> list[Any]:
    return sorted(entities.values(), key=lambda entity: (entity.created_at, entity.id))
