"""When many incidents at once become one message: pure rules over what one endpoint was told lately. It reads no ledger.

From so many incidents within so long on, an endpoint is not told faster than that: what comes meanwhile is combined.
"""

from collections.abc import Sequence

import msgspec

from consumers.delivery.ledger_rules import LEFT
from consumers.delivery.queue import Entry
from consumers.delivery.timing import Hold, span_of
from schemas.events import Micros
from schemas.vocabulary import NotificationState

_SETTLE: Micros = 10_000_000
"""How long is waited at the most for what comes along with the first of a storm."""


class Storm(msgspec.Struct, frozen=True):
    """From how many ``incidents`` and maintenances that one endpoint is told of ``within`` how many microseconds on."""

    incidents: int
    within: Micros

    @property
    def pace(self) -> Micros:
        """Return how far apart messages to one endpoint are in a storm."""
        return self.within // self.incidents


def left(mine: Entry, others: Sequence[Entry]) -> list[Entry]:
    """Return what of ``others`` may have left, or is in hand and goes before ``mine``: of two that were claimed, one waits."""
    return [
        other
        for other in others
        if other.state in LEFT
        and other.notification != mine.notification
        and (other.state != NotificationState.CLAIMED or (other.at, other.notification) < (mine.at, mine.notification))
    ]


def hold(
    storm: Storm, mine: Entry, others: Sequence[Entry], now: Micros, together: Sequence[Entry] = ()
) -> Hold | None:
    """Return up to when ``mine`` is held because of a storm; ``others`` are the endpoint's lately, ``together`` go with it."""
    before = [one for one in left(mine, others) if one.at > now - storm.within]
    waiting = [one for one in others if _waits(mine, one) and one not in before]
    subjects = {one.subject for one in (mine, *before, *waiting, *together)}
    if len(subjects) < storm.incidents:
        return None
    last = max((one.at for one in before), default=now - storm.within)
    if last + storm.pace > now:
        return Hold(last + storm.pace, _reason(subjects, storm))
    if mine.held_until or not waiting:
        return None
    return Hold(now + min(storm.pace, _SETTLE), _reason(subjects, storm))


def _waits(mine: Entry, other: Entry) -> bool:
    return other.subject != mine.subject and other.state in (NotificationState.PLANNED, NotificationState.CLAIMED)


def _reason(subjects: set[str], storm: Storm) -> str:
    return f"a storm of {len(subjects)} incidents within {span_of(storm.within // 1_000_000)}: told together"
