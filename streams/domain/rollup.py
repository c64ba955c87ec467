"""How cells roll up to components, components to groups, and leaf components to the page.

A component is its worst cell, a group its worst leaf. Under maintenance is shown where nothing below is worse and
something below is under maintenance. The page follows the table of Statuspage (reference in ``docs/status.md``):
only leaf components count, so an incident that affects none leaves the page at ``none``.
"""

from collections.abc import Iterable
from typing import NamedTuple

from schemas.events import Cell
from schemas.vocabulary import STATUS_RANK, CellStatus
from streams.domain.model import Component, PageView


class PageStatus(NamedTuple):
    """The page's indicator (``none minor major critical maintenance``) and its sentence."""

    indicator: str
    description: str


ALL_OPERATIONAL = PageStatus("none", "All Systems Operational")
MAJOR_OUTAGE = PageStatus("critical", "Major System Outage")
PARTIAL_OUTAGE = PageStatus("major", "Partial System Outage")
MINOR_OUTAGE = PageStatus("minor", "Minor Service Outage")
DEGRADED = PageStatus("minor", "Degraded System Service")
PARTLY_DEGRADED = PageStatus("minor", "Partially Degraded Service")
MAINTENANCE = PageStatus("maintenance", "Service Under Maintenance")


def worst(statuses: Iterable[CellStatus]) -> CellStatus:
    """Return the worst of ``statuses``; none at all is operational."""
    found = CellStatus.OPERATIONAL
    for status in statuses:
        if STATUS_RANK[status] > STATUS_RANK[found]:
            found = status
        elif status is CellStatus.MAINTENANCE and found is CellStatus.OPERATIONAL:
            found = status
    return found


def children(view: PageView, group: str | None) -> list[Component]:
    """Return the components right below ``group`` (None: the top) in display order."""
    below = [component for component in view.components.values() if component.definition.parent == group]
    return sorted(below, key=lambda component: (component.definition.position, component.definition.component))


def is_group(view: PageView, component: str) -> bool:
    """Whether other components lie below this one."""
    return any(other.definition.parent == component for other in view.components.values())


def leaves(view: PageView, component: str) -> list[Component]:
    """Return the leaf components at or below ``component``."""
    below = children(view, component)
    if not below:
        return [view.components[component]]
    return [leaf for child in below for leaf in leaves(view, child.definition.component)]


def cell_status(view: PageView, cell: Cell) -> CellStatus:
    """Return the status of one cell."""
    state = view.cells.get(cell.key)
    return CellStatus.OPERATIONAL if state is None else state.status


def component_status(view: PageView, component: str) -> CellStatus:
    """Return the status of a component or group: its worst cell or leaf."""
    return worst(cell_status(view, cell) for leaf in leaves(view, component) for cell in leaf.cells)


def page_status(statuses: Iterable[CellStatus], *, maintenance_indicator: bool = True) -> PageStatus:
    """Return the page's status from those of its leaf components."""
    found = list(statuses)
    if CellStatus.MAJOR_OUTAGE in found:
        return MAJOR_OUTAGE if all(status is CellStatus.MAJOR_OUTAGE for status in found) else PARTIAL_OUTAGE
    if CellStatus.PARTIAL_OUTAGE in found:
        return PARTIAL_OUTAGE if all(status is CellStatus.PARTIAL_OUTAGE for status in found) else MINOR_OUTAGE
    if CellStatus.DEGRADED in found:
        return DEGRADED if all(status is CellStatus.DEGRADED for status in found) else PARTLY_DEGRADED
    if CellStatus.MAINTENANCE in found:
        return MAINTENANCE if maintenance_indicator else PageStatus("none", MAINTENANCE.description)
    return ALL_OPERATIONAL
