"""POST subscribers/{subscriber}/reinstate: an operator lets an address be told again that a provider called dead.

What an owner wanted is the owner's to take back: by START, at the provider, or by signing up anew.
"""

import asyncio
import re

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from producers.commands.bodies.answers import Reinstated, refusals
from producers.commands.bodies.reinstatement import Reinstate
from producers.commands.deps import Known
from producers.commands.desk import ByOperator, Desk, Key, json_response, unavailable
from producers.commands.json_route import JsonRoute
from schemas.events import EndpointReinstated, Event
from schemas.vocabulary import Suppression
from streams.log.port import LogUnavailableError
from streams.runtime.access import Role
from streams.runtime.problems import ProblemError, not_found
from streams.runtime.signup import BY_OPERATOR

_ID = re.compile(r"[0-9a-f]{32}")
_REASON = "reinstated by an operator"
_SUPPRESSED = "suppressed"
_REFUSALS = {
    Suppression.OPTED_OUT: "Its owner wants no more, and only the owner can take that back.",
    Suppression.COMPLAINED: "Its owner reported what was sent as spam; say even_complained to reinstate it all the same.",
}


class Reinstatements:
    """The handler."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> APIRouter:
        """Return the route, relative to the page."""
        router = APIRouter(tags=["subscribers"], route_class=JsonRoute)
        router.post(
            "/subscribers/{subscriber}/reinstate",
            response_model=Reinstated,
            responses=refusals(400, 401, 403, 404, 409, 413, 415, 422, 503),
            dependencies=[self._desk.needs(Role.OPERATOR)],
        )(self.reinstate)
        return router

    async def reinstate(
        self, request: Request, page: str, subscriber: str, body: Reinstate, operator: ByOperator, key: Key = None
    ) -> Response:
        """Let a suppressed address be told again, of what is published from now on.

        Who had not confirmed the sign-up before still has to. A second bounce suppresses the address again.
        """
        self._desk.view(page)
        overrules = [*BY_OPERATOR, *([Suppression.COMPLAINED] if body.even_complained else [])]
        order = self._desk.order(request, page, operator, key)
        if await self._desk.done_before(order) is None:
            _require(await self._known(page, subscriber), overrules)
            now, data = self._desk.deps.clock(), EndpointReinstated(subscriber, _REASON, overrules)
            await self._desk.publish([Event(order.id, page, now, now, order.actor, None, None, False, data)])
        return json_response({"id": subscriber, "state": "reinstated"}, 200)

    async def _known(self, page: str, subscriber: str) -> Known | None:
        if not _ID.fullmatch(subscriber):
            return None
        try:
            return await asyncio.to_thread(self._desk.deps.known, page, subscriber)
        except LogUnavailableError:
            raise unavailable() from None


def _require(known: Known | None, overrules: list[Suppression]) -> None:
    """Raise ProblemError 404 for an unknown subscriber, 409 for one that is not to be reinstated so."""
    if known is None:
        raise not_found("subscriber")
    if known.state != _SUPPRESSED:
        raise ProblemError(409, "Not applied", f"The subscriber is {known.state}.")
    kind = known.suppression or Suppression.REFUSED
    if kind not in overrules:
        raise ProblemError(409, "Not applied", _REFUSALS[kind])
