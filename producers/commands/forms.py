"""What people click: the sign-up form, and the buttons that confirm and unsubscribe. Signed links, no cookies.

A browser is sent on to a page that says what was done (303); programs, and mailboxes that unsubscribe with one click
(RFC 8058), are answered at once.
"""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from producers.commands.desk import Desk, json_response
from producers.commands.posted import TRAP, fields_of, form_body, page_of, said, subscriber_of, ticket_of
from producers.commands.sign_up import SignUps
from producers.commands.subscribers import Subscribers
from streams.runtime.links import Purpose


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
        fields = fields_of(request, await form_body(request))
        if any(fields.get(TRAP, ())):
            return said(request, "/subscribed", {"state": "pending"})
        page = page_of(self._desk, fields)
        wish = self._subscribers.wish(request, page, subscriber_of(fields), None, None)
        signed_up = await self._sign_ups.add(wish)
        document = {"id": signed_up.subscriber, "state": "pending"}
        if signed_up.secret:
            # Whoever typed a webhook must get its secret, and a page would keep it in a browser's history.
            return json_response(document | {"secret": signed_up.secret}, 201)
        return said(request, "/subscribed", document)

    async def confirm(self, request: Request, token: str) -> Response:
        """Confirm a sign-up."""
        await form_body(request)
        ticket = ticket_of(self._desk, Purpose.CONFIRM, token)
        await self._sign_ups.confirm(ticket)
        return said(request, "/confirmed", {"id": ticket.subscriber, "state": "active"})

    async def unsubscribe(self, request: Request, token: str) -> Response:
        """Remove a subscriber, for a button and for List-Unsubscribe-Post alike."""
        one_click = b"List-Unsubscribe" in await form_body(request)
        ticket = ticket_of(self._desk, Purpose.UNSUBSCRIBE, token)
        await self._sign_ups.leave(ticket)
        document = {"id": ticket.subscriber, "state": "removed"}
        return json_response(document, 200) if one_click else said(request, "/unsubscribed", document)
