"""POST drafts: let one go out, or throw it away."""

import re
from dataclasses import replace

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from producers.commands.bodies.answers import PENDING, DraftDecided, refusals
from producers.commands.bodies.incidents import DismissDraft, Nothing
from producers.commands.desk import ByOperator, Desk, Key, Order, answer
from producers.commands.json_route import JsonRoute
from schemas.events import DraftApproved, DraftDismissed, EventData
from streams.runtime.access import Role
from streams.runtime.problems import not_found

_ID = re.compile("[0-9a-f]{32}")
"""What may have been a draft: whether it is one that still waits is for the fold to say (409)."""


class Drafts:
    """The handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> APIRouter:
        """Return the routes, relative to the page."""
        router = APIRouter(
            tags=["drafts"],
            route_class=JsonRoute,
            dependencies=[self._desk.needs(Role.APPROVER)],
            responses=PENDING | refusals(400, 401, 403, 404, 409, 415, 422, 503),
        )
        router.post("/drafts/{draft}/approve", status_code=201, response_model=DraftDecided)(self.approve)
        router.post("/drafts/{draft}/dismiss", status_code=201, response_model=DraftDecided)(self.dismiss)
        return router

    async def approve(
        self,
        request: Request,
        page: str,
        draft: str,
        operator: ByOperator,
        body: Nothing | None = None,
        key: Key = None,
    ) -> Response:
        """Publish a draft with the very words that lie ready; 409 where it was withdrawn meanwhile."""
        order = self._desk.order(request, page, operator, key)
        return await self._decide(order, draft, DraftApproved(draft), "approved")

    async def dismiss(
        self,
        request: Request,
        page: str,
        draft: str,
        operator: ByOperator,
        body: DismissDraft | None = None,
        key: Key = None,
    ) -> Response:
        """Throw a draft away; its alerts stay silent unless they grow worse."""
        order = self._desk.order(request, page, operator, key)
        reason = (body.reason if body else None) or ""
        return await self._decide(order, draft, DraftDismissed(draft, reason), "dismissed")

    async def _decide(self, order: Order, draft: str, data: EventData, state: str) -> Response:
        waiting = self._desk.view(order.page).drafts.get(draft)
        # A decided draft waits no more, yet the decision may be repeated.
        before = await self._desk.done_before(order) if waiting is None else None
        if waiting is None and before is None and not _ID.fullmatch(draft):
            raise not_found("draft")
        drill = any(one is not None and one.drill for one in (waiting, before))
        done = await self._desk.carry_out(replace(order, drill=drill), lambda _: data)
        return answer(done, {"id": draft, "draft": draft, "state": state})
