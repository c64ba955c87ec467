"""Whom a subject touches, in words: components by their full names, each with its regions and how they are now."""

import msgspec

from consumers.web.render.subject import Subject
from schemas.events import Cell
from schemas.vocabulary import CellStatus
from streams.domain.model import PageView
from streams.domain.rollup import worst
from streams.domain.tree import Tree


class AffectedCell(msgspec.Struct, frozen=True):
    """A cell that a subject touches or touched; ``region`` is its name, empty where the component has none."""

    region: str
    status: CellStatus


class Affected(msgspec.Struct, frozen=True):
    """A component that a subject touches or touched."""

    name: str
    cells: list[AffectedCell]

    @property
    def status(self) -> CellStatus:
        """The worst of its cells."""
        return worst(cell.status for cell in self.cells)

    @property
    def regions(self) -> str:
        """The names of its regions in one line."""
        return ", ".join(cell.region for cell in self.cells if cell.region)


def affected(view: PageView, subject: Subject) -> list[Affected]:
    """Return the components in the order in which they were touched; one that is no longer shown keeps its id."""
    tree = Tree(view.components)
    cells = _cells(subject)
    regions = {region.id: region.name for region in view.regions}
    return [
        Affected(
            _name(view, tree, component),
            [
                AffectedCell("" if cell.region is None else regions.get(cell.region, cell.region), status)
                for cell, status in cells.items()
                if cell.component == component
            ],
        )
        for component in dict.fromkeys(cell.component for cell in cells)
    ]


def _cells(subject: Subject) -> dict[Cell, CellStatus]:
    """Return every cell that was ever touched with the subject's present effect on it."""
    touched = [change for post in reversed(subject.posts) for change in post.update.changes]
    cells = dict.fromkeys((Cell(change.component, change.region) for change in touched), CellStatus.OPERATIONAL)
    now = {effect.cell: effect.status for effect in subject.affects} if subject.resolved_at is None else {}
    return cells | dict.fromkeys((effect.cell for effect in subject.affects), CellStatus.OPERATIONAL) | now


def _name(view: PageView, tree: Tree, component: str) -> str:
    own = view.components.get(component)
    if own is None:
        return component
    parent = tree.parent(component)
    return (
        own.definition.name if parent is None else f"{view.components[parent].definition.name}: {own.definition.name}"
    )
