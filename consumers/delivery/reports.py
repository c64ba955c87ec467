"""What operators may ask of delivery: who would be told and why, what became of each notification, who subscribed.

Reads the index, the ledger and the key store; addresses leave it masked.
"""

from collections.abc import Mapping, Sequence

from consumers.delivery import plans
from consumers.delivery.audience import Question, Reached
from consumers.delivery.channel import Channel, Endpoint
from consumers.delivery.queue import DeliveryQueue, Entry
from consumers.delivery.subscriber_book import SubscriberBook
from consumers.delivery.subscribers import Subscriber
from consumers.web.ports import AudienceCount, Delivery, Explanation, Recipient, SubscriberRow
from schemas.events import Cell
from schemas.shapes import decoder
from schemas.vocabulary import Audience, Impact, Kind, NotificationState
from streams.keys.vault import ErasedError, Vault

SAMPLE = 5
GONE = "erased"


class Addresses:
    """Shows sealed addresses masked, as their channel masks them."""

    def __init__(self, vault: Vault, channels: Mapping[str, Channel]) -> None:
        self._vault = vault
        self._channels = channels

    def masked(self, subscriber: Subscriber | None) -> str:
        """Return the masked address, ``erased`` where nothing is left of it."""
        endpoint = self.opened(subscriber)
        if subscriber is None or endpoint is None:
            return GONE
        channel = self._channels.get(subscriber.channel)
        return "***" if channel is None else channel.mask(endpoint.address)

    def opened(self, subscriber: Subscriber | None) -> Endpoint | None:
        """Return the address in clear, None where nothing is left of it. Of all reports, the export alone may show it."""
        if subscriber is None or not subscriber.address:
            return None
        try:
            return decoder(Endpoint).decode(self._vault.open(subscriber.id, subscriber.address))
        except ErasedError:
            return None


class AudienceReport:
    """Answers who would be told, from the deciding code itself."""

    def __init__(self, subscribers: SubscriberBook, addresses: Addresses) -> None:
        self._subscribers = subscribers
        self._addresses = addresses

    def count(
        self, page: str, cells: Sequence[Cell] | None, impact: Impact, audience: Audience = Audience.PUBLIC
    ) -> AudienceCount:
        """Return the audience of an incident on ``cells`` (None: of one that names none) in numbers."""
        index = self._subscribers.index
        numbers = index.numbers(page, self._question(page, cells, impact, audience))
        first = (self._subscribers.subscriber(page, key) for key in index.ids(page, numbers[:SAMPLE]))
        sample = [Recipient(one.id, one.channel, self._addresses.masked(one)) for one in first if one is not None]
        return AudienceCount(len(numbers), index.counts(page, numbers), sample)

    def explain(
        self,
        page: str,
        subscriber: str,
        cells: Sequence[Cell] | None,
        impact: Impact,
        audience: Audience = Audience.PUBLIC,
    ) -> Explanation | None:
        """Say why a subscriber would be told or not; None for an unknown one."""
        known = self._subscribers.subscriber(page, subscriber)
        if known is None:
            return None
        verdict = plans.verdict(known, self._question(page, cells, impact, audience))
        return Explanation(subscriber, verdict.told, verdict.reason)

    def _question(self, page: str, cells: Sequence[Cell] | None, impact: Impact, audience: Audience) -> Question:
        reached = [
            Reached(self._subscribers.lineage(page, cell.component), cell.region, impact) for cell in cells or ()
        ]
        return Question(Kind.INCIDENT, reached, impact, audience)


class DeliveryReport:
    """Lists what became of an incident's notifications."""

    def __init__(self, queue: DeliveryQueue, subscribers: SubscriberBook, addresses: Addresses) -> None:
        self._queue = queue
        self._subscribers = subscribers
        self._addresses = addresses

    def list(self, page: str, subject: str, after: str | None, limit: int) -> tuple[Sequence[Delivery], str | None]:
        """Return notifications behind a cursor, those of one endpoint in the order of their planning.

        A strange cursor raises ValueError.
        """
        entries, more = self._queue.of_subject(page, subject, after, limit)
        return [self._delivery(entry) for entry in entries], more

    def in_state(
        self, page: str, state: NotificationState, after: str | None, limit: int
    ) -> tuple[Sequence[Delivery], str | None]:
        """Return the page's failed notifications, or those in doubt; cursors as in ``list``."""
        entries, more = self._queue.in_state(page, state, after, limit)
        return [self._delivery(entry) for entry in entries], more

    def _delivery(self, entry: Entry) -> Delivery:
        known = self._subscribers.subscriber(entry.page, entry.subscriber)
        return Delivery(
            notification=entry.notification,
            subject=entry.subject,
            subscriber=entry.subscriber,
            channel=entry.channel,
            address=self._addresses.masked(known),
            state=NotificationState(entry.state),
            at=entry.at,
            reason=entry.reason,
            attempts=entry.attempts,
            suppression=None if known is None else known.suppression,
        )


class SubscriberReport:
    """Lists who subscribed."""

    def __init__(self, subscribers: SubscriberBook, addresses: Addresses) -> None:
        self._subscribers = subscribers
        self._addresses = addresses

    def list(
        self, page: str, after: str | None, limit: int, state: str | None = None
    ) -> tuple[Sequence[SubscriberRow], str | None]:
        """Return subscribers behind a cursor in the order of their ids, those in a ``state`` or all."""
        book = self._subscribers
        listed = book.listed_in(page, state, after, limit + 1) if state else book.listed(page, after, limit + 1)
        more = listed[limit - 1].id if len(listed) > limit else None
        return [self._row(one) for one in listed[:limit]], more

    def one(self, page: str, subscriber: str) -> SubscriberRow | None:
        """Return one subscriber, None for an unknown one."""
        found = self._subscribers.subscriber(page, subscriber)
        return None if found is None else self._row(found)

    def _row(self, one: Subscriber) -> SubscriberRow:
        return SubscriberRow(
            one.id,
            one.channel,
            self._addresses.masked(one),
            one.state,
            one.reason,
            one.filter,
            one.created_at,
            one.pace,
            one.suppression,
            one.audience,
        )
