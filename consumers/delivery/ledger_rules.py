"""The rules of the ledger: what a plan, a claim and a result do to a notification. Pure; it knows no engine.

A thread is all that one endpoint was ever to be told of one incident, in the order of the plans. Only the newest of a
thread is sent, and only while none of it is in somebody's hands; what waits behind a newer one is overtaken.

Plans and deliveries are two topics, and a fold from nothing may meet a claim before the plan that it belongs to. What such
a claim or result says is kept as ``early`` and moves into its place with the plan: the thread is the same either way.
"""

import msgspec
from msgspec.structs import replace

from schemas.events import DeliveryResult, Micros
from schemas.ids import derive
from schemas.vocabulary import NotificationState as State

_DIGITS = 12
_UPDATE = slice(_DIGITS, 2 * _DIGITS)
_SUBSCRIBER = slice(2 * _DIGITS, None)
_LATER = (State.DELIVERED, State.FAILED)
_WAIT = (State.PLANNED, State.IN_DOUBT)
LEFT = frozenset({State.CLAIMED, State.SENT, State.DELIVERED, State.IN_DOUBT})
"""States in which something may have left."""
LISTED = frozenset({State.FAILED, State.IN_DOUBT})
"""States that are looked for in the whole ledger: what an operator may have sent after all."""
TAKEN = frozenset({State.SENT, State.DELIVERED})
"""States in which the other side certainly took it; the reason is then the receipt that it gave, if it gave one."""


def notification_id(subject: str, update: str, subscriber: str) -> str:
    """Return the id of the notification of an update to a subscriber: the same however often it is planned.

    It begins with the subject and the update and ends with the subscriber, so that a plan in the order of its
    subscribers lies in one place of the ledger's indexes: a million ids at random would dirty every page of them again
    and again.
    """
    return id_prefix(subject, update) + subscriber


def id_prefix(subject: str, update: str) -> str:
    """Return what all notifications of an update begin with."""
    return derive("subject", subject)[:_DIGITS] + derive("notification", update)[:_DIGITS]


def thread_key(notification: str) -> str:
    """Return the key of the thread that a notification belongs to: its subject and subscriber."""
    return notification[:_DIGITS] + notification[_SUBSCRIBER]


def subscriber_of(notification: str) -> str:
    """Return the subscriber that a notification is for."""
    return notification[_SUBSCRIBER]


REDRIVEN = "an operator has it sent after all"


