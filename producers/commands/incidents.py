"""POST incidents and their updates."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import APIRouter
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response

from producers.commands import cells
from producers.commands.bodies.answers import PENDING, IncidentMade, UpdateMade, refusals
from producers.commands.bodies.incidents import OpenIncident, UpdateIncident
from producers.commands.desk import ByOperator, Desk, Key, answer
from producers.commands.json_route import JsonRoute
from producers.commands.sight import audience_for, require_public
from schemas.events import Effect, EventData, IncidentOpened, IncidentUpdated, Micros
from schemas.ids import derive
from schemas.vocabulary import Audience, CellStatus, IncidentStatus
from streams.domain.audiences import hidden
from streams.domain.model import Incident, PageView
from streams.domain.page import effect_key, worst_impact
from streams.runtime.access import Role
from streams.runtime.problems import not_found

OVER = (IncidentStatus.RESOLVED, IncidentStatus.POSTMORTEM)
_SECOND = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Incidents:
    """The handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> APIRouter:
        """Return the routes, relative to the page."""
        router = APIRouter(
            tags=["incidents"],
            route_class=JsonRoute,
            dependencies=[self._desk.needs(Role.OPERATOR)],
            responses=PENDING | refusals(400, 401, 403, 404, 409, 413, 415, 422, 503),
        )
        router.post("/incidents", status_code=201, response_model=IncidentMade)(self.open_incident)
        router.post("/incidents/{incident}/updates", status_code=201, response_model=UpdateMade)(self.update_incident)
        return router

    async def open_incident(
        self, request: Request, page: str, body: OpenIncident, operator: ByOperator, key: Key = None
    ) -> Response:
        """Tell the public of an incident."""
        view = self._desk.view(page)
        order = self._desk.order(request, page, operator, key, drill=body.drill)
        affects = body.affects or []
        effects = cells.effects(view, "affects", affects, [one.status for one in affects])
        audience = audience_for(view, body.audience, effects)
        incident = derive("incident", order.id)

        def make(now: Micros) -> EventData:
            return IncidentOpened(
                incident, derive("update", incident, order.id), body.title, body.body, body.status, body.impact, effects,
                None, None, None, promise(view, body.status, body.next_update_in, now), audience,
            )  # fmt: skip

        done = await self._desk.carry_out(order, make)
        assert isinstance(done.event.data, IncidentOpened), "a repeat is compared with what it repeats"
        return answer(done, _opened(view, done.event.data, done.event.recorded_at, drill=done.event.drill))

    async def update_incident(
        self, request: Request, page: str, incident: str, body: UpdateIncident, operator: ByOperator, key: Key = None
    ) -> Response:
        """Say how an incident goes on; 409 where it is resolved already."""
        view = self._desk.view(page)
        known = view.incidents.get(incident)
        if known is None:
            raise not_found("incident")
        order = self._desk.order(request, page, operator, key, drill=known.drill)
        affects = body.affects or []
        named = cells.effects(view, "affects", affects, [one.status for one in affects])
        if known.audience is Audience.PUBLIC:
            require_public(hidden(view.components), [one for one in named if effect_key(one) not in known.effects])
        changed = [] if body.status in OVER else _changing(known, named)

        def make(now: Micros) -> EventData:
            promised = promise(view, body.status, body.next_update_in, now)
            update = derive("update", incident, order.id)
            return IncidentUpdated(incident, update, body.body, body.status, body.impact, changed, None, promised)

        done = await self._desk.carry_out(order, make, lambda before, now: _same_update(before, now, named))
        assert isinstance(done.event.data, IncidentUpdated), "a repeat is compared with what it repeats"
        return answer(done, _updated(done.event.data, done.event.recorded_at))


def promise(view: PageView, status: IncidentStatus, said: Micros | None, now: Micros) -> Micros | None:
    """Return when the next update is due: as said, else as the page promises; never for what is over."""
    if status in OVER:
        return None
    if said is not None:
        return now + said
    every = view.settings.update_every
    return now + every * _SECOND if every else None


def written(at: Micros | None) -> str | None:
    """Return a time as it is answered."""
    if at is None:
        return None
    return (_EPOCH + timedelta(microseconds=at)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _changing(incident: Incident, named: Sequence[Effect]) -> list[Effect]:
    """Return those of ``named`` that are news: only changed cells choose the audience."""
    return [effect for effect in named if effect.status is not _present(incident, effect)]


def _present(incident: Incident, effect: Effect) -> CellStatus:
    known = incident.effects.get(effect_key(effect))
    return CellStatus.OPERATIONAL if known is None else known.status


def _same_update(before: EventData, now: EventData, named: Sequence[Effect]) -> bool:
    """Whether a repeat says what the first said; by now its cells no longer change, so these are compared as named."""
    assert isinstance(before, IncidentUpdated), "compared with its own kind only"
    assert isinstance(now, IncidentUpdated), "likewise"
    return replace(now, affects=before.affects) == before and all(effect in named for effect in before.affects)


def _opened(view: PageView, data: IncidentOpened, at: Micros, *, drill: bool) -> dict[str, Any]:
    return {
        "id": data.incident,
        "update": data.update,
        "title": data.title,
        "status": data.status,
        "impact": data.impact or worst_impact(data.affects),
        "affects": cells.as_json(data.affects),
        "audience": data.audience,
        "created_at": written(at),
        "promise_at": written(data.promise_at),
        "drill": drill,
        "url": f"{view.settings.url.rstrip('/')}/incidents/{data.incident}",
    }


def _updated(data: IncidentUpdated, at: Micros) -> dict[str, Any]:
    return {
        "id": data.incident,
        "update": data.update,
        "status": data.status,
        "affects": cells.as_json(data.affects),
        "created_at": written(at),
        "promise_at": written(data.promise_at),
    }
