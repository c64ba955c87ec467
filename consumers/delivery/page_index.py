"""One page's subscribers in little memory: their filters packed into words, and bitmaps over those who are active.

A subscriber has a number, in the order of their coming. It knows neither questions nor other pages: see
``audience_index``. What it holds of each is an id, a number, a state, a channel and a filter, and no address.
"""

from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pyroaring import BitMap

from schemas.events import Cell, Filter
from schemas.vocabulary import Audience, Impact, Kind

PENDING, ACTIVE, PAUSED, REMOVED, SUPPRESSED = "pending", "active", "paused", "removed", "suppressed"
STATES = ("", PENDING, ACTIVE, PAUSED, REMOVED, SUPPRESSED)
"""The states by their codes; a subscriber without one was numbered and is not there."""
_CODES = {state: code for code, state in enumerate(STATES)}
_ABSENT, _ACTIVE = STATES.index(""), STATES.index(ACTIVE)
KINDS, IMPACTS = tuple(Kind), tuple(Impact)
"""In the order of their bits and of their ranks."""
_BITS = tuple((kind, 1 << number) for number, kind in enumerate(KINDS))
_INTERNAL, _IMPACT_SHIFT, _EVERYTHING, _COUNT_SHIFT = 1 << 7, 8, 1 << 12, 13
"""The first word of a subscriber: a bit for each kind, whether they are internal, the rank of the impact, whether the filter
is of everything, how many words follow."""
_HEAD = (1 << _COUNT_SHIFT) - 1
_IMPACT = 0xF
_WORTH_SWEEPING = 100_000
"""Words left over from filters that were changed, from which on they may be worth to be swept out."""
_NOTHING = (0,)


class Standing(NamedTuple):
    """How a subscriber stands: channel, state, filter, and whom they belong to."""

    channel: str
    state: str
    filter: Filter
    belongs_to: Audience


