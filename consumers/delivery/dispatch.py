"""One notification's way to its channel: is it still wanted, to which address, in which words, and what came of it."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from random import Random
from typing import cast

import msgspec

from consumers.delivery import timing
from consumers.delivery.ahead import Found, Lookups, Subscribers, is_over
from consumers.delivery.channel import BatchChannel, Channel, ConfirmBy, Message
from consumers.delivery.outcome import Finding, InDoubt, Outcome, Retry, Unknown
from consumers.delivery.plans import ASKED
from consumers.delivery.queue import DeliveryQueue, Entry
from consumers.delivery.reconcile import found
from consumers.delivery.subscribers import ACTIVE, PAUSED, PENDING, Subscriber
from consumers.delivery.timing import Hold
from consumers.delivery.verdicts import (
    Conclusion,
    after_doubt,
    conclude,
    counted_from,
    given_back,
    put_off,
    still_unknown,
)
from schemas import events as e
from schemas.events import AnyEvent, Event, Micros, Notice, Pace
from schemas.ids import derive
from schemas.vocabulary import Kind, NotificationState
from streams.keys.vault import Vault
from streams.runtime.clock import Clock
from streams.runtime.links import Links
from streams.runtime.signup import confirmation

_log = logging.getLogger(__name__)
_FEW = 20
LAPSED = "the sender's lease ran out before it was sent"


def _always(_entry: Entry) -> bool:
    return True


class Policy(msgspec.Struct, frozen=True):
    """What the page's owner decided: ``combined_note`` tells of what was over before it could be told."""

    combined_note: bool = True


