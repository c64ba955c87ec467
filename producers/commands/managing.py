"""What subscribers do to their own subscription, by the signed link of a mail: events, once the link is still good for something.

Knows no HTTP. Whoever holds the link was sent it at the subscriber's address; it is worth nothing once they have left,
were replaced, or were erased.
"""

import logging

from producers.commands.addresses import Address
from producers.commands.desk import Desk
from producers.commands.sign_up import SignUps, unlocked
from schemas.events import (
    AnyEvent,
    ConfirmationRequested,
    Event,
    EventData,
    Filter,
    Pace,
    PaceChosen,
    SubscriberChanged,
    SubscriberPaused,
)
from schemas.ids import derive, random_id
from streams.runtime.links import Ticket
from streams.runtime.problems import ProblemError

_log = logging.getLogger(__name__)


class Managing:
    """Changes, pauses, and mails links. Raises ProblemError 410 for a link that is used up, and 503."""

    def __init__(self, desk: Desk, sign_ups: SignUps) -> None:
        self._desk = desk
        self._sign_ups = sign_ups

    async def change(self, ticket: Ticket, wanted: Filter) -> None:
        """Have a subscriber hear of something else from now on."""
        await self._say(ticket, SubscriberChanged(ticket.subscriber, wanted))

    async def choose_pace(self, ticket: Ticket, pace: Pace) -> None:
        """Tell a subscriber at another pace from now on."""
        await self._say(ticket, PaceChosen(ticket.subscriber, pace))

    async def pause(self, ticket: Ticket, *, paused: bool) -> None:
        """Have a subscriber hear of nothing until they want to again, or of what they chose again."""
        await self._say(ticket, SubscriberPaused(ticket.subscriber, paused))

    async def mail_link(self, page: str, address: Address) -> None:
        """Have whoever is subscribed with this address mailed the link; nobody learns whether there was anybody.

        Raises nothing: it runs when the answer is given.
        """
        try:
            owners = await unlocked(self._desk.deps.vault.find, address.lookup(page))
            events = [self._request(page, owner) for owner in owners if await self._stands(page, owner)]
            if events:
                await self._desk.publish(events)
        except ProblemError as error:
            _log.error("a link could not be mailed: %s", error.title)

    async def _stands(self, page: str, subscriber: str) -> bool:
        try:
            await self._sign_ups.require_standing(Ticket(page, subscriber))
        except ProblemError as error:
            if error.status != 410:
                raise
            return False
        return True

    async def _say(self, ticket: Ticket, data: EventData) -> None:
        await self._sign_ups.require_standing(ticket)
        await self._desk.publish([self._event(random_id(), ticket.page, ticket.subscriber, data)])

    def _request(self, page: str, subscriber: str) -> AnyEvent:
        attempt = random_id()
        data = ConfirmationRequested(subscriber, attempt)
        return self._event(derive("link", page, subscriber, attempt), page, subscriber, data)

    def _event(self, identifier: str, page: str, subscriber: str, data: EventData) -> AnyEvent:
        now = self._desk.deps.clock()
        return Event(identifier, page, now, now, f"subscriber:{subscriber}", None, None, False, data)
