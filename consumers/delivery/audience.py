"""Whom an update is meant for: the rule, cell by cell, and an index that answers it for a million subscribers.

``decide`` is the rule and returns its reason; ``AudienceIndex.match`` must agree with it (a property test holds them
together) and is what the planner asks.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec
from pyroaring import BitMap

from schemas.events import Cell, Change, Filter, Notice
from schemas.vocabulary import IMPACT_OF_STATUS, IMPACT_RANK, Impact, Kind


class Question(msgspec.Struct, frozen=True):
    """The part of a notice that chooses the audience.

    ``reached`` are the changed cells with their impact; a component stands with the groups above it.
    """

    kind: Kind
    reached: list["Reached"]
    impact: Impact


class Reached(msgspec.Struct, frozen=True):
    """A changed cell: its component and the groups above, its region, and how badly it is hit."""

    lineage: list[str]
    region: str | None
    impact: Impact


class Match(msgspec.Struct, frozen=True):
    """A changed cell that a filter reaches. ``chosen`` is the line of the filter that reaches it, None: everything.

    ``weighs`` says that the cell is hit as badly as the filter asks for.
    """

    cell: Reached
    chosen: Cell | None
    weighs: bool

    @property
    def through(self) -> str | None:
        """The group through which the cell is reached; None where it was chosen itself, or everything."""
        own = self.chosen
        return None if own is None or own.component == self.cell.lineage[0] else own.component


class Decision(msgspec.Struct, frozen=True):
    """Whether a subscriber is told, and why or why not: ``matches`` are the changed cells that the filter reaches."""

    told: bool
    reason: str
    wants_kind: bool
    matches: tuple[Match, ...]


def question(notice: Notice, lineage: Callable[[str], list[str]]) -> Question:
    """Return what ``notice`` asks of each filter. A person's impact counts for every cell, else each has its own."""
    reached = [
        Reached(lineage(change.component), change.region, notice.impact if notice.impact_chosen else _impact(change))
        for change in notice.changes
    ]
    return Question(notice.kind, reached, notice.impact)


def _impact(change: Change) -> Impact:
    # An all-clear is as weighty as what it ends.
    return max(IMPACT_OF_STATUS[change.old], IMPACT_OF_STATUS[change.new], key=IMPACT_RANK.__getitem__)


def decide(wanted: Filter, asked: Question) -> Decision:
    """Say whether an active subscriber with this filter is in the audience, and which part of the filter says so."""
    matches = tuple(_matches(wanted, asked))
    if asked.kind not in wanted.kinds:
        return Decision(False, f"does not want to hear of: {asked.kind}", False, matches)
    if asked.kind is Kind.REMINDER:
        return Decision(True, "is an operator", True, matches)
    heavy = next((match for match in matches if match.weighs), None)
    if wanted.cells is None:
        if heavy or (not asked.reached and _weighs(asked.impact, wanted, asked.kind)):
            return Decision(True, "wants to hear of everything", True, matches)
        return Decision(False, f"wants to hear of {wanted.min_impact} impact and worse", True, matches)
    match heavy, matches:
        case Match(chosen=Cell() as own, cell=cell), _:
            return Decision(True, f"chose {_name(own)}, which reaches {_where(cell)}", True, matches)
        case None, (Match(chosen=Cell() as own), *_):
            return Decision(False, f"chose {_name(own)}, but only from {wanted.min_impact} impact", True, matches)
        case _:
            return Decision(False, "chose none of the cells that changed", True, matches)


def _matches(wanted: Filter, asked: Question) -> Iterator[Match]:
    """Yield what of the question the filter reaches: cell by cell, and line by line."""
    for cell in asked.reached:
        weighs = _weighs(cell.impact, wanted, asked.kind)
        if wanted.cells is None:
            yield Match(cell, None, weighs)
        for own in wanted.cells or ():
            if own.component in cell.lineage and own.region in (None, cell.region):
                yield Match(cell, own, weighs)


def _weighs(impact: Impact, wanted: Filter, kind: Kind) -> bool:
    return kind is not Kind.INCIDENT or IMPACT_RANK[impact] >= IMPACT_RANK[wanted.min_impact]


def _name(cell: Cell) -> str:
    return cell.component if cell.region is None else f"{cell.component} in {cell.region}"


def _where(cell: Reached) -> str:
    return cell.lineage[0] if cell.region is None else f"{cell.lineage[0]} in {cell.region}"


