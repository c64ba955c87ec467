"""What a request's messages need to be known of their subscribers: asked with one question each, before they are made.

It decides nothing. Who is not in what it found is asked for alone, by whoever decides: that one's trouble is then its own.
"""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from consumers.delivery.channel import Endpoint
from consumers.delivery.queue import DeliveryQueue, Entry
from consumers.delivery.subscribers import Subscriber
from schemas.events import Notice
from schemas.shapes import decoder
from schemas.vocabulary import IncidentStatus, Kind, MaintenanceStatus
from streams.keys.vault import ErasedError, Vault

_log = logging.getLogger(__name__)
_OVER: dict[str, str] = {Kind.INCIDENT: IncidentStatus.RESOLVED, Kind.MAINTENANCE: MaintenanceStatus.COMPLETED}
"""How what has ended stands, by its kind."""


class Subscribers(Protocol):
    """Looks subscribers up as folded so far."""

    def subscriber(self, page: str, key: str) -> Subscriber | None:
        """Return a subscriber, None where there is none."""

    def active(self, page: str, keys: Sequence[str]) -> Mapping[str, Subscriber]:
        """Return those who are active by id, with one question; of all others ``subscriber`` tells more."""


class Found(NamedTuple):
    """What is known of some entries: active subscribers and where they are reached, by their ids.

    ``late`` are the entries, by id, before which nothing left though there was something to tell; None: it was not asked.
    """

    subscribers: Mapping[str, Subscriber]
    endpoints: Mapping[str, Endpoint]
    late: frozenset[str] | None = None


NOTHING = Found({}, {})


class Lookups:
    """Asks for what messages are made of. Keeps nothing."""

    def __init__(self, queue: DeliveryQueue, subscribers: Subscribers, vault: Vault) -> None:
        self._queue = queue
        self._subscribers = subscribers
        self._vault = vault
        self._endpoint = decoder(Endpoint).decode

    def ahead(self, entries: Sequence[Entry]) -> Found:
        """Look up what can be found at once for ``entries`` of one update; nothing for a single one, or while it fails."""
        if len(entries) < 2:
            return NOTHING
        try:
            known = self._subscribers.active(entries[0].page, [entry.subscriber for entry in entries])
            opened = self._vault.open_all({key: one.address for key, one in known.items()})
            late = self._queue.never_left(entries) if is_over(self._queue.notice(entries[0])) else None
            return Found(known, {key: self._endpoint(plain) for key, plain in opened.items()}, late)
        except Exception:  # whatever it was: each is asked for alone, and what is wrong with one is told of that one
            _log.exception("%s messages could not be prepared together", len(entries))
            return NOTHING

    def of_many(self, entries: Sequence[Entry]) -> Found:
        """Look up the subscribers of entries of any updates, a question for each page; nothing where that fails."""
        pages: dict[str, list[str]] = defaultdict(list)
        for entry in entries:
            pages[entry.page].append(entry.subscriber)
        try:
            known: dict[str, Subscriber] = {}
            for page, keys in pages.items():
                known |= self._subscribers.active(page, list(dict.fromkeys(keys)))
            return Found(known, {})
        except Exception:  # as above
            _log.exception("the subscribers of %s messages could not be looked up together", len(entries))
            return NOTHING

    def is_late(self, entry: Entry, found: Found) -> bool:
        """Whether there were earlier messages of the subject for an entry's endpoint and certainly none of them was sent."""
        late = self._queue.never_left([entry]) if found.late is None else found.late
        return entry.notification in late

    def subscriber(self, entry: Entry, found: Found) -> Subscriber | None:
        """Return an entry's subscriber, None where there is none."""
        known = found.subscribers.get(entry.subscriber)
        return self._subscribers.subscriber(entry.page, entry.subscriber) if known is None else known

    def endpoint(self, subscriber: Subscriber, found: Found) -> Endpoint | None:
        """Return where a subscriber is reached, None where that was erased."""
        known = found.endpoints.get(subscriber.id)
        if known is not None:
            return known
        try:
            return self._endpoint(self._vault.open(subscriber.id, subscriber.address))
        except ErasedError:
            return None


def is_over(notice: Notice) -> bool:
    """Return whether a notice says that what it tells of has ended."""
    return _OVER.get(notice.kind) == notice.status