class Item(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One notification. ``due`` is when a sender may take it, None: nobody takes it any more, or somebody has it.

    ``worker`` is who claimed it last; ``at`` is when it came to its ``state``. ``turn`` orders what was never tried among
    all of the channel; None: it was, and its ``due`` does. ``held_until`` is up to when it was put off, 0: never.
    """

    notification: str
    update: str
    planned_at: Micros
    state: State
    reason: str
    worker: str
    attempts: int
    at: Micros
    due: Micros | None
    turn: Micros | None = None
    held_until: Micros = 0


class Thread(msgspec.Struct, frozen=True, array_like=True):
    """What one endpoint is told of one subject: ``planned`` in the order of the plans, ``early`` ones without a plan yet.

    All but ``early`` is empty until the first plan.
    """

    subject: str
    subscriber: str
    channel: str
    shard: int
    planned: tuple[Item, ...]
    early: tuple[Item, ...] = ()

    def find(self, notification: str) -> Item | None:
        """Return one notification, planned or early."""
        return next((one for one in (*self.planned, *self.early) if one.notification == notification), None)

    @property
    def claimed(self) -> list[Item]:
        """What is in somebody's hands."""
        return [one for one in (*self.planned, *self.early) if one.state is State.CLAIMED]

    @property
    def next(self) -> Item | None:
        """The one that may be sent, from its ``due`` on."""
        newest = self.planned[-1] if self.planned else None
        return newest if newest is not None and newest.due is not None and not self.claimed else None

    @property
    def overtaken(self) -> list[Item]:
        """What waits though there is a newer one."""
        return [one for one in self.planned[:-1] if one.due is not None]


EMPTY = Thread("", "", "", 0, ())


def untouched(notification: str) -> Item:
    """Return a notification of which nothing is known but that it is named."""
    return Item(notification, "", 0, State.PLANNED, "", "", 0, 0, 0)


def plan(thread: Thread, item: Item) -> Thread:
    """Add a newly planned ``item`` (``planned_at`` is when it is due); one that is planned already stays as it is."""
    known = thread.find(item.notification)
    if known is None:
        return replace(thread, planned=(*thread.planned, item))
    if known in thread.planned:
        return thread
    placed = replace(known, update=item.update, planned_at=item.planned_at)
    early = tuple(one for one in thread.early if one is not known)
    return replace(thread, planned=(*thread.planned, placed), early=early)


def claim(item: Item, worker: str, at: Micros) -> Item:
    """Let ``worker`` take what waits; a second claim, or one that comes late, changes nothing."""
    if item.due is None:
        return item
    attempts = item.attempts + 1
    return replace(item, state=State.CLAIMED, reason="", worker=worker, attempts=attempts, at=at, due=None, turn=None)


def record(item: Item, worker: str, result: DeliveryResult, at: Micros) -> Item:
    """Note how an attempt of ``worker`` ended, or what is said in the name of one who is gone."""
    if not counts(item.state, result.state, holder=worker == item.worker):
        return item
    reason = item.reason if keeps_receipt(item.state, result.state) else result.reason
    attempts = attempts_after(item.state, item.attempts, result)
    return replace(
        item, state=result.state, reason=reason, attempts=attempts, at=at, due=due_after(result, at), turn=None,
        held_until=max(item.held_until, held_until(item.state, result)),
    )  # fmt: skip


def redrive(item: Item, at: Micros, *, even_in_doubt: bool) -> Item:
    """Take up again what had ended; see ``redriven``. Nobody holds it any more, and its attempts are counted anew."""
    state = redriven(item.state, item.at, item.due, at, even_in_doubt=even_in_doubt)
    if state is None:
        return item
    return replace(item, state=state, reason=REDRIVEN, worker="", attempts=0, at=at, due=at, turn=None, held_until=at)


def redriven(state: State, since: Micros, due: Micros | None, at: Micros, *, even_in_doubt: bool) -> State | None:
    """Return the state from which a notification is taken up again at an operator's wish of time ``at``, None: it is not.

    What failed is planned once more. What is in doubt stays so and is asked again, for an earlier attempt may have arrived. A
    wish is about what it found: what came into its state ``since``, after the wish, is not meant.
    """
    if since > at:
        return None
    if state is State.FAILED:
        return State.PLANNED
    return State.IN_DOUBT if state is State.IN_DOUBT and due is None and even_in_doubt else None


def attempts_after(state: State, attempts: int, result: DeliveryResult) -> int:
    """Return how many attempts there were after a result: a claim counts as one until it is said that nothing was tried."""
    return attempts - 1 if state is State.CLAIMED and not result.attempted else attempts


def held_until(state: State, result: DeliveryResult) -> Micros:
    """Return until when a result puts off what was claimed, 0 where it does not."""
    return result.retry_at or 0 if state is State.CLAIMED and not result.attempted else 0


def keeps_receipt(state: State, result: State) -> bool:
    """Return whether the receipt of what was sent stays as its reason: news of its arrival must not take its place."""
    return state is State.SENT and result is State.DELIVERED


def due_after(result: DeliveryResult, at: Micros) -> Micros | None:
    """Return when a notification that ended so is taken up again; only what waits or is in doubt ever is."""
    match result.state:
        case State.PLANNED:
            return at if result.retry_at is None else result.retry_at
        case State.IN_DOUBT:
            return result.retry_at
        case _:
            return None


def counts(state: State, result: State, *, holder: bool) -> bool:
    """Return whether a result takes effect; ``holder`` says that it comes from who claimed the notification last.

    What reached its end stays there, but for what a provider says later. From anybody but the holder only this counts:
    that it was sent; of what nobody holds, that it is in doubt; of what was only planned, that it is superseded. A sender
    that was paused and comes back must not put to wait, or end, what another has in hand.
    """
    if result is State.CLAIMED:
        return False
    match state:
        case State.CLAIMED:
            return holder or result in TAKEN
        case State.PLANNED:
            return holder or result in (*TAKEN, State.IN_DOUBT, State.SUPERSEDED)
        case State.IN_DOUBT:
            return (holder and result is not State.SUPERSEDED) or result in (*TAKEN, State.IN_DOUBT)
        case State.SENT:
            return result in _LATER
        case _:
            return False


def replaced(thread: Thread, item: Item) -> Thread:
    """Return the thread with ``item`` in the place of its former self; one that is new is early."""

    def swapped(items: tuple[Item, ...]) -> tuple[Item, ...]:
        return tuple(item if one.notification == item.notification else one for one in items)

    if thread.find(item.notification) is None:
        return replace(thread, early=(*thread.early, item))
    return replace(thread, planned=swapped(thread.planned), early=swapped(thread.early))