class Dispatch:
    """Sends entries of the ledger and says how they ended. Keeps no state."""

    def __init__(
        self,
        queue: DeliveryQueue,
        subscribers: Subscribers,
        vault: Vault,
        links: Links,
        clock: Clock,
        policy: Policy,
    ) -> None:
        self._queue = queue
        self._lookups = Lookups(queue, subscribers, vault)
        self._vault = vault
        self._links = links
        self._clock = clock
        self._policy = policy

    async def send_all(
        self,
        channel: Channel,
        entries: Sequence[Entry],
        random: Random,
        refusals: int = 0,
        may_send: Callable[[Entry], bool] = _always,
    ) -> list[Conclusion]:
        """Try each once, together where there are several, and conclude; whatever goes wrong in here is a conclusion too.

        Of what is in doubt the provider is asked instead, where it can be. At most ``capabilities.batch`` entries.
        ``refusals`` is how often in a row the channel refused us; ``may_send`` is asked right before the first byte.
        """
        if len(entries) > _FEW:  # a thousand take a while, and others want the loop
            prepared = await asyncio.to_thread(self._all_prepared, channel, entries, random)
        else:
            prepared = self._all_prepared(channel, entries, random)
        ready = [
            (entry, one)
            for entry, one in zip(entries, prepared, strict=True)
            if isinstance(one, Message) and may_send(entry)
        ]
        asks = channel.capabilities.asks
        doubted = [(entry, message) for entry, message in ready if asks and message.in_doubt]
        ready = [(entry, message) for entry, message in ready if not (asks and message.in_doubt)]
        outcomes = await self._attempt(channel, [message for _, message in ready]) if ready else []
        findings = await found(channel, [message for _, message in doubted])
        asked = {
            entry.notification: self._asked(channel, entry, message, finding, random, refusals)
            for (entry, message), finding in zip(doubted, findings, strict=True)
        }
        ended = {
            entry.notification: self._ended(channel, entry, message, outcome, random, refusals)
            for (entry, message), outcome in zip(ready, outcomes, strict=True)
        }
        return [
            asked.get(entry.notification) or self._concluded(entry, one, ended.get(entry.notification))
            for entry, one in zip(entries, prepared, strict=True)
        ]

    def _concluded(self, entry: Entry, prepared: Message | Conclusion, ended: Conclusion | None) -> Conclusion:
        if isinstance(prepared, Conclusion):
            found = prepared
        else:
            found = given_back(LAPSED, self._clock()) if ended is None else ended
        return after_doubt(found) if entry.state == NotificationState.IN_DOUBT else found

    def _all_prepared(self, channel: Channel, entries: Sequence[Entry], random: Random) -> list[Message | Conclusion]:
        ahead = self._lookups.ahead(entries)
        return [self._prepared(channel, entry, ahead, random) for entry in entries]

    def _prepared(self, channel: Channel, entry: Entry, ahead: Found, random: Random) -> Message | Conclusion:
        planned_at = entry.at
        try:
            notice = self._queue.notice(entry)
            planned_at = notice.published_at
            return self._message(channel, entry, notice, ahead)
        except Exception as error:  # nothing has left yet, so whatever is wrong: it is tried again, and seen
            _log.exception("notification %s could not be prepared", entry.notification)
            unprepared = Retry(f"it could not be prepared: {type(error).__name__}")
            return self._conclude(channel, entry, unprepared, planned_at, random)

    def _ended(
        self, channel: Channel, entry: Entry, message: Message, outcome: Outcome, random: Random, refusals: int
    ) -> Conclusion:
        notice = message.notice
        ended = self._conclude(channel, entry, outcome, notice.published_at, random, refusals)
        events = self._followers(channel, entry, notice, ended)
        return msgspec.structs.replace(ended, events=events) if events else ended

    def _asked(
        self, channel: Channel, entry: Entry, message: Message, finding: Finding, random: Random, refusals: int
    ) -> Conclusion:
        """Conclude from what the provider says that it has: unlike a second attempt, that ends a doubt either way."""
        if not isinstance(finding, Unknown):
            return self._ended(channel, entry, message, finding, random, refusals)
        return still_unknown(
            finding,
            entry.reason,
            asked_after=channel.capabilities.asked_after or timedelta(0),
            planned_at=message.notice.published_at,
            now=self._clock(),
            random=random,
        )

    def _conclude(
        self, channel: Channel, entry: Entry, outcome: Outcome, planned_at: Micros, random: Random, refusals: int = 0
    ) -> Conclusion:
        return conclude(
            outcome,
            attempts=entry.attempts + 1,
            planned_at=counted_from(entry, planned_at),
            now=self._clock(),
            asks_again=channel.capabilities.idempotent,
            random=random,
            refusals=refusals,
            asked_after=channel.capabilities.asked_after,
        )

    async def _attempt(self, channel: Channel, messages: Sequence[Message]) -> Sequence[Outcome]:
        try:
            if channel.capabilities.batch > 1:
                outcomes = await cast(BatchChannel, channel).send_all(messages)
            else:
                outcomes = [await channel.send(message) for message in messages]
        except Exception as error:  # a channel promises not to raise; if it does, bytes may have left
            return [InDoubt(f"the channel failed: {type(error).__name__}")] * len(messages)
        if len(outcomes) != len(messages):  # nor to answer for others than it was asked
            return [InDoubt("the channel did not say what became of each message")] * len(messages)
        return outcomes

    def _message(self, channel: Channel, entry: Entry, notice: Notice, ahead: Found) -> Message | Conclusion:
        subscriber = self._lookups.subscriber(entry, ahead)
        if subscriber is None or (refusal := _unwanted(subscriber, notice)):
            reason = "the subscriber is unknown" if subscriber is None else refusal
            return Conclusion(NotificationState.SUPPRESSED, reason)
        late = is_over(notice) and self._lookups.is_late(entry, ahead)
        if late and not self._policy.combined_note:
            return Conclusion(NotificationState.SUPPRESSED, "it was over before it could be told")
        if subscriber.pace is not None and (waits := self._held(entry, notice, subscriber.pace)) is not None:
            return put_off(waits.reason, waits.until)
        endpoint = self._lookups.endpoint(subscriber, ahead)
        if endpoint is None:
            return Conclusion(NotificationState.SUPPRESSED, "the address was erased")
        asks = _asks(notice)
        return Message(
            notification=entry.notification,
            notice=notice,
            endpoint=endpoint,
            unsubscribe_url=self._links.unsubscribe_url(entry.page, subscriber.id),
            confirm_url=self._links.confirm_url(entry.page, subscriber.id) if asks else "",
            # Whom the configuration names is no subscriber who chooses.
            manage_url=""
            if asks or notice.kind is Kind.REMINDER
            else self._links.manage_url(entry.page, subscriber.id),
            token=derive("challenge", entry.notification, self._links.secret) if asks else "",
            over=late,
            earlier=self._queue.earlier(entry) if channel.capabilities.threads else (),
            in_doubt=entry.state == NotificationState.IN_DOUBT,
        )

    def _held(self, entry: Entry, notice: Notice, pace: Pace) -> Hold | None:
        if entry.state == NotificationState.IN_DOUBT:  # it may have arrived: asking again is no second message
            return None
        return timing.hold(pace, notice, self._clock())

    def _followers(self, channel: Channel, entry: Entry, notice: Notice, ended: Conclusion) -> tuple[AnyEvent, ...]:
        if ended.condemns:
            now = self._clock()
            data = e.EndpointSuppressed(entry.subscriber, ended.reason)
            return (_event(derive("suppress", entry.notification), entry.page, now, data),)
        sent = ended.state is NotificationState.SENT
        if sent and _asks(notice) and channel.capabilities.confirm_by is ConfirmBy.CHALLENGE:
            # The endpoint echoed its challenge: that is its confirmation.
            return tuple(confirmation(self._vault, entry.page, entry.subscriber, self._clock()))
        return ()


def _unwanted(subscriber: Subscriber, notice: Notice) -> str:
    if _asks(notice):
        return "" if subscriber.state == PENDING else f"the subscriber is {subscriber.state} already"
    if subscriber.state == ACTIVE or (subscriber.state == PAUSED and notice.kind is Kind.CONFIRMATION):
        return ""
    return f"the subscriber is {subscriber.state}" + (f": {subscriber.reason}" if subscriber.reason else "")


def _asks(notice: Notice) -> bool:
    """Whether a notice asks for a confirmation; one that was asked for by its subscriber brings their link."""
    return notice.kind is Kind.CONFIRMATION and notice.status == ASKED


def _event(identifier: str, page: str, now: Micros, data: e.EventData) -> AnyEvent:
    return Event(identifier, page, now, now, "tocsin", None, None, False, data)
