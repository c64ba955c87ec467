"""From how an attempt ended to what is recorded of it: pure, and the only place that decides it."""

from datetime import timedelta
from random import Random
from typing import assert_never

import msgspec

from consumers.delivery import backoff, breaker
from consumers.delivery.outcome import InDoubt, Outcome, Rejected, Retry, Scope, Sent, Unknown
from consumers.delivery.queue import Entry, Overtaken
from schemas.events import AnyEvent, Micros
from schemas.vocabulary import NotificationState, Suppression

MOST_ATTEMPTS_IN_DOUBT = 1 + len(backoff.IN_DOUBT)
_ASKED = "; asked: "
_SENT = NotificationState.SENT
_INSTEAD = "a newer update is sent instead: "


class Conclusion(msgspec.Struct, frozen=True):
    """What is recorded: the state, why, and when the notification is taken up again (None: never).

    ``pause_until`` stops the whole channel for a while, because of its ``refusal``; ``events`` follow from the outcome for others.
    Without ``attempted`` nothing was tried, and it counts as no attempt (``put_off``). ``condemns`` is as what the address is
    suppressed, if it is; ``soft`` says that the failure counts towards that (``failing``).
    """

    state: NotificationState
    reason: str
    retry_at: Micros | None = None
    pause_until: Micros | None = None
    refusal: str = ""
    condemns: Suppression | None = None
    events: tuple[AnyEvent, ...] = ()
    attempted: bool = True
    soft: bool = False


def conclude(
    outcome: Outcome,
    *,
    attempts: int,
    planned_at: Micros,
    now: Micros,
    asks_again: bool,
    random: Random,
    refusals: int = 0,
    asked_after: timedelta | None = None,
) -> Conclusion:
    """Classify the ``attempts``-th attempt's outcome; ``asks_again`` allows sending what is in doubt once more.

    ``refusals`` is how often in a row the whole channel had refused us before. ``asked_after`` is when the provider can be
    asked about what is in doubt.
    """
    match outcome:
        case Sent(receipt=receipt):
            return Conclusion(_SENT, receipt)
        case Retry(reason=reason, after=after, attempted=False):
            return put_off(reason, now + micros(after or timedelta()))
        case Retry(reason=reason, after=after, soft=soft):
            due = now + micros(backoff.delay(attempts, random, after))
            return _again(reason, attempts, planned_at, due, soft=soft)
        case Rejected(scope=Scope.CHANNEL, reason=reason):
            # Nothing is wrong with the message: the whole channel waits until somebody mends it.
            until = now + micros(breaker.pause(refusals + 1))
            return msgspec.structs.replace(
                _again(reason, attempts, planned_at, until), pause_until=until, refusal=reason
            )
        case Rejected(scope=Scope.RECIPIENT, reason=reason, gone=gone):
            kind = Suppression.GONE if gone else Suppression.REFUSED
            return Conclusion(NotificationState.FAILED, reason, condemns=kind)
        case Rejected(reason=reason, soft=soft):
            return Conclusion(NotificationState.FAILED, reason, soft=soft)
        case InDoubt(reason=reason):
            return doubt(
                reason, attempts=attempts, now=now, asks_again=asks_again, random=random, asked_after=asked_after
            )
        case _ as unreachable:
            assert_never(unreachable)


def _again(reason: str, attempts: int, planned_at: Micros, due: Micros, *, soft: bool = False) -> Conclusion:
    if is_late(planned_at, due):
        return Conclusion(
            NotificationState.FAILED,
            f"given up after {attempts} {'attempt' if attempts == 1 else 'attempts'}: {reason}",
            soft=soft,
        )
    return Conclusion(NotificationState.PLANNED, reason, retry_at=due)


def is_late(planned_at: Micros, now: Micros) -> bool:
    """Return whether something that was planned then is not worth another attempt now."""
    return now - planned_at > micros(backoff.GIVE_UP_AFTER)


def given_up(entry: Entry, reason: str) -> Conclusion:
    """Conclude for what waited in vain for a channel that refuses us."""
    failed = Conclusion(NotificationState.FAILED, f"given up, the channel is refused: {reason}")
    return after_doubt(failed) if entry.state == NotificationState.IN_DOUBT else failed


def given_back(reason: str, now: Micros, claimed: Entry | None = None) -> Conclusion:
    """Conclude for what was claimed and certainly not sent: it waits again, in doubt if it was so when it was ``claimed``."""
    waits = put_off(reason, now)
    return after_doubt(waits) if claimed is not None and claimed.state == NotificationState.IN_DOUBT else waits


def put_off(reason: str, until: Micros) -> Conclusion:
    """Conclude "not now": nothing was tried, it counts as no attempt, and it is taken up again from ``until`` on."""
    return Conclusion(NotificationState.PLANNED, reason, retry_at=until, attempted=False)


def counted_from(entry: Entry, planned_at: Micros) -> Micros:
    """Return from when the day counts after which an entry is given up: as long as it was put off, it was not late."""
    return max(planned_at, entry.held_until)


def superseded(overtaken: Overtaken) -> Conclusion:
    """Conclude for an older update of the same subject for the same endpoint that still waits."""
    old = overtaken.entry
    if old.state == NotificationState.IN_DOUBT:
        return Conclusion(NotificationState.IN_DOUBT, f"{old.reason}; not asked again, a newer update follows")
    return Conclusion(NotificationState.SUPERSEDED, f"{_INSTEAD}{overtaken.by}")


def successor_in(reason: str) -> str | None:
    """Return which update a reason of ``superseded`` names."""
    return reason.removeprefix(_INSTEAD) if reason.startswith(_INSTEAD) else None


def doubt(
    reason: str,
    *,
    attempts: int,
    now: Micros,
    asks_again: bool,
    random: Random,
    asked_after: timedelta | None = None,
) -> Conclusion:
    """Conclude that it may have been sent: sent again under the same id, or its provider asked, or held and shown."""
    wait = backoff.in_doubt(max(1, attempts), random) if asks_again else asked_after
    due = None if wait is None else now + micros(wait)
    return Conclusion(NotificationState.IN_DOUBT, reason, retry_at=due)


def still_unknown(
    unknown: Unknown, reason: str, *, asked_after: timedelta, planned_at: Micros, now: Micros, random: Random
) -> Conclusion:
    """Conclude where asking has not ended a doubt, of which ``reason`` is what is recorded: it is asked again for a day."""
    age = timedelta(microseconds=max(0, now - planned_at))
    wait = max(backoff.asking(age, asked_after, random), unknown.after or timedelta(0))
    due = now + micros(wait)
    over = unknown.final or is_late(planned_at, due)
    text = reason.partition(_ASKED)[0] + _ASKED + unknown.reason
    return Conclusion(NotificationState.IN_DOUBT, text, retry_at=None if over else due)


def after_doubt(ended: Conclusion) -> Conclusion:
    """Conclude where an earlier attempt may have arrived: only a success ends that doubt, a refusal does not."""
    if ended.state is NotificationState.SENT:
        return ended
    return msgspec.structs.replace(ended, state=NotificationState.IN_DOUBT, soft=False)


def micros(span: timedelta) -> Micros:
    """Return a span as microseconds."""
    return round(span.total_seconds() * 1_000_000)
