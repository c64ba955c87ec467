"""GET components: the page's tree with its cells, regions and all, as Statuspage v2 cannot show it."""

from datetime import datetime

from fastapi import APIRouter

from consumers.web.api.reading import MISSING, Bearer, Reading
from consumers.web.api.shape import Shape, when
from schemas.events import Cell
from schemas.vocabulary import Audience, CellStatus
from streams.domain.model import Component, PageView
from streams.domain.rollup import cell_status, component_status, status_of_page
from streams.domain.tree import Tree


class RegionCell(Shape):
    """One cell of a component; ``region`` and ``name`` are null where the component has no regions."""

    region: str | None
    name: str | None
    status: CellStatus
    since: datetime | None
    """Since when it has this status; null where it never had another."""


class ComponentShape(Shape):
    """A component, or a group with what lies below it."""

    id: str
    name: str
    description: str
    status: CellStatus
    third_party: bool
    audience: Audience
    """Who is shown it by its own word; what lies below an internal group is internal, too."""
    slo: float | None
    cells: list[RegionCell]
    components: list["ComponentShape"]


class ComponentTree(Shape):
    """The page's status and its components in display order."""

    indicator: str
    description: str
    updated_at: datetime
    components: list[ComponentShape]


class Components(Reading):
    """The reads."""

    def routes(self) -> APIRouter:
        router = APIRouter(tags=["components"])
        router.get("/components", responses=MISSING)(self.components)
        return router

    async def components(self, page: str, given: Bearer = None) -> ComponentTree:
        """Return the page's status and its components in display order; internal ones to operators only."""
        view = self.shown(page, given)
        indicator, description = status_of_page(view)
        return ComponentTree(
            indicator=indicator,
            description=description,
            updated_at=when(view.updated_at),
            components=_level(view, Tree(view.components), None),
        )


def _level(view: PageView, tree: Tree, group: str | None) -> list[ComponentShape]:
    return [_component(view, tree, component) for component in tree.children(group)]


def _component(view: PageView, tree: Tree, component: Component) -> ComponentShape:
    own = component.definition
    below = _level(view, tree, own.component)
    return ComponentShape(
        id=own.component,
        name=own.name,
        description=own.description,
        status=component_status(view, own.component, tree),
        third_party=own.third_party,
        audience=own.audience,
        slo=own.slo,
        cells=[] if below else [_cell(view, cell) for cell in component.cells],
        components=below,
    )


def _cell(view: PageView, cell: Cell) -> RegionCell:
    state = view.cells.get(cell.key)
    name = next((region.name for region in view.regions if region.id == cell.region), cell.region)
    since = None if state is None or state.since == 0 else when(state.since)
    return RegionCell(region=cell.region, name=name, status=cell_status(view, cell), since=since)
