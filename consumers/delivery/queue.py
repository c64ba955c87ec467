"""What waits to be sent, as senders and reports ask for it: the port. Two engines keep what it reads.

Reads only. What is taken is claimed on the log, and the ledger follows the log. ``tests/contract/queue`` is its other half.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from schemas.events import Micros, Notice
from schemas.vocabulary import NotificationState
from streams.runtime.notified import Notified


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One notification of the ledger. ``seq`` grows with the plans for one endpoint and subject; ``worker`` claimed it last.

    ``held_until`` is up to when it was put off before anything was tried, 0: never.
    """

    notification: str
    page: str
    subject: str
    update: str
    subscriber: str
    channel: str
    shard: int
    state: str
    reason: str
    worker: str
    attempts: int
    at: Micros
    seq: int
    held_until: Micros = 0


class Overtaken(NamedTuple):
    """A notification that waits though a newer update is planned for the same endpoint: ``by`` is the newest one."""

    entry: Entry
    by: str


class Holding(NamedTuple):
    """What became of claims. ``mine`` may be sent; ``blocked`` is ours too and must not be: it is to be given back.

    Blocked is what meanwhile has a newer update behind it, or a sibling in another's hands, or of which that is not known
    yet. Claims of neither kind did not take effect: somebody else was first.
    """

    mine: frozenset[str]
    blocked: frozenset[str]


class Share(msgspec.Struct, frozen=True):
    """The part of a channel's notifications that one of ``count`` senders looks after: number ``index`` of them.

    It only keeps them out of each other's way; who sends what is decided by the claims.
    """

    index: int = 0
    count: int = 1

    def partitions(self, partitions: int) -> list[int]:
        """Return which partitions of the ledger to look at: whole ones, as long as there are enough for all."""
        if self.count <= partitions:
            return list(range(self.index, partitions, self.count))
        return [self.index % partitions]

    def covers(self, shard: int, partitions: int) -> bool:
        """Return whether a shard within these partitions is ours: where senders share a partition, shards part them."""
        mine = self.index % partitions
        together = max(1, len(range(mine, self.count, partitions)))
        return shard % together == self.index // partitions % together


WHOLE = Share()


class DeliveryQueue(Protocol):
    """The ledger as senders and reports read it: what all plans, claims and results folded so far amount to.

    All methods block for a few round trips at the most, whatever waits. They raise LogUnavailableError (embedded) or
    StoreUnavailableError (distributed).
    """

    def next(self, channel: str, now: Micros, limit: int, share: Share = WHOLE) -> list[Entry]:
        """Return up to ``limit`` notifications that may be sent now, in their turn, one for each subject and endpoint.

        The turn of what is tried again is when it is due. That of the first attempt is when it was planned, put off by
        its place among its notice's recipients and brought forward where it is urgent (``plans``), so that a notice for
        ten is not behind one for a million.
        Of what waits for one subject and endpoint it is the newest, and only while none of it is in somebody's hands.
        """

    def overtaken(self, channel: str, limit: int, share: Share = WHOLE) -> list[Overtaken]:
        """Return up to ``limit`` that wait behind a newer one: they are never sent and wait to be recorded so."""

    def held_by(self, worker: str, entries: Sequence[Entry]) -> Holding:
        """Return which of ``entries`` the worker holds."""

    def claimed(self, channel: str, limit: int) -> list[Entry]:
        """Return up to ``limit`` notifications in somebody's hands, the oldest claims first, about."""

    def never_left(self, entries: Sequence[Entry]) -> frozenset[str]:
        """Return those, by id, before which there were messages of the subject for the endpoint and certainly none was sent."""

    def earlier(self, entry: Entry) -> tuple[str, ...]:
        """Return the receipts of what was sent of the subject to the endpoint before, oldest first; most have none."""

    def known(self, page: str, notifications: Sequence[str]) -> Mapping[str, Notified]:
        """Return those of some notifications of a page that were planned, by id; whatever the ids look like."""

    def due_at(self, channel: str) -> Micros | None:
        """Return when the next notification of a channel may be sent, None where nothing waits."""

    def oldest_unsent(self, channel: str) -> Micros | None:
        """Return since when what is next in line waits, of what was never tried and of what is tried again: the older."""

    def held(self, page: str, subscriber: str, now: Micros, limit: int) -> list[Entry]:
        """Return up to ``limit`` that wait for one endpoint since they were put off, or are due again after that.

        Of a subject it is the newest, and only while none of it is in somebody's hands. What waits to be tried again for
        another reason is not among them before it is due.
        """

    def lately(self, page: str, since: Micros, limit: int) -> list[str]:
        """Return up to ``limit`` incidents and maintenances of which something was published since then, newest first."""

    def threads(self, page: str, subscriber: str, subjects: Sequence[str]) -> list[Entry]:
        """Return all that one endpoint was ever to be told of some subjects."""

    def notice(self, entry: Entry) -> Notice:
        """Return what an entry's update has to tell; raises LookupError for one that was never published."""

    def published(self, page: str, subject: str, update: str) -> Notice:
        """Return what an update has to tell; raises LookupError for one that was never published."""

    def thread(self, page: str, subject: str, subscriber: str) -> list[Entry]:
        """Return all that one endpoint was ever to be told of a subject, in the order of the plans."""

    def of_subject(self, page: str, subject: str, after: str | None, limit: int) -> tuple[list[Entry], str | None]:
        """Return up to ``limit`` notifications of an incident or maintenance behind a cursor, and the next cursor.

        Each comes once; those for one endpoint come in the order of their plans. None is the beginning, and the end;
        a strange cursor raises ValueError.
        """

    def in_state(
        self, page: str, state: NotificationState, after: str | None, limit: int
    ) -> tuple[list[Entry], str | None]:
        """Return up to ``limit`` notifications of a page that are in a ``state`` of ``ledger_rules.LISTED``.

        The order is about that of their plans; cursors are as in ``of_subject``.
        """


class Notices:
    """Remembers the notices that were asked for lately: a million notifications share one."""

    def __init__(self, most: int = 500) -> None:
        self._known: dict[str, Notice] = {}
        self._most = most

    def get(self, update: str) -> Notice | None:
        """Return a notice that is remembered."""
        return self._known.get(update)

    def put(self, update: str, notice: Notice) -> Notice:
        """Remember and return a notice."""
        if len(self._known) >= self._most:
            self._known.clear()
        self._known[update] = notice
        return notice
