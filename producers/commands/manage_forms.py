"""The buttons of the page on which subscribers manage their own subscription. The link is the authority: no cookies, so no other site can press them.

Only a POST changes anything; the page itself, which mail scanners open, is not of this package.
"""

from typing import Any

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response

from producers.commands.addresses import address_of
from producers.commands.bodies.pace import PaceWish, pace_of
from producers.commands.bodies.subscribers import NewSubscriber
from producers.commands.desk import Desk
from producers.commands.managing import Managing
from producers.commands.posted import TRAP, Fields, fields_of, form_body, page_of, said, subscriber_of, ticket_of
from producers.commands.sign_up import SignUps
from producers.commands.subscribers import filter_of
from schemas.vocabulary import Audience
from streams.runtime.links import Purpose, Ticket
from streams.runtime.problems import invalid
from streams.runtime.validation import problem_of

_PACE = ("quiet_from", "quiet_to", "zone", "digest", "digest_at", "minimum_gap", "critical_gets_through")
_CHOICES = ("scope", "cells", "kinds", "min_impact")


class ManageForms:
    """The handlers."""

    def __init__(self, desk: Desk, sign_ups: SignUps, managing: Managing) -> None:
        self._desk = desk
        self._sign_ups = sign_ups
        self._managing = managing

    def routes(self) -> APIRouter:
        """Return the routes; they are for browsers, so the API's description leaves them out."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/manage", self.mail_link, methods=["POST"])
        for path, handler in (
            ("", self.change),
            ("/pace", self.choose_pace),
            ("/pause", self.pause),
            ("/resume", self.resume),
            ("/leave", self.leave),
        ):
            router.add_api_route(f"/manage/{{token}}{path}", handler, methods=["POST"])
        return router

    async def mail_link(self, request: Request) -> Response:
        """Mail the link to whom it belongs. What is answered, and when, does not depend on whether there is anybody."""
        fields = fields_of(request, await form_body(request))
        page = page_of(self._desk, fields)
        answer = said(request, "/sent", {"state": "sent"})
        if any(fields.get(TRAP, ())):
            return answer
        address = address_of(subscriber_of({"email": fields.get("email", [""])}), {})
        client = request.client.host if request.client else ""
        self._desk.deps.limits.require(client, address.lookup(page), page)
        answer.background = BackgroundTask(self._managing.mail_link, page, address)
        return answer

    async def change(self, request: Request, token: str) -> Response:
        """Take what a subscriber wants to hear of from now on."""
        body = await form_body(request)
        ticket = self._ticket(token)
        wanted = _wanted(fields_of(request, body))
        known = await self._desk.known(ticket.page, ticket.subscriber)
        audience = Audience.PUBLIC if known is None else known.audience
        await self._managing.change(ticket, filter_of(self._desk.view(ticket.page), wanted, audience))
        return _done(request, token, "changed")

    async def choose_pace(self, request: Request, token: str) -> Response:
        """Take when a subscriber wants to be told, and how often at the most."""
        body = await form_body(request)
        ticket = self._ticket(token)
        await self._managing.choose_pace(ticket, pace_of(_pace(fields_of(request, body))))
        return _done(request, token, "changed")

    async def pause(self, request: Request, token: str) -> Response:
        """Tell a subscriber nothing for a while."""
        return await self._paused(request, token, paused=True)

    async def resume(self, request: Request, token: str) -> Response:
        """End the pause."""
        return await self._paused(request, token, paused=False)

    async def leave(self, request: Request, token: str) -> Response:
        """Remove a subscriber."""
        await form_body(request)
        await self._sign_ups.leave(self._ticket(token))
        return said(request, "/unsubscribed", {"state": "removed"})

    async def _paused(self, request: Request, token: str, *, paused: bool) -> Response:
        await form_body(request)
        await self._managing.pause(self._ticket(token), paused=paused)
        return _done(request, token, "paused" if paused else "resumed")

    def _ticket(self, token: str) -> Ticket:
        ticket = ticket_of(self._desk, Purpose.MANAGE, token)
        self._desk.deps.limits.require_change(ticket.subscriber)
        return ticket


def _wanted(fields: Fields) -> NewSubscriber:
    """Return the choices of a form that shows all of them: nothing ticked means nothing here, not everything."""
    if not fields.get("kinds"):
        raise invalid("kinds", "choose at least one, or pause the messages")
    return subscriber_of({name: fields[name] for name in _CHOICES if name in fields})


def _pace(fields: Fields) -> PaceWish:
    """Return when somebody wants to be told; raises ProblemError 400 that names the fields."""
    given = {name: fields.get(name, [""])[0].strip() for name in _PACE}
    wanted: dict[str, Any] = {"critical_gets_through": bool(given["critical_gets_through"])}
    if given["quiet_from"] or given["quiet_to"]:
        wanted["quiet_hours"] = {"from": given["quiet_from"], "to": given["quiet_to"], "zone": given["zone"]}
    if given["digest"]:
        daily = {"at": given["digest_at"]} if given["digest"] == "day" else {}
        wanted["digest"] = {"every": given["digest"], "zone": given["zone"], **daily}
    if given["minimum_gap"] not in ("", "0"):
        wanted["minimum_gap"] = f"{given['minimum_gap']}s"
    try:
        return PaceWish.model_validate(wanted)
    except ValidationError as error:
        raise problem_of([{**one, "loc": ("body", *one["loc"])} for one in error.errors()]) from None


def _done(request: Request, token: str, what: str) -> Response:
    # The token is one of ours by now, so it fits into a path as it stands.
    return said(request, f"/manage/{token}?done={what}", {"state": what})
