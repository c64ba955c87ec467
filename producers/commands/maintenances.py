"""POST maintenances: announce, start, complete, and say how it goes on."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from producers.commands import cells
from producers.commands.bodies.answers import PENDING, MaintenanceMade, MaintenanceMoved, refusals
from producers.commands.bodies.incidents import ScheduleMaintenance, StepMaintenance, UpdateMaintenance
from producers.commands.desk import ByOperator, Desk, Key, Order, answer
from producers.commands.incidents import written
from producers.commands.json_route import JsonRoute
from producers.commands.sight import audience_for
from schemas.events import Event, MaintenanceScheduled, MaintenanceUpdated, Micros
from schemas.ids import derive
from schemas.vocabulary import CellStatus, MaintenanceStatus
from streams.domain.clockwork import COMPLETED, STARTED
from streams.domain.model import Maintenance, PageView
from streams.runtime.access import Operator, Role
from streams.runtime.problems import not_found


class Maintenances:
    """The handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> APIRouter:
        """Return the routes, relative to the page."""
        router = APIRouter(
            tags=["maintenances"],
            route_class=JsonRoute,
            dependencies=[self._desk.needs(Role.OPERATOR)],
            responses=PENDING | refusals(400, 401, 403, 404, 409, 413, 415, 422, 503),
        )
        router.post("/maintenances", status_code=201, response_model=MaintenanceMade)(self.schedule)
        move: dict[str, Any] = {"status_code": 201, "response_model": MaintenanceMoved}
        router.post("/maintenances/{maintenance}/updates", **move)(self.update)
        router.post("/maintenances/{maintenance}/start", **move)(self.start)
        router.post("/maintenances/{maintenance}/complete", **move)(self.complete)
        return router

    async def schedule(
        self, request: Request, page: str, body: ScheduleMaintenance, operator: ByOperator, key: Key = None
    ) -> Response:
        """Announce a maintenance."""
        view = self._desk.view(page)
        order = self._desk.order(request, page, operator, key, drill=body.drill)
        effects = cells.effects(view, "affects", body.affects, [CellStatus.MAINTENANCE] * len(body.affects))
        audience = audience_for(view, body.audience, effects)
        maintenance = derive("maintenance", order.id)
        update = derive("update", maintenance, order.id)
        data = MaintenanceScheduled(
            maintenance, update, body.title, body.body, effects, body.starts_at, body.ends_at, audience
        )
        done = await self._desk.carry_out(order, lambda _: data)
        return answer(done, _scheduled(view, data, done.event.recorded_at, drill=order.drill))

    async def start(
        self,
        request: Request,
        page: str,
        maintenance: str,
        operator: ByOperator,
        body: StepMaintenance | None = None,
        key: Key = None,
    ) -> Response:
        """Say that it has begun: its cells show maintenance, and their alerts stay silent."""
        known, order = self._known(request, page, maintenance, operator, key)
        return await self._move(order, known, MaintenanceStatus.IN_PROGRESS, (body and body.body) or STARTED)

    async def complete(
        self,
        request: Request,
        page: str,
        maintenance: str,
        operator: ByOperator,
        body: StepMaintenance | None = None,
        key: Key = None,
    ) -> Response:
        """Say that it is over."""
        known, order = self._known(request, page, maintenance, operator, key)
        return await self._move(order, known, MaintenanceStatus.COMPLETED, (body and body.body) or COMPLETED)

    async def update(
        self,
        request: Request,
        page: str,
        maintenance: str,
        body: UpdateMaintenance,
        operator: ByOperator,
        key: Key = None,
    ) -> Response:
        """Say how it goes on; 409 where it has come further already."""
        known, order = self._known(request, page, maintenance, operator, key)
        status = body.status or await self._present(order, known)
        return await self._move(order, known, status, body.body)

    async def _present(self, order: Order, known: Maintenance) -> MaintenanceStatus:
        """Return where the maintenance stands; for a repeat, where it stood when that was asked first."""
        match await self._desk.done_before(order):
            case Event(data=MaintenanceUpdated(status=status)):
                return status
            case _:
                return known.status

    def _known(
        self, request: Request, page: str, maintenance: str, operator: Operator, key: str | None
    ) -> tuple[Maintenance, Order]:
        known = self._desk.view(page).maintenances.get(maintenance)
        if known is None:
            raise not_found("maintenance")
        return known, self._desk.order(request, page, operator, key, drill=known.drill)

    async def _move(self, order: Order, known: Maintenance, status: MaintenanceStatus, body: str) -> Response:
        data = MaintenanceUpdated(known.id, derive("update", known.id, order.id), status, body)
        done = await self._desk.carry_out(order, lambda _: data)
        moved = {"id": known.id, "update": data.update, "status": status, "created_at": written(done.event.recorded_at)}
        return answer(done, moved)


def _scheduled(view: PageView, data: MaintenanceScheduled, at: Micros, *, drill: bool) -> dict[str, Any]:
    return {
        "id": data.maintenance,
        "update": data.update,
        "title": data.title,
        "status": MaintenanceStatus.SCHEDULED,
        "affects": cells.as_json(data.affects),
        "audience": data.audience,
        "starts_at": written(data.starts_at),
        "ends_at": written(data.ends_at),
        "created_at": written(at),
        "drill": drill,
        "url": f"{view.settings.url.rstrip('/')}/maintenances/{data.maintenance}",
    }
