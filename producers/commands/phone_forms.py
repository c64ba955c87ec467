"""A phone number added by somebody whose mail address is confirmed: a code is sent to the number and typed into the page.

Each code costs the operator, and numbers that earn by messages are signed up by the thousand (SMS pumping): so a number stands behind
a confirmed mail address, is of a country that the operator allows, and everything about it is counted. What is answered is
the same whether the number is known or not.
"""

import asyncio
import hmac

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from producers.commands.addresses import Address
from producers.commands.deps import Door, Known
from producers.commands.desk import Desk
from producers.commands.posted import fields_of, form_body, said, ticket_of
from producers.commands.sign_up import SignUps, Wish
from schemas.ids import random_id
from streams.log.port import LogUnavailableError
from streams.runtime.links import CodeTicket, ExpiredLinkError, LinkError, Purpose, Ticket
from streams.runtime.problems import ProblemError, invalid, not_found, overloaded

CHANNEL, VERIFIED = "sms", "email"
_MOST_TYPED = 40


class PhoneForms:
    """The handlers."""

    def __init__(self, desk: Desk, sign_ups: SignUps) -> None:
        self._desk = desk
        self._sign_ups = sign_ups

    def routes(self) -> APIRouter:
        """Return the routes; they are for browsers, so the API's description leaves them out."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/manage/{token}/phone", self.ask, methods=["POST"])
        router.add_api_route("/manage/{token}/phone/{asked}", self.confirm, methods=["POST"])
        return router

    async def ask(self, request: Request, token: str) -> Response:
        """Send a code to the number that a subscriber types."""
        body = await form_body(request)
        owner, door = ticket_of(self._desk, Purpose.MANAGE, token), self._door()
        await self._sign_ups.require_standing(owner)
        known = await self._known(owner)
        number = _number(door, fields_of(request, body).get("phone", [""])[0])
        client = request.client.host if request.client else ""
        self._desk.deps.limits.require_code(
            client, owner.subscriber, number, door.country(number), owner.page, door.codes_a_day
        )
        added = await self._sign_ups.add(_wish(owner, number, known))
        asked = self._desk.deps.links.code_token(CodeTicket(owner.page, owner.subscriber, added.subscriber))
        return said(request, f"/manage/{token}/phone/{asked}", {"state": "pending", "code": asked})

    async def confirm(self, request: Request, token: str, asked: str) -> Response:
        """Take the code that was sent."""
        body = await form_body(request)
        owner = ticket_of(self._desk, Purpose.MANAGE, token)
        pending = self._pending(owner, asked)
        self._desk.deps.limits.require_try(pending.subscriber)
        await self._sign_ups.require_standing(owner)
        typed = "".join(fields_of(request, body).get("code", [""])[0].split())
        links = self._desk.deps.links
        if not hmac.compare_digest(typed.encode(), links.code(pending.page, pending.subscriber).encode()):
            raise invalid("code", "is not the one that we sent")
        await self._sign_ups.confirm(pending)
        own = links.token(Purpose.MANAGE, pending.page, pending.subscriber)
        return said(request, f"/manage/{own}?done=added", {"id": pending.subscriber, "state": "active"})

    def _door(self) -> Door:
        door = self._desk.deps.doors.get(CHANNEL)
        if door is None or not door.codes_a_day:
            raise not_found("channel for phone numbers")
        return door

    async def _known(self, owner: Ticket) -> Known:
        """Return who asks; raises ProblemError 409 for whose mail address is not known to be theirs, and 503."""
        try:
            known = await asyncio.to_thread(self._desk.deps.known, owner.page, owner.subscriber)
        except LogUnavailableError:
            raise overloaded("Nothing was stored. Please try again.") from None
        if known is None or known.channel != VERIFIED or not known.is_active:
            raise ProblemError(409, "Not confirmed", "Only who is subscribed by mail can add a phone number.")
        return known

    def _pending(self, owner: Ticket, asked: str) -> Ticket:
        """Return the number that a code confirms; raises ProblemError 404, and 410 after ten minutes."""
        try:
            found = self._desk.deps.links.read_code_token(asked)
        except ExpiredLinkError as error:
            raise ProblemError(410, "No longer valid", str(error)) from None
        except LinkError as error:
            raise ProblemError(404, "Not found", str(error)) from None
        if (found.page, found.owner) != (owner.page, owner.subscriber):
            raise ProblemError(404, "Not found", "This link belongs to another subscription.")
        return Ticket(found.page, found.subscriber)


def _number(door: Door, typed: str) -> str:
    try:
        return door.canonical(typed.strip()[:_MOST_TYPED])
    except ValueError as error:
        raise invalid("phone", str(error)) from None


def _wish(owner: Ticket, number: str, known: Known) -> Wish:
    """Return the sign-up of a number, which is to hear of what its owner hears of by mail."""
    return Wish(
        id=random_id(),
        keyed=False,
        page=owner.page,
        address=Address(CHANNEL, number),
        filter=known.filter,
        confirmed=False,
        operator=None,
        pace=known.pace,
        behind=owner.subscriber,
        audience=known.audience,
    )
