"""How facts about maintenance change a page: scheduled, begun, verified, completed; and which cells it masks."""

from msgspec.structs import replace

from schemas import events as e
from schemas.events import AnyEvent
from schemas.vocabulary import MaintenanceStatus
from streams.domain.cells import Transition, happened_at, mask, touchable
from streams.domain.model import Maintenance, Update
from streams.domain.processor import Output
from streams.domain.state import State
from streams.domain.tables import MAINTENANCES


def maintenance_scheduled(state: State, event: AnyEvent, data: e.MaintenanceScheduled, out: Output) -> None:
    """Apply ``MaintenanceScheduled``."""
    known: Maintenance | None = state[MAINTENANCES].get(event.page, data.maintenance)
    if known is not None:
        return out.ignore("this maintenance was scheduled before", copied=_is_made(known, data.update))
    update = Update(data.update, MaintenanceStatus.SCHEDULED, data.body, event.recorded_at, [], None, event.actor)
    maintenance = Maintenance(
        id=data.maintenance,
        title=data.title,
        status=MaintenanceStatus.SCHEDULED,
        affects=data.affects,
        starts_at=data.starts_at,
        ends_at=data.ends_at,
        started_at=None,
        completed_at=None,
        created_at=event.recorded_at,
        updated_at=event.recorded_at,
        updates=[update],
        drill=event.drill,
        audience=data.audience,
    )
    state[MAINTENANCES].put(event.page, data.maintenance, maintenance)
    return None


def _is_made(maintenance: Maintenance, update: str) -> bool:
    return any(made.id == update for made in maintenance.updates)


_MAINTENANCE_ORDER = list(MaintenanceStatus)


def maintenance_updated(state: State, event: AnyEvent, data: e.MaintenanceUpdated, out: Output) -> list[Transition]:
    """Apply ``MaintenanceUpdated``: its life only goes forward."""
    known: Maintenance | None = state[MAINTENANCES].get(event.page, data.maintenance)
    if known is None:
        out.ignore("there is no such maintenance")
        return []
    if _is_made(known, data.update):
        out.ignore("this update was made before", copied=True)
        return []
    if known.status is MaintenanceStatus.COMPLETED:
        out.ignore("the maintenance is completed")
        return []
    if _MAINTENANCE_ORDER.index(data.status) < _MAINTENANCE_ORDER.index(known.status):
        out.ignore(f"the maintenance is {known.status} already")
        return []
    if event.actor == "tocsin" and data.status is known.status:
        out.ignore("a person was faster than the clock")
        return []
    return _maintained(state, event, known, data)


def _maintained(state: State, event: AnyEvent, known: Maintenance, data: e.MaintenanceUpdated) -> list[Transition]:
    at = happened_at(event)
    changed = replace(
        known,
        status=data.status,
        started_at=at
        if known.started_at is None and data.status is not MaintenanceStatus.SCHEDULED
        else known.started_at,
        completed_at=at if data.status is MaintenanceStatus.COMPLETED else None,
        updated_at=event.recorded_at,
        updates=[
            *known.updates,
            Update(data.update, data.status, data.body, event.recorded_at, [], None, event.actor),
        ],
    )
    state[MAINTENANCES].put(event.page, known.id, changed)
    if known.drill or changed.is_active == known.is_active:
        return []
    affects = known.affects
    if changed.is_active:
        affects = touchable(state, event.page, affects, known.audience)
    return [
        found
        for effect in affects
        for found in mask(state, event.page, effect, known.id, masked=changed.is_active, at=at)
    ]
