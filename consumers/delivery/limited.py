"""A channel whose destinations have a limit: what is over it is not tried, and waits. What is sent is the channel's own affair.

Where a provider says when it wants to be asked again, and means all of us, nothing more is claimed until then.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import cast

from consumers.delivery.channel import AskableChannel, BatchChannel, Channel, Message
from consumers.delivery.limiter import Limiter
from consumers.delivery.outcome import Finding, Outcome, Retry
from streams.runtime.state_store import StoreUnavailableError

UNKNOWN_FOR = timedelta(seconds=2)
"""The wait where the counts cannot be reached: an open gate would have the provider refuse us."""


class LimitedChannel:
    """Implements ``Channel``, ``BatchChannel`` and ``AskableChannel`` around another that does."""

    def __init__(self, channel: Channel, limiter: Limiter) -> None:
        self._channel = channel
        self._limiter = limiter
        self.capabilities = channel.capabilities

    def validate(self, address: str) -> str:
        return self._channel.validate(address)

    def mask(self, address: str) -> str:
        return self._channel.mask(address)

    async def send(self, message: Message) -> Outcome:
        return self._put_off(message) or self._heard(await self._channel.send(message))

    async def send_all(self, messages: Sequence[Message]) -> Sequence[Outcome]:
        """Send those together whose destinations have room; the others wait, each for its own."""
        if not self._limiter.limits_destinations:
            return self._all_heard(await cast(BatchChannel, self._channel).send_all(messages))
        waiting = {message.notification: found for message in messages if (found := self._put_off(message)) is not None}
        ready = [message for message in messages if message.notification not in waiting]
        outcomes = iter(await cast(BatchChannel, self._channel).send_all(ready) if ready else ())
        return [waiting.get(message.notification) or self._heard(next(outcomes)) for message in messages]

    async def find(self, messages: Sequence[Message]) -> Sequence[Finding]:
        """Ask at once: a question reaches no destination."""
        return await cast(AskableChannel, self._channel).find(messages)

    async def close(self) -> None:
        await self._channel.close()

    def _all_heard(self, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        for outcome in {id(one): one for one in outcomes}.values():  # those of one request are one
            self._heard(outcome)
        return outcomes

    def _heard(self, outcome: Outcome) -> Outcome:
        if self.capabilities.waits_together and isinstance(outcome, Retry) and outcome.attempted and outcome.after:
            self._limiter.close_for(outcome.after)
        return outcome

    def _put_off(self, message: Message) -> Retry | None:
        try:
            wait = self._limiter.wait(message.endpoint.address)
        except StoreUnavailableError as error:
            return Retry(str(error), UNKNOWN_FOR, attempted=False)
        if wait is None:
            return None
        return Retry(
            f"the limit of this destination, {self._limiter.by_destination}, is reached", wait, attempted=False
        )


def limited(channel: Channel, limiter: Limiter) -> Channel:
    """Return the channel, behind the limit of its destinations if there is one, and heeding what its provider says of all."""
    heeds = limiter.limits_destinations or channel.capabilities.waits_together
    return LimitedChannel(channel, limiter) if heeds else channel
