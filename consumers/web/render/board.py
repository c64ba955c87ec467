"""The component tree as the page shows it: status, regions, and what the past looked like, row by row."""

from collections.abc import Iterator, Sequence

import msgspec
from markupsafe import Markup

from consumers.web.render.bars import bars
from consumers.web.render.uptime import Uptime, mean, overall, percent
from schemas.vocabulary import CellStatus
from streams.domain.model import Component, PageView
from streams.domain.rollup import cell_status, component_status
from streams.domain.tree import Tree

MOST_BARS = 100
"""A page with more components than this shows their uptime as a figure only, or it would weigh megabytes."""


class RegionRow(msgspec.Struct, frozen=True):
    """One cell of a component that has regions."""

    id: str
    name: str
    status: CellStatus


class Row(msgspec.Struct, frozen=True):
    """A component, or a group with what lies in it. ``uptime`` is ready text, ``bars`` a ready SVG."""

    id: str
    name: str
    description: str
    third_party: bool
    status: CellStatus
    regions: list[RegionRow]
    children: list["Row"]
    ratio: float | None
    bars: Markup | None

    @property
    def uptime(self) -> str | None:
        """The uptime for people; None where there is no data."""
        return None if self.ratio is None else percent(self.ratio)


def board(view: PageView, uptime: Uptime) -> list[Row]:
    """Return the rows of the page in display order."""
    return list(_Board(view, uptime).rows(None))


class _Board:
    def __init__(self, view: PageView, uptime: Uptime) -> None:
        self._view = view
        self._uptime = uptime
        self._tree = Tree(view.components)
        self._region_names = {region.id: region.name for region in view.regions}
        self._with_bars = len(self._tree.leaves(None)) <= MOST_BARS

    def rows(self, group: str | None) -> Iterator[Row]:
        for component in self._tree.children(group):
            yield self._row(component)

    def _row(self, component: Component) -> Row:
        own = component.definition
        children = list(self.rows(own.component))
        days = () if children else self._uptime.get(own.component, ())
        return Row(
            id=own.component,
            name=own.name,
            description=own.description,
            third_party=own.third_party,
            status=component_status(self._view, own.component, self._tree),
            regions=[] if children else self._regions(component),
            children=children,
            ratio=mean(child.ratio for child in children) if children else overall(days),
            bars=bars(own.name, days) if days and self._with_bars else None,
        )

    def _regions(self, component: Component) -> list[RegionRow]:
        return [
            RegionRow(cell.region, self._region_names.get(cell.region, cell.region), cell_status(self._view, cell))
            for cell in component.cells
            if cell.region is not None
        ]


def all_rows(rows: Sequence[Row]) -> Iterator[Row]:
    """Iterate over rows and all that lies in them."""
    for row in rows:
        yield row
        yield from all_rows(row.children)
