"""How facts about incidents change a page: opened, updated, cells changed in silence, reminded."""

from msgspec.structs import replace

from schemas import events as e
from schemas.events import AnyEvent, Change, Effect
from schemas.vocabulary import IMPACT_RANK, CellStatus, IncidentStatus
from streams.domain.cells import Transition, apply_effects, effect_key, happened_at, merged, worst_impact
from streams.domain.model import Incident, Update
from streams.domain.processor import Output
from streams.domain.state import State
from streams.domain.tables import DRAFTS, INCIDENTS

_OVER = (IncidentStatus.RESOLVED, IncidentStatus.POSTMORTEM)
_REMEMBERED = 50
"""Silent changes of an incident that are known when they come again: a log may repeat the last batch of a writer."""


def incident_opened(state: State, event: AnyEvent, data: e.IncidentOpened, out: Output) -> list[Transition]:
    """Apply ``IncidentOpened``."""
    if data.draft is not None:
        state[DRAFTS].delete(event.page, data.draft)
    known: Incident | None = state[INCIDENTS].get(event.page, data.incident)
    if known is not None:
        out.ignore("this incident was opened before", copied=_is_made(known, data.update))
        return []
    at = happened_at(event)
    effects = {effect_key(effect): effect for effect in data.affects if effect.status is not CellStatus.OPERATIONAL}
    resolved = data.status in _OVER
    incident = Incident(
        id=data.incident,
        title=data.title,
        status=data.status,
        chosen_impact=data.impact,
        peak=worst_impact(effects.values()),
        effects={} if resolved else effects,
        rule=data.rule,
        component=data.component,
        started_at=at,
        created_at=event.recorded_at,
        updated_at=event.recorded_at,
        monitoring_at=event.recorded_at if data.status is IncidentStatus.MONITORING else None,
        resolved_at=event.recorded_at if resolved else None,
        promise_at=None if resolved else data.promise_at,
        updates=[],
        drill=event.drill,
        audience=data.audience,
    )
    changes = [
        Change(effect.component, effect.region, CellStatus.OPERATIONAL, effect.status) for effect in data.affects
    ]
    update = Update(data.update, data.status, data.body, event.recorded_at, changes, data.promise_at, event.actor)
    state[INCIDENTS].put(event.page, data.incident, replace(incident, updates=[update]))
    return apply_effects(state, event.page, incident, incident.effects, {}, at)


def incident_updated(state: State, event: AnyEvent, data: e.IncidentUpdated, out: Output) -> list[Transition]:
    """Apply ``IncidentUpdated``: refused for what is over, but for its post-mortem."""
    incident: Incident | None = state[INCIDENTS].get(event.page, data.incident)
    if data.draft is not None:
        state[DRAFTS].delete(event.page, data.draft)
    if incident is None:
        out.ignore("there is no such incident")
        return []
    if _is_made(incident, data.update):
        out.ignore("this update was made before", copied=True)
        return []
    if (refusal := _refuses(incident, data)) is not None:
        out.ignore(refusal)
        return []
    return _updated(state, event, incident, data)


def _is_made(incident: Incident, update: str) -> bool:
    return any(made.id == update for made in incident.updates)


def _refuses(incident: Incident, data: e.IncidentUpdated) -> str | None:
    if data.status is IncidentStatus.POSTMORTEM:
        return None if incident.resolved_at is not None else "a post-mortem follows the resolution"
    return None if incident.resolved_at is None else "the incident is resolved"


def _updated(state: State, event: AnyEvent, incident: Incident, data: e.IncidentUpdated) -> list[Transition]:
    at = max(happened_at(event), incident.started_at)
    over = data.status in _OVER
    effects = {} if over else merged(incident.effects, data.affects)
    named = data.affects
    if over and incident.resolved_at is None:
        # The all-clear changes every cell that was still affected.
        named = [replace(effect, status=CellStatus.OPERATIONAL) for effect in incident.effects.values()]
    changes = [Change(effect.component, effect.region, _effect_on(incident, effect), effect.status) for effect in named]
    update = Update(data.update, data.status, data.body, event.recorded_at, changes, data.promise_at, event.actor)
    peak = max(incident.peak, worst_impact(effects.values()), key=IMPACT_RANK.__getitem__)
    monitoring = data.status is IncidentStatus.MONITORING and incident.monitoring_at is None
    changed = replace(
        incident,
        status=data.status,
        chosen_impact=data.impact or incident.chosen_impact,
        peak=peak,
        effects=effects,
        updated_at=event.recorded_at,
        monitoring_at=event.recorded_at if monitoring else incident.monitoring_at,
        resolved_at=event.recorded_at if over and incident.resolved_at is None else incident.resolved_at,
        promise_at=None if over else data.promise_at,
        reminded=None,
        updates=[*incident.updates, update],
    )
    state[INCIDENTS].put(event.page, incident.id, changed)
    return apply_effects(state, event.page, incident, effects, incident.effects, at)


def cells_changed(state: State, event: AnyEvent, data: e.IncidentCellsChanged, out: Output) -> list[Transition]:
    """Apply ``IncidentCellsChanged``: the status changes, nobody is told."""
    incident: Incident | None = state[INCIDENTS].get(event.page, data.incident)
    if incident is None or incident.resolved_at is not None:
        out.ignore("there is no such open incident")
        return []
    if event.id in incident.silent:
        out.ignore("this change was made before", copied=True)
        return []
    effects = merged(incident.effects, data.affects)
    peak = max(incident.peak, worst_impact(effects.values()), key=IMPACT_RANK.__getitem__)
    silent = [*incident.silent, event.id][-_REMEMBERED:]
    changed = replace(incident, effects=effects, peak=peak, updated_at=event.recorded_at, silent=silent)
    state[INCIDENTS].put(event.page, incident.id, changed)
    at = max(happened_at(event), incident.started_at)
    return apply_effects(state, event.page, incident, effects, incident.effects, at)


def promise_reminded(state: State, event: AnyEvent, data: e.PromiseReminded, out: Output) -> None:
    """Apply ``PromiseReminded``: void where the promise was kept, or reminded of before."""
    incident: Incident | None = state[INCIDENTS].get(event.page, data.incident)
    if incident is None or not incident.is_open or incident.promise_at != data.promise_at:
        out.ignore("the promise was kept or replaced")
    elif incident.reminded == data.promise_at:
        out.ignore("operators were reminded of it before")
    else:
        state[INCIDENTS].put(event.page, incident.id, replace(incident, reminded=data.promise_at))


def _effect_on(incident: Incident, effect: Effect) -> CellStatus:
    known = incident.effects.get(effect_key(effect))
    return CellStatus.OPERATIONAL if known is None else known.status
