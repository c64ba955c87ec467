"""MTTA, MTTR and counts from the incidents of a page: a pure function, so that the same log gives the same figures.

Definitions stand in ``docs/reliability.md``. Drills are in none of them.
"""

from collections.abc import Iterable, Iterator

import msgspec

from schemas.events import Micros
from schemas.vocabulary import CellStatus
from streams.domain.model import Incident

_SECOND = 1_000_000


class Figures(msgspec.Struct, frozen=True):
    """The figures of one window. Means are in seconds and None where nothing is there to take them of.

    ``incidents`` were published in the window, ``resolved`` were resolved in it, ``open`` were open at its end.
    """

    incidents: int
    resolved: int
    open: int
    mtta_seconds: float | None
    mttr_seconds: float | None


def figures(incidents: Iterable[Incident], start: Micros, end: Micros) -> Figures:
    """Return the figures of ``[start, end)``."""
    counted = [incident for incident in incidents if not incident.drill and incident.created_at < end]
    published = [incident for incident in counted if incident.created_at >= start]
    resolved = [at - incident.started_at for incident in counted if start <= (at := _resolved_at(incident)) < end]
    return Figures(
        incidents=len(published),
        resolved=len(resolved),
        open=sum(1 for incident in counted if _resolved_at(incident) >= end),
        mtta_seconds=_mean([incident.created_at - incident.started_at for incident in published]),
        mttr_seconds=_mean(resolved),
    )


def figures_by_component(incidents: Iterable[Incident], start: Micros, end: Micros) -> dict[str, Figures]:
    """Return the figures of each component that an incident ever touched, by its id."""
    found: dict[str, list[Incident]] = {}
    for incident in incidents:
        for component in set(_touched(incident)):
            found.setdefault(component, []).append(incident)
    by_component = {component: figures(found[component], start, end) for component in sorted(found)}
    return {component: own for component, own in by_component.items() if own.incidents or own.resolved or own.open}


_NEVER = 1 << 62


def _resolved_at(incident: Incident) -> Micros:
    return _NEVER if incident.resolved_at is None else incident.resolved_at


def _mean(spans: list[Micros]) -> float | None:
    return sum(max(0, span) for span in spans) / len(spans) / _SECOND if spans else None


def _touched(incident: Incident) -> Iterator[str]:
    yield from (effect.component for effect in incident.effects.values())
    for update in incident.updates:
        yield from (change.component for change in update.changes if change.new is not CellStatus.OPERATIONAL)