class _PageIndex:
    """Bitmaps over one page's active subscribers, who have small numbers in the order of their coming."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.numbers: dict[str, int] = {}
        self.active = BitMap()
        self.everything = BitMap()
        self.by_cell: dict[tuple[str, str | None], BitMap] = defaultdict(BitMap)
        self.by_kind: dict[Kind, BitMap] = defaultdict(BitMap)
        self.by_channel: dict[str, BitMap] = defaultdict(BitMap)
        self.at_most: dict[Impact, BitMap] = {impact: BitMap() for impact in Impact}

    def number(self, subscriber: str) -> int:
        """Return a subscriber's number; a new one is numbered."""
        number = self.numbers.get(subscriber)
        if number is None:
            number = self.numbers[subscriber] = len(self.ids)
            self.ids.append(subscriber)
        return number

    def bitmaps(self, wanted: Filter) -> Iterable[BitMap]:
        """Yield every bitmap that a subscriber with this filter is in."""
        yield self.active
        if wanted.cells is None:
            yield self.everything
        else:
            for cell in wanted.cells:
                yield self.by_cell[cell.component, cell.region]
        for kind in wanted.kinds:
            yield self.by_kind[kind]
        least = IMPACT_RANK[wanted.min_impact]
        for impact, bitmap in self.at_most.items():
            if IMPACT_RANK[impact] >= least:
                yield bitmap


class AudienceIndex:
    """Answers ``decide`` for all active subscribers of a page at once.

    It holds no filters, which weigh more than all the rest of it: whoever changes one says what it was.
    """

    def __init__(self) -> None:
        self._pages: dict[str, _PageIndex] = defaultdict(_PageIndex)

    def set(
        self, page: str, subscriber: str, channel: str, wanted: Filter | None, before: Filter | None = None
    ) -> None:
        """Give a subscriber this filter in the place of the one that was set ``before``; None is no filter at all.

        The ``channel`` of a subscriber never changes.
        """
        if wanted == before:
            return
        index = self._pages[page]
        number = index.number(subscriber)
        index.by_channel[channel].add(number)
        if before is not None:
            for bitmap in index.bitmaps(before):
                bitmap.discard(number)
        if wanted is not None:
            for bitmap in index.bitmaps(wanted):
                bitmap.add(number)

    def match(self, page: str, asked: Question) -> list[str]:
        """Return the ids of all subscribers whom ``decide`` tells, in the order of their coming."""
        return self.ids(page, self.numbers(page, asked))

    def ids(self, page: str, numbers: BitMap) -> list[str]:
        """Return the ids behind numbers, in the order of their coming."""
        ids = self._pages[page].ids
        return [ids[number] for number in numbers]

    def by_channel(self, page: str, numbers: BitMap) -> Iterator[tuple[str, list[str]]]:
        """Yield channels in the order of their names, each with the sorted ids of those whom it reaches."""
        for channel, members in sorted(self._pages[page].by_channel.items()):
            if found := numbers & members:
                yield channel, sorted(self.ids(page, found))

    def numbers(self, page: str, asked: Question) -> BitMap:
        """Return the same as small numbers: the part of ``match`` that does not grow with the audience's ids."""
        index = self._pages[page]
        wants_kind = index.by_kind.get(asked.kind, BitMap())
        if asked.kind is Kind.REMINDER:
            return wants_kind
        if not asked.reached:
            return self._heavy(index, index.everything, asked.impact, asked.kind) & wants_kind
        found = BitMap()
        for cell in asked.reached:
            chose = BitMap.union(index.everything, *_choosers(index, cell.lineage, cell.region))
            found |= self._heavy(index, chose, cell.impact, asked.kind)
        return found & wants_kind

    def wanting(self, page: str, subscribers: Iterable[str], kind: Kind) -> BitMap:
        """Return those of ``subscribers`` who want this kind at all: what is asked of those who were told before."""
        index = self._pages[page]
        known = BitMap(number for one in subscribers if (number := index.numbers.get(one)) is not None)
        return known & index.by_kind[kind]

    def count(self, page: str) -> int:
        """Return the number of active subscribers."""
        return len(self._pages[page].active)

    @staticmethod
    def _heavy(index: _PageIndex, among: BitMap, impact: Impact, kind: Kind) -> BitMap:
        return among & index.at_most[impact] if kind is Kind.INCIDENT else among


def _choosers(index: _PageIndex, lineage: Sequence[str], region: str | None) -> list[BitMap]:
    keys = [(component, where) for component in lineage for where in {None, region}]
    return [index.by_cell[key] for key in keys if key in index.by_cell]
