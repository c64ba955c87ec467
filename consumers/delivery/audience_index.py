"""The index of audiences: answers ``audience.decide`` for all active subscribers of a page at once. It decides nothing itself.

Bitmaps over cells, kinds and severities of subscribers who have small numbers. It is all that a planner holds of a
subscriber, about 200 bytes: their filter is packed within, and what else is known of them stays where it is stored.

It is not divided by subscribers. Who of a million is meant takes a millisecond or two, so a share of them for each
of several processes would win nothing; the time of planning goes into ids and rows, which plans divide by shard already.
What a division would save is memory, where it is least: one process that plans holds a million subscribers in 200 MB.
"""

from collections.abc import Iterable, Iterator, Sequence

from pyroaring import BitMap

from consumers.delivery.audience import Question
from consumers.delivery.page_index import IMPACTS, STATES, PageIndex, Standing
from schemas.events import Filter
from schemas.vocabulary import Audience, Impact, Kind

_WORST = IMPACTS[-1]


class AudienceIndex:
    """Subscribers of all pages. For one thread that changes it; who asks meanwhile holds it still."""

    def __init__(self) -> None:
        self.pages: dict[str, PageIndex] = {}

    def __len__(self) -> int:
        """Return how many subscribers there are or were, of all pages."""
        return sum(len(index.ids) for index in self.pages.values())

    def put(
        self,
        page: str,
        subscriber: str,
        channel: str,
        state: str,
        wanted: Filter,
        belongs_to: Audience = Audience.PUBLIC,
    ) -> None:
        """Let a subscriber stand so from now on; only ``page_index.ACTIVE`` ones are matched."""
        self.page(page).put(subscriber, channel, state, wanted, belongs_to)

    def withdraw(self, page: str, subscriber: str) -> None:
        """Let it be as if a subscriber had never come."""
        self.page(page).withdraw(subscriber)

    def standing(self, page: str, subscriber: str) -> Standing | None:
        """Return how a subscriber stands, None for a stranger."""
        return self.page(page).standing(subscriber)

    def in_state(self, page: str, state: str) -> list[str]:
        """Return a page's subscribers who stand so (``page_index.STATES``), in no order; from any thread."""
        return self.page(page).in_state(state) if state in STATES else []

    def match(self, page: str, asked: Question) -> list[str]:
        """Return the ids of all subscribers whom ``decide`` tells, in the order of their coming."""
        return self.ids(page, self.numbers(page, asked))

    def ids(self, page: str, numbers: BitMap) -> list[str]:
        """Return the ids behind numbers, in the order of their coming."""
        ids = self.page(page).ids
        return [ids[number] for number in numbers]

    def by_channel(self, page: str, numbers: BitMap) -> Iterator[tuple[str, list[str]]]:
        """Yield channels in the order of their names, each with the sorted ids of those whom it reaches."""
        for channel, members in sorted(self.page(page).by_channel.items()):
            if found := numbers & members:
                yield channel, sorted(self.ids(page, found))

    def counts(self, page: str, numbers: BitMap) -> dict[str, int]:
        """Return by channel how many of these numbers it reaches, in the order of their names."""
        members = sorted(self.page(page).by_channel.items())
        return {channel: found for channel, each in members if (found := numbers.intersection_cardinality(each))}

    def numbers(self, page: str, asked: Question) -> BitMap:
        """Return the same as ``match`` as small numbers: the part of it that does not grow with the audience's ids."""
        index = self.page(page)
        if asked.kind is Kind.REMINDER:
            return _union(index.wanting(Kind.REMINDER, _WORST))
        if not asked.reached:
            impact = _weight(asked.kind, asked.impact)
            return _union(index.wanting(asked.kind, impact, asked.audience, everything=True))
        # Of all cells the worst reaches whoever any of them reaches among those who chose everything.
        worst = max((_weight(asked.kind, cell.impact) for cell in asked.reached), key=IMPACTS.index)
        found = index.wanting(asked.kind, worst, asked.audience, everything=True)
        for cell in asked.reached:
            chose = _union(list(index.choosers(cell.lineage, cell.region)))
            impact = _weight(asked.kind, cell.impact)
            wanting = index.wanting(asked.kind, impact, asked.audience, everything=False)
            found += [chose & members for members in wanting]
        return _union(found)

    def wanting(
        self, page: str, subscribers: Iterable[str], kind: Kind, audience: Audience = Audience.PUBLIC
    ) -> BitMap:
        """Return those of ``subscribers`` who want this kind at all and are of the audience: what is asked of who was told before."""
        index = self.page(page)
        known = BitMap(number for one in subscribers if (number := index.numbers.get(one)) is not None)
        secret = Audience.PUBLIC if kind is Kind.REMINDER else audience
        return _union([known & members for members in index.wanting(kind, _WORST, secret)])

    def count(self, page: str) -> int:
        """Return the number of active subscribers."""
        return sum(map(len, self.page(page).by_head.values()))

    def page(self, page: str) -> PageIndex:
        """Return a page's part; a new page's is empty."""
        index = self.pages.get(page)
        if index is None:
            index = self.pages[page] = PageIndex()
        return index


def _weight(kind: Kind, impact: Impact) -> Impact:
    """Return from which impact on a filter would leave something out: of incidents alone."""
    return impact if kind is Kind.INCIDENT else _WORST


def _union(some: Sequence[BitMap]) -> BitMap:
    return BitMap.union(BitMap(), *some)
