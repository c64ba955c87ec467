"""Endpoints that fail again and again without ever being refused: the rule, and the fold that counts. Pure; it sends nothing.

A *soft* failure is a notification that ended ``failed`` for a reason that lies at its endpoint (``DeliveryResult.soft``): a server
that was down for a day, a mailbox that is full, a phone that is off. One says little. ``FAILURES`` of them in a row over at least
``OVER``, with no success between them, quarantine the endpoint as ``failing``: the event is on the log, and whoever overrules it
begins to count anew.

A provider that takes a message may say later that it did not arrive, so what was taken counts as a success only until the same
notification fails. What certainly arrived forgives everything before it.
"""

from datetime import timedelta

import msgspec
from msgspec.structs import replace

from consumers.delivery.ledger_rules import subscriber_of
from schemas import events as e
from schemas.events import AnyEvent, DeliveryResult, Micros
from schemas.topics import DELIVERIES
from schemas.vocabulary import NotificationState, Suppression
from streams.domain.processor import Output, Processor
from streams.domain.state import State, TableSpec

FAILURES = 3
"""Soft failures in a row that are enough, if they lie far enough apart."""
OVER = timedelta(days=5)
"""How far the first and the last of them lie apart at least: an outage at the other side is not the end of it."""
CERTAIN = timedelta(days=3)
"""After which what was taken, and of which nothing else was heard, did arrive: so long SendGrid goes on trying."""
FORGOTTEN = timedelta(days=90)
"""What failed longer ago is not held against an endpoint any more."""
_MOST = 10
"""Failures, and successes that may yet turn out to be none, that are kept of an endpoint."""
FAILING = "failing"
_DAY = 86_400_000_000


class Mark(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """That a notification failed, or was taken, at a time."""

    notification: str
    at: Micros


class Record(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What counts for and against an endpoint since its first failure, each oldest first."""

    failed: tuple[Mark, ...] = ()
    taken: tuple[Mark, ...] = ()


EMPTY = Record()


def after(known: Record, result: DeliveryResult, at: Micros) -> Record:
    """Return the record of an endpoint after a result; without failures nothing is kept of it."""
    match result.state:
        case NotificationState.DELIVERED:
            return EMPTY
        case NotificationState.SENT if known.failed:
            return replace(known, taken=_with(known.taken, result.notification, at))
        case NotificationState.FAILED:
            taken = tuple(one for one in known.taken if one.notification != result.notification)
            failed = _with(known.failed, result.notification, at) if result.soft else known.failed
            arrived = max((one.at for one in taken if at - one.at > _micros(CERTAIN)), default=-1)
            since = max(arrived, at - _micros(FORGOTTEN))
            recent = tuple(one for one in failed if one.at > since)
            return Record(recent, tuple(one for one in taken if one.at > since)) if recent else EMPTY
        case _:
            return known


def verdict(known: Record, last: str) -> str:
    """Return why an endpoint is to be quarantined, empty where it is not; ``last`` is what the newest failure said.

    It is where it failed too often for too long since it last took anything.
    """
    success = max((one.at for one in known.taken), default=-1)
    in_a_row = [one.at for one in known.failed if one.at > success]
    if len(in_a_row) < FAILURES or in_a_row[-1] - in_a_row[0] < _micros(OVER):
        return ""
    days = (in_a_row[-1] - in_a_row[0]) // _DAY
    return f"nothing could be delivered for {days} days: {last}"


def step(state: State, event: AnyEvent, out: Output) -> None:
    """Fold one event."""
    match event.data:
        case e.DeliveriesRecorded(results=results):
            for result in results:
                _count(state, event, result, out)
        case _:
            out.ignore("not an end of notifications")


def _count(state: State, event: AnyEvent, result: DeliveryResult, out: Output) -> None:
    key = subscriber_of(result.notification)
    before: Record | None = state[FAILING].get(event.page, key)
    if before is None and not result.soft:  # nearly all: of whom nothing ever failed nothing is kept
        return
    known = after(before or EMPTY, result, event.recorded_at)
    if result.soft and (reason := verdict(known, result.reason)):
        out.emit(e.EndpointSuppressed(key, reason, Suppression.FAILING), event.recorded_at, content=key)
        known = EMPTY
    if known == EMPTY:
        state[FAILING].delete(event.page, key)
    elif known != before:
        state[FAILING].put(event.page, key, known)


def _with(marks: tuple[Mark, ...], notification: str, at: Micros) -> tuple[Mark, ...]:
    """Return marks with one more, each notification once, and no more than are kept: the oldest says since when."""
    if any(one.notification == notification for one in marks):
        return marks
    found = (*marks, Mark(notification, at))
    return found if len(found) <= _MOST else (found[0], *found[2:])


def _micros(span: timedelta) -> Micros:
    return round(span.total_seconds() * 1_000_000)


PROCESSOR = Processor(
    name="failing",
    topics=(DELIVERIES.name,),
    types=frozenset({"DeliveriesRecorded"}),
    tables=(TableSpec(FAILING, Record),),
    step=step,
    leisurely=True,
)
