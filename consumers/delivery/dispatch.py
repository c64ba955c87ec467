"""One notification's way to its channel: is it still wanted, to which address, in which words, and what came of it."""

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from random import Random
from typing import TypeAlias, cast

import msgspec

from consumers.delivery.ahead import NOTHING, Found, Lookups, Subscribers, is_over
from consumers.delivery.alike import Alike
from consumers.delivery.audience import NOT_FOR_THE_PUBLIC, is_for
from consumers.delivery.channel import BatchChannel, Channel, ConfirmBy, Message
from consumers.delivery.ledger_rules import TAKEN
from consumers.delivery.outcome import Finding, InDoubt, Outcome, Retry, Sent, Unknown
from consumers.delivery.pacing import Pacing
from consumers.delivery.plans import ASKED
from consumers.delivery.queue import DeliveryQueue, Entry
from consumers.delivery.reconcile import found
from consumers.delivery.render.summary import summary_of
from consumers.delivery.storm import Storm
from consumers.delivery.subscribers import ACTIVE, PAUSED, PENDING, Subscriber
from consumers.delivery.timing import may_wait
from consumers.delivery.together import as_one, was_put_off
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
from schemas.events import AnyEvent, Event, Micros, Notice
from schemas.ids import derive
from schemas.vocabulary import Audience, Kind, NotificationState
from streams.keys.vault import Vault
from streams.runtime.clock import Clock
from streams.runtime.links import CODE_SECONDS, Links
from streams.runtime.signup import confirmation

_log = logging.getLogger(__name__)
# Python 3.11 takes 0.3 microseconds to find a member in its enumeration: these are asked for with each of a million.
_SENT, _IN_DOUBT = NotificationState.SENT, NotificationState.IN_DOUBT
_CONFIRMATION, _REMINDER = Kind.CONFIRMATION, Kind.REMINDER
LAPSED = "the sender's lease ran out before it was sent"


MaySend: TypeAlias = Callable[[Entry], bool]
"""Asked right before the first byte."""


def _always(_entry: Entry) -> bool:
    return True


