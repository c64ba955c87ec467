"""Whom an update is meant for: the rule, cell by cell. It knows one filter at a time, and no subscribers.

``decide`` is the rule and returns its reason; ``audience_index`` answers it for a million subscribers at once, and a
property test holds the two together.
"""

from collections.abc import Callable, Iterator

import msgspec

from schemas.events import Cell, Change, Filter, Notice
from schemas.vocabulary import IMPACT_OF_STATUS, IMPACT_RANK, Audience, Impact, Kind

NOT_FOR_THE_PUBLIC = "it is internal, and the subscriber is not"


class Question(msgspec.Struct, frozen=True):
    """The part of a notice that chooses the audience.

    ``reached`` are the changed cells with their impact; a component stands with the groups above it. Of what is for an
    internal ``audience`` nobody else is told.
    """

    kind: Kind
    reached: list["Reached"]
    impact: Impact
    audience: Audience = Audience.PUBLIC


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
    """Whether a subscriber is told, and why or why not: ``matches`` are the changed cells that the filter reaches.

    ``may_be_told`` says that they want this kind at all and belong to those whom it is for: else nothing reaches them, whatever
    they heard before.
    """

    told: bool
    reason: str
    may_be_told: bool
    matches: tuple[Match, ...]


def question(notice: Notice, lineage: Callable[[str], list[str]]) -> Question:
    """Return what ``notice`` asks of each filter. A person's impact counts for every cell, else each has its own."""
    reached = [
        Reached(lineage(change.component), change.region, notice.impact if notice.impact_chosen else _impact(change))
        for change in notice.changes
    ]
    return Question(notice.kind, reached, notice.impact, notice.audience)


def _impact(change: Change) -> Impact:
    # An all-clear is as weighty as what it ends.
    return max(IMPACT_OF_STATUS[change.old], IMPACT_OF_STATUS[change.new], key=IMPACT_RANK.__getitem__)


def decide(wanted: Filter, asked: Question, belongs_to: Audience = Audience.PUBLIC) -> Decision:
    """Say whether an active subscriber with this filter is in the audience, and which part of the filter says so.

    ``belongs_to`` is the subscriber's own audience: internal ones hear of what is public, too.
    """
    matches = tuple(_matches(wanted, asked))
    if asked.kind not in wanted.kinds:
        return Decision(False, f"does not want to hear of: {asked.kind}", False, matches)
    if asked.kind is Kind.REMINDER:
        return Decision(True, "is an operator", True, matches)
    if not is_for(asked.audience, belongs_to):
        return Decision(False, NOT_FOR_THE_PUBLIC, False, matches)
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


def is_for(audience: Audience, belongs_to: Audience) -> bool:
    """Return whether somebody who belongs to an audience may know of what is for ``audience``."""
    return audience is Audience.PUBLIC or belongs_to is Audience.INTERNAL


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