class PageIndex:
    """Subscribers of one page. ``words`` holds each one's filter from ``where[number]`` on: a head, then its cells' numbers.

    ``by_head`` are the active ones by what is in the head but for the count: few of all that there could be.
    """

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.numbers: dict[str, int] = {}
        self.states = bytearray()
        self.where = array("I")
        self.words = array("I")
        self.waste = 0
        self.cells: list[Cell] = []
        self.cell_numbers: dict[tuple[str, str | None], int] = {}
        self.by_cell: list[BitMap] = []
        self.by_head: dict[int, BitMap] = {}
        self.by_channel: dict[str, BitMap] = {}

    def put(
        self, subscriber: str, channel: str, state: str, wanted: Filter, belongs_to: Audience = Audience.PUBLIC
    ) -> None:
        """Let a subscriber stand so from now on; their channel never changes."""
        self._set(subscriber, channel, _CODES[state], self.packed(wanted, belongs_to))

    def withdraw(self, subscriber: str) -> None:
        """Let it be as if a subscriber had never come; their number is kept for them."""
        if (number := self.numbers.get(subscriber)) is not None:
            self._set(subscriber, self.channel(number), _ABSENT, _NOTHING)

    def standing(self, subscriber: str) -> Standing | None:
        """Return how a subscriber stands; None for a stranger."""
        number = self.numbers.get(subscriber)
        if number is None or self.states[number] == _ABSENT:
            return None
        words = self._words_of(number)
        belongs_to = Audience.INTERNAL if words[0] & _INTERNAL else Audience.PUBLIC
        return Standing(self.channel(number), STATES[self.states[number]], self.unpacked(words), belongs_to)

    def in_state(self, state: str) -> list[str]:
        """Return the subscribers who stand so, in the order in which they were numbered; from any thread."""
        code = STATES.index(state)
        return [self.ids[number] for number, one in enumerate(bytes(self.states)) if one == code]

    def channel(self, number: int) -> str:
        """Return on which channel a number is reached."""
        return next(channel for channel, members in self.by_channel.items() if number in members)

    def choosers(self, lineage: Sequence[str], region: str | None) -> Iterator[BitMap]:
        """Yield bitmaps of those who chose a cell: the component or a group above it, in its region or in all."""
        for component in lineage:
            for where in {None, region}:
                if (number := self.cell_numbers.get((component, where))) is not None:
                    yield self.by_cell[number]

    def wanting(
        self, kind: Kind, impact: Impact, audience: Audience = Audience.PUBLIC, *, everything: bool | None = None
    ) -> list[BitMap]:
        """Return bitmaps without common members of those who want this kind, this impact or less, and everything or not.

        Of what is for an internal ``audience``, those who are internal.
        """
        secret = audience is Audience.INTERNAL
        bit, rank = 1 << KINDS.index(kind), IMPACTS.index(impact)
        return [
            members
            for head, members in list(self.by_head.items())
            if head & bit
            and (head & _INTERNAL or not secret)
            and (head >> _IMPACT_SHIFT & _IMPACT) <= rank
            and (everything is None or everything == bool(head & _EVERYTHING))
        ]

    def packed(self, wanted: Filter, belongs_to: Audience = Audience.PUBLIC) -> tuple[int, ...]:
        """Return a filter, and whose it is, as words."""
        head, kinds, cells = IMPACTS.index(wanted.min_impact) << _IMPACT_SHIFT, wanted.kinds, wanted.cells
        for kind, bit in _BITS:
            if kind in kinds:
                head |= bit
        if belongs_to is Audience.INTERNAL:
            head |= _INTERNAL
        if cells is None:
            return (head | _EVERYTHING,)
        known = self.cell_numbers
        try:
            numbers = [known[one.component, one.region] for one in cells]
        except KeyError:
            numbers = [self._cell(one) for one in cells]
        return (head | len(numbers) << _COUNT_SHIFT, *numbers)

    def unpacked(self, words: Sequence[int]) -> Filter:
        """Return the filter of these words; its kinds are in the order of their definition."""
        head = words[0]
        cells = None if head & _EVERYTHING else [self.cells[number] for number in words[1:]]
        return Filter(cells, IMPACTS[head >> _IMPACT_SHIFT & _IMPACT], [kind for kind, bit in _BITS if head & bit])

    def sweep(self) -> None:
        """Leave out the words of filters that nobody has any more."""
        kept, where = array("I"), array("I")
        for number in range(len(self.ids)):
            where.append(len(kept))
            kept.extend(self._words_of(number))
        self.words, self.where, self.waste = kept, where, 0

    def _set(self, subscriber: str, channel: str, code: int, words: tuple[int, ...]) -> None:
        number = self.numbers.get(subscriber)
        if number is None:
            number = self._enrol(subscriber, channel, code)
        else:
            before = tuple(self._words_of(number))
            if self.states[number] == code and before == words:
                return
            if self.states[number] == _ACTIVE:
                self._leave(number, before)
            self.waste += len(before)
            self.states[number] = code
            self.where[number] = len(self.words)
        self.words.extend(words)
        if code == _ACTIVE:
            self._join(number, words)
        if self.waste > _WORTH_SWEEPING and self.waste * 2 > len(self.words):
            self.sweep()

    def _enrol(self, subscriber: str, channel: str, code: int) -> int:
        """Give a subscriber a number, for the words that are put next."""
        number = self.numbers[subscriber] = len(self.ids)
        self.ids.append(subscriber)
        self.states.append(code)
        self.where.append(len(self.words))
        members = self.by_channel.get(channel)
        if members is None:
            members = self.by_channel[channel] = BitMap()
        members.add(number)
        return number

    def _join(self, number: int, words: tuple[int, ...]) -> None:
        head = words[0] & _HEAD
        members = self.by_head.get(head)
        if members is None:
            members = self.by_head[head] = BitMap()
        members.add(number)
        by_cell = self.by_cell
        for cell in words[1:]:
            by_cell[cell].add(number)

    def _leave(self, number: int, words: tuple[int, ...]) -> None:
        self.by_head[words[0] & _HEAD].discard(number)
        for cell in words[1:]:
            self.by_cell[cell].discard(number)

    def _cell(self, wanted: Cell) -> int:
        """Return a cell's number; a new one is numbered."""
        key = wanted.component, wanted.region
        number = self.cell_numbers.get(key)
        if number is None:
            self.by_cell.append(BitMap())
            self.cells.append(wanted)
            number = self.cell_numbers[key] = len(self.by_cell) - 1
        return number

    def _words_of(self, number: int) -> "array[int]":
        start = self.where[number]
        return self.words[start : start + 1 + (self.words[start] >> _COUNT_SHIFT)]
