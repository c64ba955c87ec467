"""Sign-ups and what ends them: keys first, then events. Knows no HTTP and no mail.

The answer to a stranger is the same whether an address is known or not: each sign-up is a new subscriber, and the one
that is confirmed replaces the others of its address.
"""

import asyncio
import logging
import secrets
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import msgspec

from producers.commands.addresses import Address, Sealed
from producers.commands.deps import AT_ONCE, Standing
from producers.commands.desk import Desk, unavailable, used_otherwise
from producers.commands.sight import require_private
from schemas.events import (
    AnyEvent,
    AudienceAssigned,
    Event,
    EventData,
    Filter,
    Pace,
    PaceChosen,
    SubscriberAdded,
    SubscriberRemoved,
)
from schemas.ids import derive, random_id
from schemas.shapes import decoder
from schemas.vocabulary import Audience
from streams.keys.vault import ErasedError, Vault
from streams.log.port import LogUnavailableError
from streams.runtime.links import Ticket
from streams.runtime.problems import ProblemError, invalid, not_found
from streams.runtime.signup import confirmation, departure_id

P = ParamSpec("P")
T = TypeVar("T")
_log = logging.getLogger(__name__)
_SECRET_BYTES = 32


@dataclass(frozen=True)
class Wish:
    """A sign-up: ``id`` is random, or depends on the sender's key (``keyed``) so that its repeat is found.

    ``behind`` is the confirmed subscriber who adds another address of theirs. That somebody is of an internal ``audience`` only an
    operator says.
    """

    id: str
    keyed: bool
    page: str
    address: Address
    filter: Filter
    confirmed: bool
    operator: str | None
    pace: Pace = AT_ONCE
    behind: str = ""
    audience: Audience = Audience.PUBLIC

    @property
    def subscriber(self) -> str:
        """The id of the subscriber; it says nothing of the address."""
        return derive("subscriber", self.id)

    @property
    def actor(self) -> str:
        """Who signs up."""
        return self.operator or f"subscriber:{self.subscriber}"


@dataclass(frozen=True)
class SignedUp:
    """A subscriber that was added; ``secret`` is empty but for webhooks."""

    subscriber: str
    confirmed: bool
    secret: str


