"""Forms as browsers post them: their bodies read, the links behind them, and the answer that says what was done. Decides nothing."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

from pydantic import ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response

from producers.commands.bodies.subscribers import NewSubscriber
from producers.commands.desk import Desk, json_response
from producers.intake.receiving import read_body
from streams.runtime.links import ExpiredLinkError, LinkError, Purpose, Ticket
from streams.runtime.problems import ProblemError, invalid, not_found
from streams.runtime.validation import problem_of

MAX_FORM = 128 * 1024
_MOST_FIELDS = 1_000
TRAP = "website"
"""A field that people do not see and programs fill in."""
_TEXTS = ("email", "webhook", "channel", "address", "min_impact")
_FORM = "application/x-www-form-urlencoded"
Fields = dict[str, list[str]]


async def form_body(request: Request) -> bytes:
    """Return the body of a form, empty from who went away; raises ProblemError 413."""
    try:
        return await read_body(request, MAX_FORM)
    except ClientDisconnect:
        return b""


def fields_of(request: Request, body: bytes) -> Fields:
    """Return the values of each field; raises ProblemError 400 and 415."""
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


def said(request: Request, path: str, document: dict[str, Any]) -> Response:
    """Send a browser on to the page that says what was done (303); answer a program with JSON."""
    if "json" in request.headers.get("accept", ""):
        return json_response(document, 200)
    return RedirectResponse(path, 303, {"Cache-Control": "no-store"})


def page_of(desk: Desk, fields: Fields) -> str:
    """Return the page that a form is of, the first one if it names none; raises ProblemError 404."""
    known = desk.deps.views.pages()
    named = fields.get("page", known[:1])
    if not named or named[0] not in known:
        raise not_found("page")
    return named[0]


def ticket_of(desk: Desk, purpose: Purpose, token: str) -> Ticket:
    """Return what the link behind a form stands for; raises ProblemError 404 and 410."""
    try:
        ticket = desk.deps.links.read(purpose, token)
    except ExpiredLinkError as error:
        raise ProblemError(410, "No longer valid", str(error)) from None
    except LinkError as error:
        raise ProblemError(404, "Not found", str(error)) from None
    desk.view(ticket.page)
    return ticket


def subscriber_of(fields: Fields) -> NewSubscriber:
    """Return what a form says of a subscriber; raises ProblemError 400 that names the fields."""
    try:
        return NewSubscriber.model_validate(dict(_members(fields)))
    except ValidationError as error:
        errors = [{**one, "loc": ("body", *one["loc"])} for one in error.errors()]
        raise problem_of(errors) from None


def _members(fields: Fields) -> Iterator[tuple[str, Any]]:
    given = {name: fields.get(name, [""])[0].strip() for name in _TEXTS}
    if not given["address"]:
        given["channel"] = ""  # a list always has something chosen
    yield from ((name, value) for name, value in given.items() if value)
    if kinds := fields.get("kinds"):
        yield "kinds", kinds
    scope, cells = fields.get("scope", [""])[0], fields.get("cells", [])
    if scope == "some" or (cells and scope != "all"):
        yield "cells", [_cell(value) for value in cells]


def _cell(value: str) -> dict[str, str | None]:
    component, _, region = value.partition("/")
    return {"component": component, "region": region or None}
