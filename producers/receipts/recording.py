"""From facts to events: what is news of which notification or subscriber. Pure; the ledger's fold has the last word.

Ids depend on what was said: a provider that repeats a request, or one that says a thing in two ways, is one event. What
cannot count any more by what the ledger knows is left out, so that a mail that was sent and arrived is one event and not three.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from producers.receipts.receipt import Fact, What
from schemas import events as e
from schemas.events import AnyEvent, DeliveriesRecorded, DeliveryResult, Event, EventData, Micros
from schemas.ids import derive
from schemas.vocabulary import NotificationState as State
from schemas.vocabulary import Suppression
from streams.runtime.notified import Notified
from streams.runtime.signup import BY_OWNER

MOST_RESULTS = 1_000
_ENDED = frozenset({State.DELIVERED, State.FAILED, State.SUPPRESSED, State.SUPERSEDED})
_CONDEMNED = frozenset({What.FAILED, What.UNREACHED, What.UNREACHABLE})
_OF_THE_ADDRESS = frozenset({What.LEFT, What.COMPLAINED, What.RETURNED})


class Recorded(msgspec.Struct, frozen=True):
    """What one request came to: events to append, and how many facts are news, repeats, or about nothing of ours."""

    events: list[AnyEvent]
    news: int
    repeats: int
    unknown: int


class Recorder:
    """Turns facts of one kind and page into events as of a time. ``known`` and ``owners`` answer for all that they name."""

    def __init__(
        self, page: str, kind: str, now: Micros, known: Mapping[str, Notified], owners: Mapping[str, Sequence[str]]
    ) -> None:
        self._page = page
        self._kind = kind
        self._now = now
        self._known = known
        self._owners = owners

    def record(self, facts: Sequence[Fact]) -> Recorded:
        """Return what facts come to, each key once."""
        by_shard: dict[int, list[tuple[Fact, list[DeliveryResult]]]] = defaultdict(list)
        others: dict[str, AnyEvent] = {}
        repeats = unknown = 0
        once = {(fact.notification, fact.address, fact.key, fact.what): fact for fact in facts}
        for fact in once.values():
            meant = self._meant(fact)
            if not meant:
                unknown += 1
                continue
            results = self._results(fact)
            others |= {event.id: event for subscriber in meant for event in self._consequences(fact, subscriber)}
            if results:
                by_shard[self._known[fact.notification].shard].append((fact, results))
            elif fact.what in (What.ACCEPTED, What.DELIVERED, What.FAILED, What.UNREACHED):
                repeats += 1
        events = [event for shard, said in sorted(by_shard.items()) for event in self._deliveries(shard, said)]
        repeats += len(facts) - len(once)
        return Recorded([*events, *others.values()], len(facts) - repeats - unknown, repeats, unknown)

    def _meant(self, fact: Fact) -> Sequence[str]:
        if fact.address:
            return self._owners.get(fact.address, ())
        known = self._known.get(fact.notification)
        return () if known is None else (known.subscriber,)

    def _results(self, fact: Fact) -> list[DeliveryResult]:
        """Return what may still count of what is said about a notification."""
        known = self._known.get(fact.notification)
        if known is None or fact.what in _OF_THE_ADDRESS or known.state in _ENDED:
            return []
        if fact.what in _CONDEMNED:
            # Nobody but its holder may end what is in hand or in doubt; that it was taken, however, anybody may say.
            taken = [] if known.state is State.SENT else [DeliveryResult(fact.notification, State.SENT, "", None)]
            soft = fact.what is What.UNREACHED
            return [*taken, DeliveryResult(fact.notification, State.FAILED, fact.reason, None, soft=soft)]
        state = State.SENT if fact.what is What.ACCEPTED else State.DELIVERED
        return [] if state is known.state else [DeliveryResult(fact.notification, state, fact.reason, None)]

    def _consequences(self, fact: Fact, subscriber: str) -> Iterator[AnyEvent]:
        about = fact.notification or derive("receipt", self._kind, fact.key, subscriber)
        owner = f"subscriber:{subscriber}"
        match fact.what:
            case What.UNREACHABLE:
                # The sender derives the same id where a provider refuses an address at once.
                bounced = e.EndpointSuppressed(subscriber, fact.reason, Suppression.BOUNCED)
                yield self._event(derive("suppress", about), fact, "tocsin", bounced)
            case What.LEFT | What.COMPLAINED:
                kind = Suppression.OPTED_OUT if fact.what is What.LEFT else Suppression.COMPLAINED
                unwanted = e.EndpointSuppressed(subscriber, fact.reason, kind)
                yield self._event(derive("suppress", about, kind, fact.key), fact, owner, unwanted)
            case What.RETURNED:
                again = e.EndpointReinstated(subscriber, fact.reason, list(BY_OWNER))
                yield self._event(derive("reinstate", about, fact.key), fact, owner, again)
            case _:
                pass

    def _deliveries(self, shard: int, said: list[tuple[Fact, list[DeliveryResult]]]) -> Iterator[AnyEvent]:
        """Yield events of at most ``MOST_RESULTS`` results; what was said of one notification stays in its order."""
        for start in range(0, len(said), MOST_RESULTS // 2):  # a fact has two results at the most
            some = said[start : start + MOST_RESULTS // 2]
            identifier = derive("receipts", self._page, self._kind, str(shard), *(fact.key for fact, _ in some))
            latest = max((fact for fact, _ in some), key=lambda fact: fact.at)
            results = [result for _, each in some for result in each]
            yield self._event(identifier, latest, "tocsin", DeliveriesRecorded(f"receipt:{self._kind}", shard, results))

    def _event(self, identifier: str, fact: Fact, actor: str, data: EventData) -> AnyEvent:
        return Event(identifier, self._page, min(fact.at, self._now), self._now, actor, None, None, False, data)
