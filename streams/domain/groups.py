"""Alerts of one rule and component, as one matter: what they do to cells, and what people were told of it.

Pure bookkeeping. What follows from a change (an update, a draft, silence) is said by ``weigh``.
"""

import msgspec
from msgspec.structs import replace

from schemas.events import Cell, Effect, Micros
from schemas.vocabulary import STATUS_RANK, CellStatus
from streams.domain.rollup import worst

_NONE: dict[CellStatus, int] = {}


class Group(msgspec.Struct, frozen=True, gc=False):
    """An open matter. ``origin`` is its first episode; attachments of an earlier matter have another.

    ``live`` counts episodes by cell key and status; ``told`` is the status that the public was told by cell key,
    ``muted`` the one that an operator decided not to tell, ``drafted`` the one that the waiting draft speaks of;
    ``ever`` are all cells that were ever told of. ``incident`` is None until it is public; ``draft`` is the message
    that waits.
    """

    rule: str
    component: str
    origin: str
    started_at: Micros
    live: dict[str, dict[CellStatus, int]]
    told: dict[str, CellStatus]
    muted: dict[str, CellStatus]
    incident: str | None
    draft: str | None
    drafted: dict[str, CellStatus]
    ever: list[str]


class Attachment(msgspec.Struct, frozen=True, gc=False):
    """What one running episode does: to which matter, which cells, how badly."""

    group: str
    origin: str
    cells: list[str]
    status: CellStatus


class Weighing(msgspec.Struct, frozen=True, gc=False):
    """How a matter differs from what is known of it: cells that are worse, better, and whether all cleared."""

    cleared: bool
    worse: dict[str, CellStatus]
    better: dict[str, CellStatus]


def group_key(rule: str, component: str) -> str:
    """Return the key of the matter of a rule and a component."""
    return f"{rule}/{component}"


def attach(group: Group, cells: list[str], status: CellStatus) -> Group:
    """Count one more episode of ``status`` on ``cells``."""
    return _count(group, cells, status, 1)


def detach(group: Group, cells: list[str], status: CellStatus) -> Group:
    """Count one episode less."""
    return _count(group, cells, status, -1)


def _count(group: Group, cells: list[str], status: CellStatus, by: int) -> Group:
    live = dict(group.live)
    for cell in cells:
        counts = dict(live.get(cell, _NONE))
        count = counts.get(status, 0) + by
        if count > 0:
            counts[status] = count
        else:
            counts.pop(status, None)
        if counts:
            live[cell] = counts
        else:
            live.pop(cell, None)
    return replace(group, live=live)


def standing(group: Group) -> dict[str, CellStatus]:
    """Return the worst status that running episodes give each cell."""
    return {cell: worst(counts) if len(counts) > 1 else next(iter(counts)) for cell, counts in group.live.items()}


def weigh(group: Group) -> Weighing:
    """Compare what runs with what was told or muted."""
    now, told, muted = standing(group), group.told, group.muted
    worse: dict[str, CellStatus] = {}
    better: dict[str, CellStatus] = {}
    for cell in now.keys() | told.keys():
        status = now.get(cell, CellStatus.OPERATIONAL)
        known = told.get(cell, CellStatus.OPERATIONAL)
        if status is known:  # the ordinary case, asked for every alert
            continue
        rank = STATUS_RANK[status]
        if rank < STATUS_RANK[known]:
            better[cell] = status
        elif rank > max(STATUS_RANK[known], STATUS_RANK[muted.get(cell, CellStatus.OPERATIONAL)]):
            worse[cell] = status
    return Weighing(not now, dict(sorted(worse.items())), dict(sorted(better.items())))


def effects_of(cells: dict[str, CellStatus]) -> list[Effect]:
    """Return cells by key as effects, in the order of their keys."""
    return [Effect(cell.component, cell.region, cells[key]) for key, cell in sorted(_cells(cells).items())]


def _cells(cells: dict[str, CellStatus]) -> dict[str, Cell]:
    return {key: cell_of(key) for key in cells}


def cell_of(key: str) -> Cell:
    """Return the cell whose key this is."""
    component, _, region = key.partition("/")
    return Cell(component, region or None)


def with_told(group: Group, cells: dict[str, CellStatus]) -> Group:
    """Remember that the public was told these statuses; an operational cell is forgotten."""
    told = {key: status for key, status in {**group.told, **cells}.items() if status is not CellStatus.OPERATIONAL}
    return replace(group, told=told, ever=sorted({*group.ever, *told}))


def new_group(rule: str, component: str, origin: str, started_at: Micros) -> Group:
    """Return a matter of which nobody knows yet."""
    return Group(rule, component, origin, started_at, {}, {}, {}, None, None, {}, [])
