"""Asks the ledger what the rules of ``timing`` and ``storm`` need to know of an endpoint, and only where they need it."""

from collections.abc import Sequence

from msgspec.structs import replace

from consumers.delivery import storm as storms
from consumers.delivery import timing
from consumers.delivery.ledger_rules import LEFT
from consumers.delivery.queue import DeliveryQueue, Entry
from consumers.delivery.storm import Storm
from consumers.delivery.timing import Hold, Past
from schemas.events import Micros, Notice, Pace
from schemas.vocabulary import NotificationState

_MOST = 500
"""Incidents that are looked back at, and notifications that one message combines."""
_HELD_FOR: Micros = 2 * 86_400 * 1_000_000
"""How long ago something may have been published that left only now: held until a digest, and by quiet hours after that."""


class Pacing:
    """Says whether an entry goes out now, by the pace of its subscriber and by the storm guard of the page's owner."""

    def __init__(self, queue: DeliveryQueue, storm: Storm | None) -> None:
        self._queue = queue
        self._storm = storm

    def hold(
        self, entry: Entry, notice: Notice, pace: Pace | None, now: Micros, *, combines: bool, together: Sequence[Entry]
    ) -> Hold | None:
        """Return up to when an entry is held, None where it goes out now; ``together`` go with it as one message.

        ``combines`` says that the channel can do that.
        """
        if pace is None and (self._storm is None or not combines):
            return None
        if entry.state == NotificationState.IN_DOUBT or not timing.may_wait(notice):
            return None  # what may have arrived is asked again: that is no second message
        found = []
        if pace is not None:
            past = self._past(entry, notice, pace, now, together) if combines else None
            found.append(timing.hold(pace, notice, now, past))
        if combines and self._storm is not None:
            found.append(self._stormy(self._storm, entry, now, together))
        held = max((one for one in found if one is not None), key=lambda one: one.until, default=None)
        if held is None and pace is not None and combines and not (together or entry.held_until):
            return self._company(entry, notice, pace, now)
        return held

    def is_calm(self, page: str, now: Micros) -> bool:
        """Return whether there is no storm on a page: whoever wants to be told at once is held by nothing else."""
        storm = self._storm
        return storm is None or len(self._queue.lately(page, now - storm.within, storm.incidents)) < storm.incidents

    def may_combine(self, pace: Pace | None) -> bool:
        """Return whether what was put off for a subscriber goes out together."""
        return pace is not None or self._storm is not None

    def waiting(self, page: str, subscriber: str, now: Micros) -> list[Entry]:
        """Return what was put off for an endpoint and may go out with something that is due."""
        return self._queue.held(page, subscriber, now, _MOST)

    def _company(self, entry: Entry, notice: Notice, pace: Pace, now: Micros) -> Hold | None:
        """Return a hold for no time where others wait that are due too: then it is one message."""
        if timing.gets_through(pace, notice) or not self.waiting(entry.page, entry.subscriber, now):
            return None
        return Hold(now, "goes together with what waits for the same endpoint")

    def _past(self, entry: Entry, notice: Notice, pace: Pace, now: Micros, together: Sequence[Entry]) -> Past:
        untold = notice.published_at if pace.digest is None else self._untold_since(entry, notice)
        if not pace.minimum_gap:
            return Past(untold)
        span = pace.minimum_gap * 1_000_000
        mine, others = self._neighbours(entry, now - span - _HELD_FOR, now, together)
        return Past(untold, max((one.at for one in storms.left(mine, others)), default=None))

    def _untold_since(self, entry: Entry, notice: Notice) -> Micros:
        since = notice.published_at
        before = [one for one in self._queue.thread(entry.page, entry.subject, entry.subscriber) if one.seq < entry.seq]
        for older in reversed(before):
            if older.state in LEFT:
                break
            since = min(since, self._queue.published(entry.page, entry.subject, older.update).published_at)
        return since

    def _stormy(self, storm: Storm, entry: Entry, now: Micros, together: Sequence[Entry]) -> Hold | None:
        if self.is_calm(entry.page, now):
            return None
        mine, others = self._neighbours(entry, now - storm.within, now, together)
        return storms.hold(storm, mine, others, now, together)

    def _neighbours(
        self, entry: Entry, since: Micros, now: Micros, together: Sequence[Entry]
    ) -> tuple[Entry, list[Entry]]:
        """Return the entry as the ledger has it now, and the endpoint's others of all that was published since then."""
        mine = replace(entry, at=now)
        apart = {one.notification for one in together}
        others: list[Entry] = []
        for one in self._queue.threads(entry.page, entry.subscriber, self._queue.lately(entry.page, since, _MOST)):
            if one.notification == entry.notification:
                mine = one
            elif one.notification not in apart:
                others.append(one)
        return mine, others