class SignUps:
    """Adds, confirms, removes and erases subscribers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._confirming = asyncio.Lock()

    async def add(self, wish: Wish) -> SignedUp:
        """Add a subscriber.

        Raises ProblemError 400 for a channel on which an operator has to vouch and none does, and where everybody would read
        what is internal; 422 for a key that was used for something else.
        """
        self._require_vouched(wish)
        require_private(self._desk.deps.doors.get(wish.address.channel), wish.audience)
        before = await self._desk.find(added_id(wish.page, wish.subscriber)) if wish.keyed else None
        return await self._added(wish) if before is None else await self._repeated(before, wish)

    async def confirm(self, ticket: Ticket) -> None:
        """Make a subscriber active in place of the others of its address; doing it again does no harm.

        Raises ProblemError 410 for one that has left, and for one that was replaced: it must not replace its successor.
        """
        page, subscriber = ticket.page, ticket.subscriber
        async with self._confirming:
            if await self._settled(page, subscriber) is Standing.CONFIRMED:
                return
            now = self._desk.deps.clock()
            await self._desk.publish(await unlocked(confirmation, self._vault, page, subscriber, now))

    async def require_standing(self, ticket: Ticket) -> None:
        """Raise ProblemError 410 where a subscriber has left, was replaced or was erased."""
        await self._settled(ticket.page, ticket.subscriber)

    async def _settled(self, page: str, subscriber: str) -> Standing | None:
        """Return whether the subscription was confirmed before; raises ProblemError 410 where it cannot be any more."""
        standing = await self._desk.standing(page, subscriber)
        ended = standing is Standing.ENDED or not await self._has_key(subscriber)
        if ended or await self._desk.find(departure_id(page, subscriber)):
            raise _gone("This subscription has ended. Please sign up again.")
        if standing is Standing.REPLACED or await self._is_replaced(page, subscriber):
            raise _gone("Another sign-up of the same address was confirmed instead of this one.")
        if (
            standing in (None, Standing.WAITING)
            and await self._desk.find(derive("confirm", page, subscriber)) is not None
        ):
            return Standing.CONFIRMED
        return standing

    async def leave(self, ticket: Ticket) -> None:
        """Remove a subscriber at its own wish; doing it again does no harm."""
        page, subscriber = ticket.page, ticket.subscriber
        removed = SubscriberRemoved(subscriber, "unsubscribed")
        identifier = departure_id(page, subscriber)
        await self._desk.publish([self._event(identifier, page, f"subscriber:{subscriber}", removed)])

    async def choose_pace(self, page: str, subscriber: str, pace: Pace, actor: str) -> None:
        """Tell a subscriber at another pace from now on. Raises ProblemError 404, and 410 for one that has left."""
        await self._require_here(page, subscriber)
        await self._desk.publish([self._event(random_id(), page, actor, PaceChosen(subscriber, pace))])

    async def assign(self, page: str, subscriber: str, audience: Audience, actor: str) -> None:
        """Have a subscriber belong to an audience from now on.

        Raises ProblemError 400 where everybody would read what is internal, 404, and 410 for one that has left.
        """
        await self._require_here(page, subscriber)
        if (known := await self._desk.known(page, subscriber)) is not None:
            require_private(self._desk.deps.doors.get(known.channel), audience)
        await self._desk.publish([self._event(random_id(), page, actor, AudienceAssigned(subscriber, audience))])

    async def _require_here(self, page: str, subscriber: str) -> None:
        if not await self._has_key(subscriber):
            raise not_found("subscriber")
        gone = await self._desk.standing(page, subscriber) in (Standing.ENDED, Standing.REPLACED)
        if gone or await self._desk.find(departure_id(page, subscriber)) is not None:
            raise _gone("This subscription has ended.")

    async def erase(self, page: str, subscriber: str, actor: str) -> None:
        """Erase a person: this subscriber and all others of the same address. Raises ProblemError 404."""
        if not await self._has_key(subscriber):
            raise not_found("subscriber")
        # The one that was named goes last: until then a repeat finds the others.
        everyone = [*await unlocked(self._vault.siblings, subscriber), subscriber]
        await self._desk.publish(
            [self._event(derive("erase", page, one), page, actor, SubscriberRemoved(one, "erased")) for one in everyone]
        )
        for one in everyone:
            await unlocked(self._vault.erase, one)

    @property
    def _vault(self) -> Vault:
        return self._desk.deps.vault

    def _require_vouched(self, wish: Wish) -> None:
        """Refuse what nobody could ever confirm: the promise that no address is told unasked holds on every channel."""
        door = self._desk.deps.doors.get(wish.address.channel)
        by_code = door is not None and door.codes_a_day and wish.behind
        if door is not None and door.by_operator and not by_code and not (wish.confirmed and wish.operator):
            raise invalid("confirmed", "must be true: on this channel only an operator adds subscribers")

    async def _added(self, wish: Wish) -> SignedUp:
        plain = Sealed(wish.address.text, new_secret() if wish.address.channel == "webhook" else "")
        sealed = await unlocked(self._seal, wish, msgspec.json.encode(plain))
        subscriber = wish.subscriber
        data = SubscriberAdded(
            subscriber,
            wish.address.channel,
            sealed,
            wish.filter,
            wish.confirmed,
            "operator" if wish.operator else "public",
            wish.audience,
        )
        events = [self._event(added_id(wish.page, wish.subscriber), wish.page, wish.actor, data)]
        if wish.pace != AT_ONCE:
            chosen = PaceChosen(subscriber, wish.pace)
            events.append(self._event(derive("pace", wish.page, subscriber), wish.page, wish.actor, chosen))
        if wish.confirmed:
            events += await self._replacing(wish)
        [(_, duplicate), *_] = await self._desk.publish(events)
        if duplicate and (first := await self._desk.find(added_id(wish.page, wish.subscriber))) is not None:
            return await self._repeated(first, wish)
        return SignedUp(subscriber, wish.confirmed, plain.secret)

    async def _repeated(self, before: AnyEvent, wish: Wish) -> SignedUp:
        data = before.data
        assert isinstance(data, SubscriberAdded), "its id is made of a subscriber's"
        try:
            plain = await unlocked(self._vault.open, data.subscriber, data.address)
        except ErasedError:
            raise _gone("This subscriber was erased.") from None
        known = decoder(Sealed).decode(plain)
        chosen = await self._desk.find(derive("pace", wish.page, wish.subscriber))
        pace = chosen.data.pace if chosen is not None and isinstance(chosen.data, PaceChosen) else AT_ONCE
        said = (data.channel, known.address, data.filter, data.confirmed, pace, data.audience)
        if said != (wish.address.channel, wish.address.text, wish.filter, wish.confirmed, wish.pace, wish.audience):
            raise used_otherwise()
        return SignedUp(data.subscriber, data.confirmed, known.secret)

    def _seal(self, wish: Wish, plain: bytes) -> bytes:
        self._vault.create(wish.subscriber, wish.address.lookup(wish.page))
        return self._vault.seal(wish.subscriber, plain)

    async def _replacing(self, wish: Wish) -> list[AnyEvent]:
        """Return what removes the others of an address that an operator vouches for."""
        now = self._desk.deps.clock()
        made = await unlocked(confirmation, self._vault, wish.page, wish.subscriber, now)
        removals = [event for event in made if isinstance(event.data, SubscriberRemoved)]
        return [msgspec.structs.replace(event, actor=wish.actor) for event in removals]

    async def _is_replaced(self, page: str, subscriber: str) -> bool:
        for other in await unlocked(self._vault.siblings, subscriber):
            if await self._desk.find(derive("replace", page, subscriber, other)) is not None:
                return True
        return False

    async def _has_key(self, subscriber: str) -> bool:
        try:
            await unlocked(self._vault.seal, subscriber, b"")
        except ErasedError:
            return False
        return True

    def _event(self, identifier: str, page: str, actor: str, data: EventData) -> AnyEvent:
        now = self._desk.deps.clock()
        return Event(identifier, page, now, now, actor, None, None, False, data)


async def unlocked(ask: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Ask the key store, which may wait for the disk; raises ErasedError, and ProblemError 503 for whatever ails it.

    Where ``ask`` looks into the log as well, LogUnavailableError goes through.
    """
    try:
        return await asyncio.to_thread(ask, *args, **kwargs)
    except (ErasedError, LogUnavailableError):
        raise
    except Exception as error:  # a store that fails is no fault of the request: nothing was stored, try again
        _log.error("the key store failed: %s", type(error).__name__)
        raise unavailable() from error


def _gone(detail: str) -> ProblemError:
    return ProblemError(410, "No longer valid", detail)


def new_secret() -> str:
    """Return a signing secret as Standard Webhooks writes it."""
    return "whsec_" + b64encode(secrets.token_bytes(_SECRET_BYTES)).decode("ascii")


def added_id(page: str, subscriber: str) -> str:
    """Return the id of the event that adds a subscriber."""
    return derive("subscribe", page, subscriber)
