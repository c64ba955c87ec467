"""What a subscriber chose, as the form shows it: which boxes are ticked, and those for which the tree has none. Pure."""

from collections.abc import Iterator, Sequence

import msgspec

from consumers.web.ports import SubscriberRow
from consumers.web.render.board import Row, all_rows, board
from consumers.web.render.paced import Paced, paced
from schemas.events import Cell, Filter
from schemas.vocabulary import Impact, Kind
from streams.domain.model import PageView


class Choice(msgspec.Struct, frozen=True):
    """A box of its own: the form's value, and what it says."""

    value: str
    label: str


class Chosen(msgspec.Struct, frozen=True):
    """What a form is filled in with; ``cells`` are values of boxes, ``others`` those that stand below the tree."""

    everything: bool
    cells: frozenset[str]
    others: Sequence[Choice]
    min_impact: Impact
    kinds: frozenset[Kind]


EVERYTHING = Chosen(True, frozenset(), (), Impact.NONE, frozenset({Kind.INCIDENT, Kind.MAINTENANCE}))
"""What whoever signs up is offered first."""


class Managed(msgspec.Struct, frozen=True):
    """A subscription as its owner sees it; ``address`` is masked."""

    channel: str
    address: str
    state: str
    chosen: Chosen
    paced: Paced


def managed(view: PageView, row: SubscriberRow) -> Managed:
    """Return what a subscriber's own page shows. What the page has no more is passed over: no filter can mean it."""
    timing = paced(row.pace, view.settings.timezone)
    return Managed(row.channel, row.address, row.state, _chosen(view, row.filter), timing)


def _chosen(view: PageView, wanted: Filter) -> Chosen:
    if wanted.cells is None:
        return msgspec.structs.replace(EVERYTHING, min_impact=wanted.min_impact, kinds=frozenset(wanted.kinds))
    offered = set(_values(board(view, {})))
    others = [_choice(view, cell) for cell in wanted.cells if _value(cell) not in offered and _is_known(view, cell)]
    cells = frozenset(map(_value, wanted.cells))
    return Chosen(False, cells, others, wanted.min_impact, frozenset(wanted.kinds))


def _values(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the values of the boxes that the form's tree has (``choices`` in ``parts.html``)."""
    for row in all_rows(rows):
        yield row.id
        if len(row.regions) > 1:
            yield from (f"{row.id}/{region.id}" for region in row.regions)


def _value(cell: Cell) -> str:
    return cell.component if cell.region is None else f"{cell.component}/{cell.region}"


def _is_known(view: PageView, cell: Cell) -> bool:
    return cell.component in view.components and cell.region in {None, *(region.id for region in view.regions)}


def _choice(view: PageView, cell: Cell) -> Choice:
    """Return the box of a cell that the tree has none for: a whole group in one region, for example."""
    names = {region.id: region.name for region in view.regions}
    name = view.components[cell.component].definition.name
    return Choice(_value(cell), name if cell.region is None else f"{name}: {names[cell.region]}")
