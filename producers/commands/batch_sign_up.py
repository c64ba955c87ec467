"""Many sign-ups at once: who of them is known, keys for the others, one append. Knows no HTTP and reads no files.

A batch may come again, whole or in part: an address that is subscribed is found by the keyed hash that lies with its key,
and nothing of it is changed. Whoever has left is not signed up again. Nothing of an address is in any id.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto

import msgspec

from producers.commands.addresses import Address, Sealed
from producers.commands.deps import AT_ONCE, Standing
from producers.commands.desk import Desk, unavailable
from producers.commands.sign_up import added_id, new_secret, unlocked
from schemas.events import AnyEvent, Event, EventData, Filter, Pace, PaceChosen, SubscriberAdded, SubscriberRemoved
from schemas.ids import derive, random_id
from schemas.vocabulary import Audience
from streams.log.port import LogUnavailableError
from streams.runtime.signup import departure_id


@dataclass(frozen=True)
class Candidate:
    """One who is to be signed up. ``confirmed`` says that the operator vouches; an empty ``secret`` is made up for webhooks."""

    address: Address = field(repr=False)
    filter: Filter
    confirmed: bool
    secret: str = field(default="", repr=False)
    pace: Pace = AT_ONCE
    audience: Audience = Audience.PUBLIC


class Fate(Enum):
    """What becomes of a candidate."""

    ADDED = auto()
    KNOWN = auto()
    LEFT = auto()


@dataclass(frozen=True)
class Settled:
    """What became of a candidate; ``secret`` is one that was made up."""

    fate: Fate
    subscriber: str
    secret: str = field(default="", repr=False)
    replaces: tuple[str, ...] = ()


class _Owner(Enum):
    """What a key's owner is on the log; ``UNBORN`` has a key and no event, for a crash came between."""

    ACTIVE = auto()
    PENDING = auto()
    LEFT = auto()
    OVER = auto()
    UNBORN = auto()


class BatchSignUps:
    """Signs up many. Batches of one process take turns; two processes should not be given one address at once."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._turn = asyncio.Lock()

    async def add(self, page: str, actor: str, candidates: Sequence[Candidate], *, dry_run: bool) -> list[Settled]:
        """Return what becomes of each, in their order; nothing is stored in a dry run. Raises ProblemError 503."""
        async with self._turn:
            try:
                settled = await unlocked(self._settled, page, candidates)
                new = [pair for pair in zip(candidates, settled, strict=True) if pair[1].fate is Fate.ADDED]
                if new and not dry_run:
                    await self._desk.publish(await unlocked(self._events, page, actor, new))
            except LogUnavailableError:
                raise unavailable() from None
        return settled

    # --- in a thread of its own ---

    def _settled(self, page: str, candidates: Sequence[Candidate]) -> list[Settled]:
        found: list[Settled] = []
        before: dict[str, Settled] = {}
        for candidate in candidates:
            lookup = candidate.address.lookup(page)
            if lookup in before:
                found.append(replace(before[lookup], fate=Fate.KNOWN, secret=""))
                continue
            settled = self._fate(page, candidate, self._owners(page, lookup))
            if settled.fate is Fate.ADDED:
                before[lookup] = settled
            found.append(settled)
        return found

    def _fate(self, page: str, candidate: Candidate, owners: Mapping[_Owner, list[str]]) -> Settled:
        if active := owners.get(_Owner.ACTIVE):
            return Settled(Fate.KNOWN, active[0])
        left, pending = owners.get(_Owner.LEFT), owners.get(_Owner.PENDING, [])
        if pending and (left or not candidate.confirmed):  # who once left is not brought back but by their own wish
            return Settled(Fate.KNOWN, pending[0])
        if left:
            return Settled(Fate.LEFT, left[0])
        [subscriber, *_] = [*owners.get(_Owner.UNBORN, []), random_id()]
        made_up = candidate.address.channel == "webhook" and not candidate.secret
        return Settled(Fate.ADDED, subscriber, new_secret() if made_up else "", tuple(pending))

    def _owners(self, page: str, lookup: str) -> dict[_Owner, list[str]]:
        owners = self._desk.deps.vault.find(lookup)
        found: dict[_Owner, list[str]] = {}
        for owner in owners:
            found.setdefault(self._owner(page, owner, owners), []).append(owner)
        return found

    def _owner(self, page: str, owner: str, owners: Sequence[str]) -> _Owner:
        find, standing = self._desk.deps.find, self._desk.deps.standing(page, owner)
        if standing is Standing.CONFIRMED:
            return _Owner.ACTIVE
        if standing is Standing.ENDED or find(departure_id(page, owner)) is not None:
            return _Owner.LEFT
        over = (derive("erase", page, owner), *(derive("replace", page, owner, other) for other in owners))
        if standing is Standing.REPLACED or any(find(one) is not None for one in over):
            return _Owner.OVER
        added = find(added_id(page, owner))
        if added is None and standing is None:
            return _Owner.UNBORN
        confirmed = added is not None and isinstance(added.data, SubscriberAdded) and added.data.confirmed
        return _Owner.ACTIVE if confirmed or find(derive("confirm", page, owner)) is not None else _Owner.PENDING

    def _events(self, page: str, actor: str, new: Sequence[tuple[Candidate, Settled]]) -> list[AnyEvent]:
        vault, now = self._desk.deps.vault, self._desk.deps.clock()
        vault.create_all({settled.subscriber: candidate.address.lookup(page) for candidate, settled in new})

        def event(identifier: str, data: EventData) -> AnyEvent:
            return Event(identifier, page, now, now, actor, None, None, False, data)

        def events() -> Iterator[AnyEvent]:
            for candidate, settled in new:
                key = settled.subscriber
                plain = Sealed(candidate.address.text, candidate.secret or settled.secret)
                sealed = vault.seal(key, msgspec.json.encode(plain))
                data = SubscriberAdded(
                    key, candidate.address.channel, sealed, candidate.filter, candidate.confirmed, "operator",
                    candidate.audience,
                )  # fmt: skip
                yield event(added_id(page, key), data)
                if candidate.pace != AT_ONCE:
                    yield event(derive("pace", page, key), PaceChosen(key, candidate.pace))
                for other in settled.replaces:
                    yield event(derive("replace", page, other, key), SubscriberRemoved(other, "replaced"))

        return list(events())
