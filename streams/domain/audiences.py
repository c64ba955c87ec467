"""What only those who work here may know of a page: which components are internal, and the page as the public sees it. Pure.

A component is internal where it says so, or where a group above it does. What is internal is hidden by leaving it out of the
picture that public readers get: whoever renders knows nothing of audiences.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TypeVar

from msgspec.structs import replace

from schemas.events import Cell, Change, Effect
from schemas.vocabulary import Audience, CellStatus
from streams.domain.model import CellState, Component, Incident, Maintenance, PageView
from streams.domain.rollup import worst
from streams.domain.state import State
from streams.domain.tables import COMPONENTS
from streams.domain.tree import Tree

_INTERNAL = Audience.INTERNAL
Touching = TypeVar("Touching", Cell, Change, Effect)
Find = Callable[[str], Component | None]


def is_internal(find: Find, component: str) -> bool:
    """Whether a component is internal, by itself or by a group above it; ``find`` looks components up. What is not known is not."""
    seen: set[str] = set()
    at: str | None = component
    while at is not None and at not in seen:
        seen.add(at)
        known = find(at)
        if known is None:
            return False
        if known.definition.audience is _INTERNAL:
            return True
        at = known.definition.parent
    return False


def hidden_in(state: State, page: str, components: Iterable[str]) -> frozenset[str]:
    """Return those of ``components`` that are internal, by the tables of a page's fold."""
    table = state[COMPONENTS]
    return frozenset(one for one in set(components) if is_internal(lambda name: table.get(page, name), one))


def hidden(components: Mapping[str, Component]) -> frozenset[str]:
    """Return the ids of all internal components."""
    if all(one.definition.audience is not _INTERNAL for one in components.values()):
        return frozenset()
    return frozenset(name for name in components if is_internal(components.get, name))


def audience_of(components: Collection[str], internal: Collection[str]) -> Audience:
    """Return for whom something is that affects just these: the public, unless all of them are ``internal``."""
    return _INTERNAL if components and all(one in internal for one in components) else Audience.PUBLIC


def audience_of_matter(state: State, page: str, component: str, touched: Collection[str]) -> Audience:
    """Return for whom a matter of alerts is: not for the public where its component, or all that it affects, is internal."""
    internal = hidden_in(state, page, (component, *touched))
    return _INTERNAL if component in internal else audience_of(touched, internal)


def without(touching: Iterable[Touching], internal: Collection[str]) -> list[Touching]:
    """Return what touches no ``internal`` component."""
    return [one for one in touching if one.component not in internal]


def public_view(view: PageView) -> PageView:
    """Return the picture of a page as the public sees it; the same one where nothing is internal."""
    internal = hidden(view.components)
    secret = {key for key, one in view.incidents.items() if one.audience is _INTERNAL}
    masks = {key for key, one in view.maintenances.items() if one.audience is _INTERNAL}
    if not (internal or secret or masks):
        return view
    return replace(
        view,
        components=_shown(view.components, internal),
        cells={
            key: _cell(cell, secret, masks) for key, cell in view.cells.items() if key.partition("/")[0] not in internal
        },
        incidents={key: _incident(one, internal) for key, one in view.incidents.items() if key not in secret},
        maintenances={key: _maintenance(one, internal) for key, one in view.maintenances.items() if key not in masks},
        drafts={},
    )


def _shown(components: Mapping[str, Component], internal: Collection[str]) -> dict[str, Component]:
    """Return what is not internal, without groups of which nothing is left: they would look like components."""
    tree = Tree(components)
    return {
        name: one
        for name, one in components.items()
        if name not in internal
        and (not tree.is_group(name) or any(leaf.definition.component not in internal for leaf in tree.leaves(name)))
    }


def _cell(cell: CellState, secret: Collection[str], masks: Collection[str]) -> CellState:
    """Leave out what is internal; it was let onto a cell only while its component was."""
    effects = {key: status for key, status in cell.effects.items() if key not in secret}
    maintenances = [key for key in cell.maintenances if key not in masks]
    if len(effects) == len(cell.effects) and len(maintenances) == len(cell.maintenances):
        return cell
    status = CellStatus.MAINTENANCE if maintenances else worst(effects.values())
    return replace(cell, effects=effects, maintenances=maintenances, status=status)


def _incident(incident: Incident, internal: Collection[str]) -> Incident:
    if not internal:
        return incident
    effects = {key: effect for key, effect in incident.effects.items() if effect.component not in internal}
    updates = [replace(update, changes=without(update.changes, internal)) for update in incident.updates]
    return replace(incident, effects=effects, updates=updates)


def _maintenance(maintenance: Maintenance, internal: Collection[str]) -> Maintenance:
    return replace(maintenance, affects=without(maintenance.affects, internal)) if internal else maintenance
