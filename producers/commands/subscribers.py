"""POST subscribers, for everybody and for operators; DELETE erases one."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import Request
from starlette.responses import Response

from producers.commands.addresses import address_of
from producers.commands.bodies.answers import Assigned, Erased, SignedUp, refusals
from producers.commands.bodies.pace import PaceWish, pace_of, shown
from producers.commands.bodies.subscribers import AssignAudience, NewSubscriber
from producers.commands.cells import expanded
from producers.commands.desk import ByOperator, Desk, Key, command_id, json_response
from producers.commands.json_route import JsonRoute
from producers.commands.sight import require_choosable
from producers.commands.sign_up import SignUps, Wish
from schemas.events import Cell, Filter
from schemas.vocabulary import Audience, Impact, Kind
from streams.domain.audiences import public_view
from streams.domain.model import PageView
from streams.runtime.access import Operator, Role
from streams.runtime.problems import not_found

_ID = re.compile(r"[0-9a-f]{32}")
_BOTH = [Kind.INCIDENT, Kind.MAINTENANCE]
_optional_bearer = HTTPBearer(auto_error=False, description="The token of an operator; strangers need none.")


class Subscribers:
    """The handlers."""

    def __init__(self, desk: Desk, sign_ups: SignUps) -> None:
        self._desk = desk
        self._sign_ups = sign_ups

    def routes(self) -> APIRouter:
        """Return the routes, relative to the page."""
        router = APIRouter(tags=["subscribers"], route_class=JsonRoute)
        router.post(
            "/subscribers",
            status_code=201,
            response_model=SignedUp,
            responses=refusals(400, 401, 403, 404, 413, 415, 422, 429, 503),
        )(self.subscribe)
        router.put(
            "/subscribers/{subscriber}/pace",
            response_model=PaceWish,
            responses=refusals(400, 401, 403, 404, 410, 413, 415, 503),
            dependencies=[self._desk.needs(Role.OPERATOR)],
        )(self.choose_pace)
        router.put(
            "/subscribers/{subscriber}/audience",
            response_model=Assigned,
            responses=refusals(400, 401, 403, 404, 410, 413, 415, 503),
            dependencies=[self._desk.needs(Role.OPERATOR)],
        )(self.assign)
        router.delete(
            "/subscribers/{subscriber}",
            response_model=Erased,
            responses=refusals(401, 403, 404, 503),
            dependencies=[self._desk.needs(Role.ADMIN)],
        )(self.erase)
        return router

    async def subscribe(
        self,
        request: Request,
        page: str,
        body: NewSubscriber,
        _credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_optional_bearer)],
        key: Key = None,
    ) -> Response:
        """Subscribe an address. Its owner is asked first, unless an operator vouches for it with ``confirmed``.

        On some channels nobody can be asked: there an operator has to vouch.
        """
        operator = self._operator(request, body)
        wish = self.wish(request, page, body, operator, key)
        signed_up = await self._sign_ups.add(wish)
        document: dict[str, Any] = {
            "id": signed_up.subscriber,
            "state": "active" if signed_up.confirmed else "pending",
        }
        if signed_up.secret:
            document["secret"] = signed_up.secret
        return json_response(document, 201)

    async def choose_pace(self, page: str, subscriber: str, body: PaceWish, operator: ByOperator) -> Response:
        """Choose when a subscriber is told, and how often at the most, in place of what was chosen before."""
        self._desk.view(page)
        if not _ID.fullmatch(subscriber):  # as below
            raise not_found("subscriber")
        pace = pace_of(body)
        await self._sign_ups.choose_pace(page, subscriber, pace, operator.actor)
        return json_response(shown(pace), 200)

    async def assign(self, page: str, subscriber: str, body: AssignAudience, operator: ByOperator) -> Response:
        """Say whom a subscriber belongs to: the public, or those who work here and hear of what is internal, too."""
        self._desk.view(page)
        if not _ID.fullmatch(subscriber):  # as below
            raise not_found("subscriber")
        await self._sign_ups.assign(page, subscriber, body.audience, operator.actor)
        return json_response({"id": subscriber, "audience": body.audience}, 200)

    async def erase(self, page: str, subscriber: str, operator: ByOperator) -> Response:
        """Erase a subscriber: the key to its address is destroyed, and with it every copy of the address in the log."""
        self._desk.view(page)
        if not _ID.fullmatch(subscriber):  # other owners of keys have other ids
            raise not_found("subscriber")
        await self._sign_ups.erase(page, subscriber, operator.actor)
        return json_response({"id": subscriber, "state": "erased"}, 200)

    def wish(
        self, request: Request, page: str, body: NewSubscriber, operator: Operator | None, key: str | None
    ) -> Wish:
        """Return the sign-up that a request is, with a stranger's counted.

        Raises ProblemError 400, 404, and 429.
        """
        view = self._desk.view(page)
        audience = Audience.PUBLIC if operator is None else body.audience or Audience.PUBLIC
        address = address_of(body, self._desk.deps.doors)
        wanted = filter_of(view, body, audience, knows_all=operator is not None)
        client = request.client.host if request.client else ""
        if operator is None:
            self._desk.deps.limits.require(client, address.lookup(page), page)
        # Strangers share no keys: else one could ask for the answer that another got.
        sender = f"public:{client}" if operator is None else operator.actor
        actor = None if operator is None else operator.actor
        identifier = command_id(request, page, sender, key)
        return Wish(
            identifier, key is not None, page, address, wanted, bool(body.confirmed), actor, pace_of(body),
            audience=audience,
        )  # fmt: skip

    def _operator(self, request: Request, body: NewSubscriber) -> Operator | None:
        authorization = request.headers.get("authorization")
        vouches = body.confirmed or body.audience is Audience.INTERNAL
        if authorization is None and not vouches:
            return None
        needed = Role.OPERATOR if vouches else Role.VIEWER
        operator = self._desk.deps.access.require(authorization, needed)
        return operator if operator.role >= Role.OPERATOR else None


def filter_of(view: PageView, body: NewSubscriber, audience: Audience, *, knows_all: bool = False) -> Filter:
    """Return what a sign-up wants to hear of; raises ProblemError 400 for cells that the page does not have.

    To a public ``audience`` what is internal is not there; an operator, who ``knows_all``, is told so.
    """
    cells = None
    if body.cells is not None:
        is_public = audience is Audience.PUBLIC
        expanded(public_view(view) if is_public and not knows_all else view, "cells", body.cells)
        # As chosen: a group means what will lie below it, too.
        cells = [Cell(choice.component, choice.region) for choice in body.cells]
        if is_public:
            require_choosable(view, cells)
    return Filter(cells, body.min_impact or Impact.NONE, list(dict.fromkeys(body.kinds or _BOTH)))