class Policy(msgspec.Struct, frozen=True):
    """What the page's owner decided: ``combined_note`` tells of what was over before it could be told.

    ``storm`` makes one message of many incidents at once; None: each is told by itself.
    """

    combined_note: bool = True
    storm: Storm | None = None


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
        self._pacing = Pacing(queue, policy.storm)
        self._alike = Alike(queue, self._pacing, links, clock)

    async def send_all(
        self,
        channel: Channel,
        entries: Sequence[Entry],
        random: Random,
        refusals: int = 0,
        may_send: MaySend = _always,
        ahead: Found = NOTHING,
    ) -> list[Conclusion]:
        """Try each once, together where there are several, and conclude; whatever goes wrong in here is a conclusion too.

        Of what is in doubt the provider is asked instead, where it can be. At most ``capabilities.batch`` entries of one
        update, or any of one endpoint (``companions``): those become one message that lists them. ``refusals`` is how often in
        a row the channel refused us; ``may_send`` is asked right before the first byte. What ``ahead`` tells is not asked for.
        """
        if len({entry.update for entry in entries}) > 1:
            return await self._send_several(channel, entries, random, refusals, may_send)
        ahead = self._lookups.ahead(entries) if ahead is NOTHING else ahead
        alike = self._alike.messages(channel, entries, ahead, combined_note=self._policy.combined_note)
        prepared = [alike.get(entry.notification) or self._prepared(channel, entry, ahead, random) for entry in entries]
        ready = _ready(entries, prepared, may_send)
        asks = channel.capabilities.asks
        doubted = [(entry, message) for entry, message in ready if message.in_doubt] if asks else []
        ready = [(entry, message) for entry, message in ready if not message.in_doubt] if doubted else ready
        outcomes = await self._attempt(channel, [message for _, message in ready]) if ready else []
        findings = await found(channel, [message for _, message in doubted])
        asked = {
            entry.notification: self._asked(channel, entry, message, finding, random, refusals)
            for (entry, message), finding in zip(doubted, findings, strict=True)
        }
        ended = self._all_ended(channel, ready, outcomes, random, refusals)
        return [
            asked.get(entry.notification) or self._concluded(entry, one, ended.get(entry.notification))
            for entry, one in zip(entries, prepared, strict=True)
        ]

    def look_ahead(self, entries: Sequence[Entry]) -> Found:
        """Return what is known of the subscribers of several requests."""
        return self._lookups.of_many(entries)

    def companions(self, channel: Channel, chosen: Sequence[Entry]) -> list[Entry]:
        """Return what was put off for the same endpoints as any of ``chosen`` that were: it may go out with them.

        Raises what the queue and the subscribers raise.
        """
        if not channel.capabilities.combines:
            return []
        endpoints = {
            (entry.page, entry.subscriber): entry for entry in chosen if entry.held_until and was_put_off(entry)
        }
        known = {entry.notification for entry in chosen} if endpoints else set()
        return [
            companion
            for (page, key), entry in endpoints.items()
            if self._may_combine(entry)
            for companion in self._pacing.waiting(page, key, self._clock())
            if companion.notification not in known
        ]

    def _may_combine(self, entry: Entry) -> bool:
        try:
            subscriber = self._lookups.subscriber(entry, NOTHING)
        except LookupError:  # not folded yet: each is asked for itself, and tried again
            return False
        return subscriber is not None and self._pacing.may_combine(subscriber.pace)

    async def _send_several(
        self, channel: Channel, entries: Sequence[Entry], random: Random, refusals: int, may_send: MaySend
    ) -> list[Conclusion]:
        """Try entries of one endpoint: as one message those that may be, the rest one by one."""
        together = [entry for entry in entries if self._can_wait(entry)]
        ended: dict[str, Conclusion] = {}
        if len(together) > 1 and self._may_combine(entries[0]):
            conclusions = await self._send_together(channel, together, random, refusals, may_send)
            ended = {entry.notification: one for entry, one in zip(together, conclusions, strict=True)}
        for entry in entries:
            if entry.notification not in ended:
                [ended[entry.notification]] = await self.send_all(channel, [entry], random, refusals, may_send)
        return [ended[entry.notification] for entry in entries]

    def _can_wait(self, entry: Entry) -> bool:
        try:
            return may_wait(self._queue.notice(entry))
        except LookupError:
            return False

    async def _send_together(
        self, channel: Channel, entries: Sequence[Entry], random: Random, refusals: int, may_send: MaySend
    ) -> list[Conclusion]:
        """Try entries of one endpoint as one message that lists them, and conclude each for itself."""
        prepared = [self._prepared(channel, entry, NOTHING, random, entries) for entry in entries]
        ready = _ready(entries, prepared, may_send)
        ended: dict[str, Conclusion] = {}
        if ready:
            messages = [message for _, message in ready]
            message = messages[0] if len(messages) == 1 else summary_of(messages)
            [outcome] = await self._attempt(channel, [message])
            youngest = max((entry for entry, _ in ready), key=lambda entry: entry.held_until)
            first = self._ended(channel, youngest, message, outcome, random, refusals)
            ended = {entry.notification: conclusion for entry, conclusion in as_one([one for one, _ in ready], first)}
        return [
            self._concluded(entry, one, ended.get(entry.notification))
            for entry, one in zip(entries, prepared, strict=True)
        ]

    def _concluded(self, entry: Entry, prepared: Message | Conclusion, ended: Conclusion | None) -> Conclusion:
        if isinstance(prepared, Conclusion):
            found = prepared
        else:
            found = given_back(LAPSED, self._clock()) if ended is None else ended
        return after_doubt(found) if entry.state == _IN_DOUBT else found

    def _prepared(
        self, channel: Channel, entry: Entry, ahead: Found, random: Random, together: Sequence[Entry] = ()
    ) -> Message | Conclusion:
        planned_at = entry.at
        try:
            notice = self._queue.notice(entry)
            planned_at = notice.published_at
            return self._message(channel, entry, notice, ahead, together)
        except Exception as error:  # nothing has left yet, so whatever is wrong: it is tried again, and seen
            _log.exception("notification %s could not be prepared", entry.notification)
            unprepared = Retry(f"it could not be prepared: {type(error).__name__}")
            return self._conclude(channel, entry, unprepared, planned_at, random)

    def _all_ended(
        self,
        channel: Channel,
        ready: Sequence[tuple[Entry, Message]],
        outcomes: Sequence[Outcome],
        random: Random,
        refusals: int,
    ) -> dict[str, Conclusion]:
        """Conclude, by notification; what was sent with one request ended in one way, which is concluded from once."""
        found: dict[str, Conclusion] = {}
        shared: tuple[Outcome, Conclusion] | None = None
        for (entry, message), outcome in zip(ready, outcomes, strict=True):
            if shared is not None and outcome is shared[0]:
                found[entry.notification] = shared[1]
                continue
            one = self._ended(channel, entry, message, outcome, random, refusals)
            shared = (outcome, one) if isinstance(outcome, Sent) and not _asks(message.notice) else None
            found[entry.notification] = one
        return found

    def _ended(
        self, channel: Channel, entry: Entry, message: Message, outcome: Outcome, random: Random, refusals: int
    ) -> Conclusion:
        notice = message.notice
        if isinstance(outcome, Retry) and channel.capabilities.own_servers:
            outcome = msgspec.structs.replace(outcome, soft=True)
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

    def _message(
        self, channel: Channel, entry: Entry, notice: Notice, ahead: Found, together: Sequence[Entry]
    ) -> Message | Conclusion:
        subscriber = self._lookups.subscriber(entry, ahead)
        if subscriber is None or (refusal := _unwanted(subscriber, notice, channel)):
            reason = "the subscriber is unknown" if subscriber is None else refusal
            return Conclusion(NotificationState.SUPPRESSED, reason)
        late = is_over(notice) and self._lookups.is_late(entry, ahead)
        if late and not self._policy.combined_note:
            return Conclusion(NotificationState.SUPPRESSED, "it was over before it could be told")
        combines = channel.capabilities.combines
        waits = self._pacing.hold(entry, notice, subscriber.pace, self._clock(), combines=combines, together=together)
        if waits is not None:
            return put_off(waits.reason, waits.until)
        endpoint = self._lookups.endpoint(subscriber, ahead)
        if endpoint is None:
            return Conclusion(NotificationState.SUPPRESSED, "the address was erased")
        asks = _asks(notice)
        by_code = asks and channel.capabilities.confirm_by is ConfirmBy.CODE
        if by_code and self._clock() >= notice.published_at + CODE_SECONDS * 1_000_000:
            return Conclusion(NotificationState.SUPPRESSED, "its code had expired before it could be sent")
        in_doubt = entry.state == _IN_DOUBT
        return Message(
            notification=entry.notification,
            notice=notice,
            endpoint=endpoint,
            unsubscribe_url=self._links.unsubscribe_url(entry.page, subscriber.id),
            confirm_url=self._links.confirm_url(entry.page, subscriber.id) if asks and not by_code else "",
            code=self._links.code(entry.page, subscriber.id) if by_code else "",
            # Whom the configuration names is no subscriber who chooses.
            manage_url="" if asks or notice.kind is _REMINDER else self._links.manage_url(entry.page, subscriber.id),
            token=derive("challenge", entry.notification, self._links.secret) if asks else "",
            over=late,
            earlier=self._queue.earlier(entry) if channel.capabilities.threads else (),
            in_doubt=in_doubt,
            others=self._others(entry) if in_doubt and channel.capabilities.asks else (),
            combinable=in_doubt and combines and self._pacing.may_combine(subscriber.pace),
        )

    def _others(self, entry: Entry) -> tuple[str, ...]:
        thread = self._queue.thread(entry.page, entry.subject, entry.subscriber)
        return tuple(one.reason for one in thread if one.state in TAKEN and one.reason)

    def _followers(self, channel: Channel, entry: Entry, notice: Notice, ended: Conclusion) -> tuple[AnyEvent, ...]:
        if ended.condemns is not None:
            now = self._clock()
            data = e.EndpointSuppressed(entry.subscriber, ended.reason, ended.condemns)
            return (_event(derive("suppress", entry.notification), entry.page, now, data),)
        sent = ended.state is _SENT
        if sent and _asks(notice) and channel.capabilities.confirm_by is ConfirmBy.CHALLENGE:
            # The endpoint echoed its challenge: that is its confirmation.
            return tuple(confirmation(self._vault, entry.page, entry.subscriber, self._clock()))
        return ()


