"""Who is suppressed and who comes back: the rules for what is said of an address. Pure; it knows no store and no provider.

What is said comes late, twice and in any order. What happened before the last word on an address changes nothing, so that an old
STOP does not undo a younger START. A complaint or a STOP takes the place of a mere bounce: it decides who may overrule it.
"""

import msgspec

from consumers.delivery import page_index
from schemas import events as e
from schemas.events import AnyEvent, Micros
from schemas.vocabulary import Suppression

_TOLD = (page_index.PENDING, page_index.ACTIVE, page_index.PAUSED)
_WEIGHT = {Suppression.OPTED_OUT: 1, Suppression.COMPLAINED: 2}
_YOUNGER = "something younger is known of the address"


class Quarantine(msgspec.Struct, frozen=True):
    """How an address stands. ``before`` is the state to come back to, ``as_of`` when the last word on it was said (0: never)."""

    state: str
    suppression: Suppression | None
    before: str
    as_of: Micros


def decide(known: Quarantine | None, event: AnyEvent) -> Quarantine | str:
    """Return how an address stands after an event, or why the event changes nothing."""
    if known is None:
        return "there is no such subscriber"
    match event.data:
        case e.EndpointSuppressed(kind=kind):
            return _suppressed(known, kind, event.occurred_at)
        case e.EndpointReinstated(overrules=overrules):
            return _reinstated(known, overrules, event.occurred_at)
        case _:
            return "not an event of an address"


def _suppressed(known: Quarantine, kind: Suppression, at: Micros) -> Quarantine | str:
    if known.state == page_index.SUPPRESSED and _weight(kind) > _weight(known.suppression):
        return Quarantine(known.state, kind, known.before, max(at, known.as_of))
    if at < known.as_of:
        return _YOUNGER
    if known.state not in _TOLD:
        return f"the subscriber is {known.state}"
    return Quarantine(page_index.SUPPRESSED, kind, known.state, at)


def _reinstated(known: Quarantine, overrules: list[Suppression], at: Micros) -> Quarantine | str:
    if known.state != page_index.SUPPRESSED:
        return f"the subscriber is {known.state}"
    if at <= known.as_of:
        return _YOUNGER
    kind = known.suppression or Suppression.REFUSED
    if kind not in overrules:
        return f"the address is suppressed as {kind}, which this does not overrule"
    return Quarantine(known.before or page_index.ACTIVE, None, "", at)


def _weight(kind: Suppression | None) -> int:
    return 0 if kind is None else _WEIGHT.get(kind, 0)
