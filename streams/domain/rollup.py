"""How cells roll up to components, components to groups, and leaf components to the page.

A component is its worst cell, a group its worst leaf. Under maintenance is shown where nothing below is worse and
something below is under maintenance. The page follows the table of Statuspage (reference in ``docs/status.md``):
only leaf components count, so an incident that affects none leaves the page at ``none``.
"""

from collections.abc import Iterable
from typing import NamedTuple

from schemas.events import Cell
from schemas.vocabulary import STATUS_RANK, CellStatus
from streams.domain.model import PageView
from streams.domain.tree import Tree


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

# Maintenance has no rank among outages, yet it is worth showing where nothing is wrong.
_WEIGHT: dict[CellStatus, tuple[int, bool]] = {
    status: (rank, status is CellStatus.MAINTENANCE) for status, rank in STATUS_RANK.items()
}


def worst(statuses: Iterable[CellStatus]) -> CellStatus:
    """Return the worst of ``statuses``; none at all is operational."""
    return max(statuses, key=_WEIGHT.__getitem__, default=CellStatus.OPERATIONAL)


def cell_status(view: PageView, cell: Cell) -> CellStatus:
    """Return the status of one cell."""
    state = view.cells.get(cell.key)
    return CellStatus.OPERATIONAL if state is None else state.status


def component_status(view: PageView, component: str, tree: Tree | None = None) -> CellStatus:
    """Return the status of a component or group: its worst cell or leaf. What is not known is operational.

    Who asks for many passes the ``tree``; building it costs a walk over all components.
    """
    found = Tree(view.components) if tree is None else tree
    return worst(cell_status(view, cell) for leaf in found.leaves(component) for cell in leaf.cells)


def status_of_page(view: PageView) -> PageStatus:
    """Return the page's status by the cells of its leaf components."""
    tree = Tree(view.components)
    statuses = [component_status(view, leaf.definition.component, tree) for leaf in tree.leaves(None)]
    return page_status(statuses, maintenance_indicator=view.settings.maintenance_indicator)


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
