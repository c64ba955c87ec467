"""The status of cells: the worst effect of open incidents, masked by maintenance; and when it changed in the world."""

from collections.abc import Iterable
from typing import NamedTuple

from msgspec.structs import replace

from schemas.events import AnyEvent, Effect, Micros
from schemas.vocabulary import IMPACT_OF_STATUS, IMPACT_RANK, Audience, CellStatus, Impact
from streams.domain import audiences
from streams.domain.model import CellState, Incident
from streams.domain.rollup import worst
from streams.domain.state import State
from streams.domain.tables import CELLS

PLAUSIBLE_PAST: Micros = 24 * 3600 * 1_000_000
"""How long before it was recorded a thing may claim to have happened."""


class Transition(NamedTuple):
    """A cell's status changed at a time of the world."""

    component: str
    region: str | None
    old: CellStatus
    new: CellStatus
    at: Micros


def happened_at(event: AnyEvent) -> Micros:
    """Return when the event happened, clamped to what is plausible: not after it was recorded, nor a day before."""
    return max(min(event.occurred_at, event.recorded_at), event.recorded_at - PLAUSIBLE_PAST)


def apply_effects(
    state: State, page: str, incident: Incident, new: dict[str, Effect], old: dict[str, Effect], at: Micros
) -> list[Transition]:
    """Bring the cells from an incident's old effects to its new ones; a drill touches none, an internal one no public cell."""
    if incident.drill:
        return []
    if incident.audience is Audience.INTERNAL:
        new = {effect_key(effect): effect for effect in touchable(state, page, new.values(), incident.audience)}
    found: list[Transition] = []
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key), new.get(key)
        if before != after:
            effect = after or before
            assert effect is not None, "a key comes from one of the two"
            status = None if after is None else after.status
            found += _weigh(state, page, effect, incident.id, status, at)
    return found


def touchable(state: State, page: str, effects: Iterable[Effect], audience: Audience) -> list[Effect]:
    """Return what may change a cell's status: what the public is not told of shows on internal components only."""
    found = list(effects)
    if audience is Audience.PUBLIC:
        return found
    internal = audiences.hidden_in(state, page, (effect.component for effect in found))
    return [effect for effect in found if effect.component in internal]


def _weigh(
    state: State, page: str, effect: Effect, incident: str, status: CellStatus | None, at: Micros
) -> Iterable[Transition]:
    cell = state[CELLS].get(page, effect_key(effect)) or CellState({}, [], CellStatus.OPERATIONAL, 0)
    effects = {key: value for key, value in cell.effects.items() if key != incident}
    if status is not None:
        effects[incident] = status
    return _settle(state, page, effect, cell, replace(cell, effects=effects), at)


def mask(
    state: State, page: str, effect: Effect, maintenance: str, *, masked: bool, at: Micros
) -> Iterable[Transition]:
    """Put a cell under a maintenance, or take it out."""
    cell = state[CELLS].get(page, effect_key(effect)) or CellState({}, [], CellStatus.OPERATIONAL, 0)
    others = [known for known in cell.maintenances if known != maintenance]
    changed = replace(cell, maintenances=[*others, maintenance] if masked else others)
    return _settle(state, page, effect, cell, changed, at)


def _settle(
    state: State, page: str, effect: Effect, old: CellState, new: CellState, at: Micros
) -> Iterable[Transition]:
    status = CellStatus.MAINTENANCE if new.maintenances else worst(new.effects.values())
    changed = status is not old.status
    # Time runs forward within a cell: two monitors' clocks may disagree, its history may not.
    since = max(at, old.since) if changed else old.since
    state[CELLS].put(page, effect_key(effect), replace(new, status=status, since=since))
    return [Transition(effect.component, effect.region, old.status, status, since)] if changed else []


def effect_key(effect: Effect) -> str:
    """Return the key of the cell that ``effect`` is on."""
    return effect.component if effect.region is None else f"{effect.component}/{effect.region}"


def merged(effects: dict[str, Effect], changes: Iterable[Effect]) -> dict[str, Effect]:
    """Return ``effects`` with ``changes`` applied; an operational cell is no longer affected."""
    result = dict(effects)
    for effect in changes:
        if effect.status is CellStatus.OPERATIONAL:
            result.pop(effect_key(effect), None)
        else:
            result[effect_key(effect)] = effect
    return result


def worst_impact(effects: Iterable[Effect]) -> Impact:
    """Return the impact of the worst of ``effects``."""
    return max(
        (IMPACT_OF_STATUS[effect.status] for effect in effects), key=IMPACT_RANK.__getitem__, default=Impact.NONE
    )
