"""Who wants to hear of what: the fold of ``tocsin.subscriptions``, with the page's tree that filters refer to."""

from collections.abc import Iterator, Mapping

import msgspec
from msgspec.structs import replace

from consumers.delivery import page_index, suppression
from consumers.delivery.suppression import Quarantine
from schemas import events as e
from schemas.events import AnyEvent, Filter, Micros, Pace, PageDefined
from schemas.topics import PAGES, SUBSCRIPTIONS
from schemas.vocabulary import Audience, Suppression
from streams.domain.processor import Output, Processor
from streams.domain.state import State, TableSpec

SUBSCRIBERS, PARENTS, SETTINGS = "subscribers", "parents", "settings"
PENDING, ACTIVE, PAUSED = page_index.PENDING, page_index.ACTIVE, page_index.PAUSED
REMOVED, SUPPRESSED = page_index.REMOVED, page_index.SUPPRESSED
_HERE = (PENDING, ACTIVE, PAUSED, SUPPRESSED)
OF_SUBSCRIBERS = (
    e.SubscriberAdded, e.SubscriberConfirmed, e.SubscriberChanged, e.PaceChosen, e.AudienceAssigned, e.SubscriberPaused,
    e.SubscriberRemoved, e.EndpointSuppressed, e.EndpointReinstated,
)  # fmt: skip
"""The events that change one subscriber, whom they name."""


class Subscriber(msgspec.Struct, frozen=True, gc=False):
    """A subscriber: one endpoint on one channel. ``address`` is sealed, and empty once they are gone.

    ``pace`` is None for who wants to be told at once. ``suppression`` says why who is suppressed is so, and ``before`` in which
    state they were; ``as_of`` is when it happened that they were suppressed or reinstated last. ``audience`` is whom they belong
    to: the public, or those who work here.
    """

    id: str
    channel: str
    address: bytes
    filter: Filter
    state: str
    reason: str
    origin: str
    created_at: Micros
    pace: Pace | None = None
    suppression: Suppression | None = None
    before: str = ""
    as_of: Micros = 0
    audience: Audience = Audience.PUBLIC


def step(state: State, event: AnyEvent, out: Output) -> None:
    """Fold one event."""
    match event.data:
        case e.SubscriberAdded() as added:
            _added(state, event, added, out)
        case e.SubscriberConfirmed(subscriber=key):
            active = {"state": ACTIVE, "reason": "", "suppression": None, "before": ""}
            _move(state, event, key, out, of=(PENDING, SUPPRESSED), to=active)
        case e.SubscriberChanged(subscriber=key, filter=wanted):
            _move(state, event, key, out, of=_HERE, to={"filter": wanted})
        case e.SubscriberPaused(subscriber=key, paused=paused):
            before, after = (ACTIVE, PAUSED) if paused else (PAUSED, ACTIVE)
            _move(state, event, key, out, of=(before,), to={"state": after})
        case e.PaceChosen(subscriber=key, pace=pace):
            chosen = None if pace == Pace() else pace
            _move(state, event, key, out, of=_HERE, to={"pace": chosen})
        case e.AudienceAssigned(subscriber=key, audience=audience):
            _move(state, event, key, out, of=_HERE, to={"audience": audience})
        case e.SubscriberRemoved(subscriber=key, reason=reason):
            gone = {"state": REMOVED, "reason": reason, "address": b""}
            _move(state, event, key, out, of=_HERE, to=gone)
        case e.EndpointSuppressed(subscriber=key) | e.EndpointReinstated(subscriber=key):
            _decided(state, event, key, out)
        case _:
            _of_the_page(state, event, out)


def _of_the_page(state: State, event: AnyEvent, out: Output) -> None:
    """Fold what filters refer to."""
    match event.data:
        case e.ComponentDefined(component=component, parent=parent):
            state[PARENTS].put(event.page, component, parent or "")
        case e.ComponentRemoved(component=component):
            state[PARENTS].delete(event.page, component)
        case PageDefined() as settings:
            state[SETTINGS].put(event.page, "", settings)
        case _:
            out.ignore("not an event of a subscriber")


def _added(state: State, event: AnyEvent, added: e.SubscriberAdded, out: Output) -> None:
    if state[SUBSCRIBERS].get(event.page, added.subscriber) is not None:
        out.ignore("this subscriber was added before")
        return
    subscriber = Subscriber(
        added.subscriber,
        added.channel,
        added.address,
        added.filter,
        ACTIVE if added.confirmed else PENDING,
        "",
        added.origin,
        event.recorded_at,
        audience=added.audience,
    )
    state[SUBSCRIBERS].put(event.page, added.subscriber, subscriber)


def _move(
    state: State, event: AnyEvent, key: str, out: Output, *, of: tuple[str, ...], to: Mapping[str, object]
) -> None:
    known: Subscriber | None = state[SUBSCRIBERS].get(event.page, key)
    if known is None:
        out.ignore("there is no such subscriber")
    elif known.state not in of:
        out.ignore(f"the subscriber is {known.state}")
    else:
        state[SUBSCRIBERS].put(event.page, key, replace(known, **to))


def _decided(state: State, event: AnyEvent, key: str, out: Output) -> None:
    """Fold that an address is suppressed or reinstated, which the rules of suppression may refuse."""
    known: Subscriber | None = state[SUBSCRIBERS].get(event.page, key)
    known_as = None if known is None else Quarantine(known.state, known.suppression, known.before, known.as_of)
    decided = suppression.decide(known_as, event)
    if known is None or isinstance(decided, str):
        out.ignore(str(decided))
        return
    reason = event.data.reason if isinstance(event.data, e.EndpointSuppressed) else ""
    changed = replace(known, reason=reason, **msgspec.structs.asdict(decided))
    state[SUBSCRIBERS].put(event.page, key, changed)


def _wanted_by(event: AnyEvent) -> Iterator[tuple[str, str, str]]:
    if isinstance(event.data, OF_SUBSCRIBERS):
        yield SUBSCRIBERS, event.page, event.data.subscriber


PROCESSOR = Processor(
    name="subscribers",
    topics=(SUBSCRIPTIONS.name, PAGES.name),
    types=frozenset(
        {
            "SubscriberAdded", "SubscriberConfirmed", "SubscriberChanged", "SubscriberPaused", "PaceChosen",
            "AudienceAssigned", "SubscriberRemoved",
            "EndpointSuppressed", "EndpointReinstated", "ComponentDefined", "ComponentRemoved", "PageDefined",
        }
    ),
    tables=(
        TableSpec(SUBSCRIBERS, Subscriber, lazy=True),
        TableSpec(PARENTS, str),
        TableSpec(SETTINGS, PageDefined),
    ),
    step=step,
    prefetch=_wanted_by,
    leisurely=True,
)  # fmt: skip
