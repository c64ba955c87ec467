"""What is in doubt behind a newer update: when its provider is asked about it, and when not at all. It asks nobody and records nothing.

Asking sends nothing, so it neither waits for its turn nor holds up the newer one. But a provider that is asked by the words of
a message may show another of the same words: so nothing is asked before it is known what became of each newer one, and what
those were given as receipts is nobody else's (``Message.others``).
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from random import Random
from typing import NamedTuple

from consumers.delivery import backoff, verdicts
from consumers.delivery.channel import Capabilities
from consumers.delivery.queue import DeliveryQueue, Entry, Overtaken
from schemas.events import Micros
from schemas.vocabulary import NotificationState as State

_MOST = 8
"""Questions at once: they are in no hurry, and what is to be told goes first."""
_NEVER_LEFT = (State.SUPERSEDED, State.SUPPRESSED)
_TAKEN = (State.SENT, State.DELIVERED)


class Sorted(NamedTuple):
    """``ended`` wait in vain and are to be recorded so; ``asked`` is what the provider is asked about now, by request."""

    ended: Sequence[Overtaken]
    asked: Sequence[Sequence[Entry]]


class Doubts:
    """Those of one channel. Keeps what was asked by this process until the ledger knows what came of it."""

    def __init__(self, channel: Capabilities, queue: DeliveryQueue) -> None:
        self._channel = channel
        self._queue = queue
        self._asked: dict[str, Micros] = {}

    def sort(self, overtaken: Sequence[Overtaken], now: Micros, *, may_ask: bool = True) -> Sorted:
        """Tell what waits in vain from what is asked about now, or later. Raises what ``DeliveryQueue`` raises."""
        if not self._channel.asks:
            return Sorted(overtaken, ())
        ended: list[Overtaken] = []
        due: list[Entry] = []
        known = {each.entry.notification for each in overtaken}
        self._asked = {key: at for key, at in self._asked.items() if key in known}
        for each in overtaken:
            match self._verdict(each.entry, now):
                case None:
                    ended.append(each)
                case True if may_ask and len(due) < _MOST * self._channel.batch:
                    due.append(each.entry)
                case _:
                    pass
        groups = list(_by_update(due, self._channel.batch))[:_MOST]
        self._asked |= {entry.notification: entry.at for group in groups for entry in group}
        return Sorted(ended, groups)

    def _verdict(self, entry: Entry, now: Micros) -> bool | None:
        """Return whether it is time to ask; None: it is not asked about at all."""
        # What nobody holds cannot be told as failed, or as never sent: an operator took it up, and then came the newer one.
        if entry.state != State.IN_DOUBT or not entry.worker:
            return None
        if self._asked.get(entry.notification) == entry.at:
            return False
        try:
            published = self._queue.notice(entry).published_at
        except LookupError:  # not folded yet
            return False
        if verdicts.is_late(verdicts.counted_from(entry, published), now):
            return None
        if now < entry.at + _wait(entry, published, self._channel.asked_after or timedelta()):
            return False
        thread = self._queue.thread(entry.page, entry.subject, entry.subscriber)
        return all(_is_certain(one) for one in thread if one.seq > entry.seq)


def _wait(entry: Entry, published: Micros, asked_after: timedelta) -> Micros:
    """Return how long after it came to its state it is asked about: the same however often that is worked out."""
    age = timedelta(microseconds=max(0, entry.at - published))
    crowds = Random(f"{entry.notification}{entry.at}")  # noqa: S311 -- it disperses them, and hides nothing
    return verdicts.micros(backoff.asking(age, asked_after, crowds))


def _is_certain(entry: Entry) -> bool:
    """Whether it is known of a newer one what the provider has of it, and stays so: nothing, or what its receipt names."""
    return bool(entry.reason) if entry.state in _TAKEN else entry.state in _NEVER_LEFT


def _by_update(entries: Iterable[Entry], most: int) -> Iterable[Sequence[Entry]]:
    """Yield what is asked about together: of one update, since what is prepared together tells one thing."""
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.page, entry.update), []).append(entry)
    for group in groups.values():
        yield from (group[start : start + most] for start in range(0, len(group), most))
