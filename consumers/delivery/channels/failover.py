"""A channel with several providers: what one certainly did not send, the next one may. It knows no vendor.

Certainly not sent is ``Retry``, and ``Rejected`` for the channel; what may have left is in doubt and no other provider's
affair, and what is refused for its own sake would be refused again. A provider that refuses us rests, is passed over, and is
then tried with one message.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, cast

from msgspec.structs import replace

from consumers.delivery.breaker import FIRST_PAUSE, Breaker, pause
from consumers.delivery.channel import BatchChannel, Channel, Message
from consumers.delivery.conditions import Rest
from consumers.delivery.context import ChannelContext
from consumers.delivery.outcome import InDoubt, Outcome, Rejected, Retry, Scope, Sent
from schemas.events import Micros

_log = logging.getLogger(__name__)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PATIENCE = 5
"""After so many attempts in a row that a provider did not take it rests, too, while another is well: each of them may have cost a timeout."""
_NEXT = timedelta(seconds=1)


class Provider(NamedTuple):
    """One way to send; the name is for reasons."""

    name: str
    channel: Channel


class _Road:
    """A provider, and how it stands."""

    def __init__(self, provider: Provider, heard: Callable[[str, Rest | None], object]) -> None:
        self.name, self.channel = provider
        self.breaker = Breaker()
        self._heard = heard
        self._failures = 0
        self._busy = 0

    def takes(self, now: Micros, wanted: int) -> int:
        """Return how many of ``wanted`` it is given now; one without batches no more than it claims at once."""
        capabilities = self.channel.capabilities
        most = wanted if capabilities.batch > 1 else capabilities.claim
        return min(self.breaker.admits(now, wanted, self._busy), most)

    @contextmanager
    def busy(self, count: int) -> Iterator[None]:
        """Count what is under way."""
        self._busy += count
        try:
            yield
        finally:
            self._busy -= count

    def note(self, outcome: Outcome, now: Micros) -> None:
        """Note how an attempt ended: what was taken, or refused for its own sake, shows that the provider is well."""
        if isinstance(outcome, Retry) and not outcome.attempted:
            return
        if _is_passed_on(outcome):
            self._failures += 1
            if isinstance(outcome, Rejected):
                self.rest(now, outcome.reason, pause(self.breaker.refusals + 1))
            elif isinstance(outcome, Retry) and outcome.after and self.channel.capabilities.waits_together:
                self.rest(now, outcome.reason, outcome.after)
        elif not isinstance(outcome, InDoubt):
            if self.breaker.refusals:
                _log.info("%s is used again", self.name)
                self._heard(self.name, None)
            self._failures = 0
            self.breaker.accepted()

    @property
    def stumbles(self) -> bool:
        """Whether it took nothing for a while, though it did not refuse us either."""
        return self._failures >= _PATIENCE

    def rest(self, now: Micros, reason: str, rest: timedelta) -> None:
        """Pass it over for a while."""
        if not self.breaker.is_open(now):
            _log.warning("%s rests for %d s: %s", self.name, rest.total_seconds(), reason)
            self.breaker.refused(now, now + rest // timedelta(microseconds=1), reason)
            self._heard(self.name, self.breaker.rest(self.name))

    async def send(self, messages: Sequence[Message]) -> Sequence[Outcome]:
        """Try each once."""
        if self.channel.capabilities.batch > 1:
            return await cast(BatchChannel, self.channel).send_all(messages)
        return await asyncio.gather(*(self.channel.send(message) for message in messages))


class FailoverChannel:
    """Implements ``Channel`` and ``BatchChannel``: the first provider that is well is tried first.

    Its addresses and capabilities are the first one's; providers that thread their messages cannot stand in for each other,
    for one cannot reply to what another sent. A receipt begins with the provider's name.
    """

    def __init__(self, providers: Sequence[Provider], context: ChannelContext) -> None:
        first = providers[0].channel
        # Who has a message, if any, is not known of one that is in doubt: nobody can be asked.
        self.capabilities = replace(first.capabilities, asked_after=None)
        self._first = first
        channel = self.capabilities.name
        self._roads = [_Road(provider, lambda name, rest: context.rests(channel, name, rest)) for provider in providers]
        for road in self._roads:
            context.rests(channel, road.name, None)
        self._now = context.now

    def validate(self, address: str) -> str:
        return self._first.validate(address)

    def mask(self, address: str) -> str:
        return self._first.mask(address)

    async def send(self, message: Message) -> Outcome:
        [outcome] = await self.send_all([message])
        return outcome

    async def send_all(self, messages: Sequence[Message]) -> Sequence[Outcome]:
        """Try each once at each provider, until one takes it, refuses it for its own sake, or may have."""
        ended: dict[int, Outcome] = {}
        refusals: dict[int, list[Outcome]] = {number: [] for number in range(len(messages))}
        for road in self._roads:
            left = [number for number in refusals if number not in ended]
            # What may have left by another road is never sent by the next: it is asked again where it is first in line.
            left = [number for number in left if not (messages[number].in_doubt and refusals[number])]
            tried = left[: road.takes(self._micros(), len(left))] if left else []
            for number in left[len(tried) :]:
                refusals[number].append(self._passed_over(road))
            for number, outcome in zip(tried, await self._tried(road, [messages[n] for n in tried]), strict=True):
                if _is_passed_on(outcome):
                    refusals[number].append(_named(road.name, outcome))
                else:
                    ended[number] = _named(road.name, outcome)
        return [ended.get(number) or _together(refusals[number]) for number in range(len(messages))]

    async def close(self) -> None:
        for road in self._roads:
            await road.channel.close()

    async def _tried(self, road: _Road, messages: Sequence[Message]) -> Sequence[Outcome]:
        if not messages:
            return ()
        with road.busy(len(messages)):
            outcomes = await road.send(messages)
        now = self._micros()
        for outcome in outcomes:
            road.note(outcome, now)
        others = [one for one in self._roads if one is not road]
        if road.stumbles and any(one.breaker.refusals == 0 for one in others):
            road.rest(now, "it takes nothing", FIRST_PAUSE)
        return outcomes

    def _passed_over(self, road: _Road) -> Outcome:
        if road.breaker.is_open(self._micros()):
            return Rejected(Scope.CHANNEL, f"{road.name}: rests, {road.breaker.reason}")
        return Retry(f"{road.name}: waits for its turn", _NEXT, attempted=False)

    def _micros(self) -> Micros:
        return (self._now() - _EPOCH) // timedelta(microseconds=1)


def _is_passed_on(outcome: Outcome) -> bool:
    """Whether it is certain that nothing was sent, and another provider may do better."""
    return isinstance(outcome, Retry) or (isinstance(outcome, Rejected) and outcome.scope is Scope.CHANNEL)


def _named(name: str, outcome: Outcome) -> Outcome:
    if isinstance(outcome, Sent):
        return replace(outcome, receipt=f"{name}: {outcome.receipt}" if outcome.receipt else name)
    return replace(outcome, reason=f"{name}: {outcome.reason}")


def _together(refusals: Sequence[Outcome]) -> Outcome:
    """Return what it comes to that nobody sent it: the channel refuses us only where each provider does."""
    reason = "; ".join(str(getattr(each, "reason", "")) for each in refusals)
    retries = [each for each in refusals if isinstance(each, Retry)]
    if not retries:
        return Rejected(Scope.CHANNEL, reason)
    waits = [each.after for each in retries if each.after is not None]
    # Who only waits for a turn was not tried, unless somebody else did try.
    return Retry(reason, min(waits, default=None), attempted=any(each.attempted for each in retries))
