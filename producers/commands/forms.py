"""What people click: the sign-up form, and the buttons that confirm and unsubscribe. Signed links, no cookies.

A browser is sent on to a page that says what was done (303); programs, and mailboxes that unsubscribe with one click
(RFC 8058), are answered at once.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response

from producers.commands.bodies.subscribers import NewSubscriber
from producers.commands.desk import Desk, json_response
from producers.commands.sign_up import SignUps
from producers.commands.subscribers import Subscribers
from producers.intake.receiving import read_body
from streams.runtime.links import ExpiredLinkError, LinkError, Purpose, Ticket
from streams.runtime.problems import ProblemError, invalid, not_found
from streams.runtime.validation import problem_of

MAX_FORM = 128 * 1024
_MOST_FIELDS = 1_000
_TRAP = "website"
"""A field that people do not see and programs fill in."""
_FORM = "application/x-www-form-urlencoded"
Fields = dict[str, list[str]]


class Forms:
    """The handlers."""

    def __init__(self, desk: Desk, sign_ups: SignUps, subscribers: Subscribers) -> None:
        self._desk = desk
        self._sign_ups = sign_ups
        self._subscribers = subscribers

    def routes(self) -> APIRouter:
        """Return the routes; they are for browsers and mailboxes, so the API's description leaves them out."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/subscribe", self.subscribe, methods=["POST"])
        router.add_api_route("/confirm/{token}", self.confirm, methods=["POST"])
        router.add_api_route("/unsubscribe/{token}", self.unsubscribe, methods=["POST"])
        return router

    async def subscribe(self, request: Request) -> Response:
        """Take the form of a status page."""
        fields = _fields(request, await _form(request))
        if any(fields.get(_TRAP, ())):
            return _said(request, "subscribed", {"state": "pending"})
        page = self._page(fields)
        wish = self._subscribers.wish(request, page, _new_subscriber(fields), None, None)
        signed_up = await self._sign_ups.add(wish)
        document = {"id": signed_up.subscriber, "state": "pending"}
        if signed_up.secret:
            # Whoever typed a webhook must get its secret, and a page would keep it in a browser's history.
            return json_response(document | {"secret": signed_up.secret}, 201)
        return _said(request, "subscribed", document)

    async def confirm(self, request: Request, token: str) -> Response:
        """Confirm a sign-up."""
        await _form(request)
        ticket = self._ticket(Purpose.CONFIRM, token)
        await self._sign_ups.confirm(ticket)
        return _said(request, "confirmed", {"id": ticket.subscriber, "state": "active"})

    async def unsubscribe(self, request: Request, token: str) -> Response:
        """Remove a subscriber, for a button and for List-Unsubscribe-Post alike."""
        one_click = b"List-Unsubscribe" in await _form(request)
        ticket = self._ticket(Purpose.UNSUBSCRIBE, token)
        await self._sign_ups.leave(ticket)
        document = {"id": ticket.subscriber, "state": "removed"}
        return json_response(document, 200) if one_click else _said(request, "unsubscribed", document)

    def _ticket(self, purpose: Purpose, token: str) -> Ticket:
        try:
            ticket = self._desk.deps.links.read(purpose, token)
        except ExpiredLinkError as error:
            raise ProblemError(410, "No longer valid", str(error)) from None
        except LinkError as error:
            raise ProblemError(404, "Not found", str(error)) from None
        self._desk.view(ticket.page)
        return ticket

    def _page(self, fields: Fields) -> str:
        known = self._desk.deps.views.pages()
        named = fields.get("page", known[:1])
        if not named or named[0] not in known:
            raise not_found("page")
        return named[0]


async def _form(request: Request) -> bytes:
    try:
        return await read_body(request, MAX_FORM)
    except ClientDisconnect:
        return b""


def _fields(request: Request, body: bytes) -> Fields:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise ProblemError(415, "Not a form", f"Send the form as {_FORM}.")
    fields: Fields = {}
    try:
        pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise invalid("body", "has too many fields") from None
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return fields


def _new_subscriber(fields: Fields) -> NewSubscriber:
    try:
        return NewSubscriber.model_validate(dict(_members(fields)))
    except ValidationError as error:
        errors = [{**one, "loc": ("body", *one["loc"])} for one in error.errors()]
        raise problem_of(errors) from None


def _members(fields: Fields) -> Iterator[tuple[str, Any]]:
    for name in ("email", "webhook", "channel", "address", "min_impact"):
        if value := fields.get(name, [""])[0].strip():
            yield name, value
    if kinds := fields.get("kinds"):
        yield "kinds", kinds
    scope, cells = fields.get("scope", [""])[0], fields.get("cells", [])
    if scope == "some" or (cells and scope != "all"):
        yield "cells", [_cell(value) for value in cells]


def _cell(value: str) -> dict[str, str | None]:
    component, _, region = value.partition("/")
    return {"component": component, "region": region or None}


def _said(request: Request, page: str, document: dict[str, Any]) -> Response:
    """Send a browser on to the page that says what was done; answer a program with JSON."""
    if "json" in request.headers.get("accept", ""):
        return json_response(document, 200)
    return RedirectResponse(f"/{page}", 303, {"Cache-Control": "no-store"})