def _ready(
    entries: Sequence[Entry], prepared: Sequence[Message | Conclusion], may_send: MaySend
) -> list[tuple[Entry, Message]]:
    return [
        (entry, one)
        for entry, one in zip(entries, prepared, strict=True)
        if isinstance(one, Message) and may_send(entry)
    ]


def _unwanted(subscriber: Subscriber, notice: Notice, channel: Channel) -> str:
    if _asks(notice):
        return "" if subscriber.state == PENDING else f"the subscriber is {subscriber.state} already"
    if notice.kind is not _REMINDER and not is_for(notice.audience, subscriber.audience):
        return NOT_FOR_THE_PUBLIC
    if notice.audience is Audience.INTERNAL and channel.capabilities.posts_publicly:
        return "it is internal, and everybody reads what this channel sends"
    if subscriber.state == ACTIVE or (subscriber.state == PAUSED and notice.kind is Kind.CONFIRMATION):
        return ""
    return f"the subscriber is {subscriber.state}" + (f": {subscriber.reason}" if subscriber.reason else "")


def _asks(notice: Notice) -> bool:
    """Whether a notice asks for a confirmation; one that was asked for by its subscriber brings their link."""
    return notice.kind is _CONFIRMATION and notice.status == ASKED


def _event(identifier: str, page: str, now: Micros, data: e.EventData) -> AnyEvent:
    return Event(identifier, page, now, now, "tocsin", None, None, False, data)
