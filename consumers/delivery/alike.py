"""The messages of one update to many who want to be told at once: what is the same for all of them is decided once.

It makes no decision of its own: whoever might be told otherwise, or later, or not at all, is left to ``dispatch``, which
decides for each alone. That both make the same of the same entry is a property that is tested.
"""

import logging
from collections.abc import Sequence

from consumers.delivery.ahead import Found, is_over
from consumers.delivery.audience import is_for
from consumers.delivery.channel import Channel, Message
from consumers.delivery.pacing import Pacing
from consumers.delivery.queue import DeliveryQueue, Entry
from consumers.delivery.subscribers import ACTIVE
from schemas.vocabulary import Audience, Kind, NotificationState
from streams.runtime.clock import Clock
from streams.runtime.links import Links

_log = logging.getLogger(__name__)
_TOLD = (Kind.INCIDENT, Kind.MAINTENANCE)
_PLANNED = NotificationState.PLANNED.value


class Alike:
    """Makes messages by the thousand. Keeps nothing."""

    def __init__(self, queue: DeliveryQueue, pacing: Pacing, links: Links, clock: Clock) -> None:
        self._queue = queue
        self._pacing = pacing
        self._links = links
        self._clock = clock

    def messages(
        self, channel: Channel, entries: Sequence[Entry], ahead: Found, *, combined_note: bool
    ) -> dict[str, Message]:
        """Return, by notification, the messages to those of ``entries`` of one update of whom no more need be asked."""
        if not ahead.endpoints:  # looked up for several requests: these are decided one by one anyway
            return {}
        try:
            return self._messages(channel, entries, ahead, combined_note=combined_note)
        except Exception:  # whatever it was: each is prepared alone, and what is wrong with one is told of that one
            _log.exception("%s messages could not be made together", len(entries))
            return {}

    def _messages(
        self, channel: Channel, entries: Sequence[Entry], ahead: Found, *, combined_note: bool
    ) -> dict[str, Message]:
        first, can = entries[0], channel.capabilities
        notice = self._queue.notice(first)
        over, late = is_over(notice), ahead.late or frozenset()
        if notice.kind not in _TOLD or can.threads or can.posts_publicly or (over and ahead.late is None):
            return {}
        if can.combines and not self._pacing.is_calm(first.page, self._clock()):
            return {}
        known, endpoints = ahead.subscribers, ahead.endpoints
        is_public = notice.audience is Audience.PUBLIC
        chosen = [
            (entry, endpoint)
            for entry in entries
            if (endpoint := endpoints.get(entry.subscriber)) is not None
            and (whom := known[entry.subscriber]).pace is None
            and whom.state == ACTIVE
            and (is_public or is_for(notice.audience, whom.audience))
            and entry.state == _PLANNED
            and (combined_note or not over or entry.notification not in late)
        ]
        links = self._links.own_urls(first.page, [entry.subscriber for entry, _ in chosen])
        return {
            entry.notification: Message(
                entry.notification,
                notice,
                endpoint,
                unsubscribe_url,
                manage_url=manage_url,
                over=over and entry.notification in late,
            )
            for (entry, endpoint), (unsubscribe_url, manage_url) in zip(chosen, links, strict=True)
        }
