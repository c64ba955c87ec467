"""A subscriber's own page, behind the signed link of a mail, and the form that has the link mailed. It only shows.

What its buttons do is for the command API; mail scanners open every link, so nothing here changes anything.
"""

from urllib.parse import quote

from fastapi import APIRouter
from starlette.responses import Response

from consumers.web.dependencies import WebDependencies
from consumers.web.ports import SubscriberRow
from consumers.web.public import private
from consumers.web.render.managed import managed
from schemas.vocabulary import Audience
from streams.domain.model import PageView
from streams.runtime.links import LinkError, Purpose, Ticket
from streams.runtime.problems import ProblemError, not_found

_DONE = {
    "changed": ("Your choice is saved", "It counts from the next message on."),
    "paused": ("Your subscription is paused", "You will hear of nothing until you take it up again."),
    "added": (
        "Your number is added",
        "It hears of what your mail address hears of. This is its own page: keep its address.",
    ),
    "resumed": ("Your subscription goes on", "You will hear of incidents and maintenance as you chose."),
}
"""What was done, by the word that follows it in the address. What it changed may not be folded yet, so it is not shown."""
_UNCONFIRMED = (
    "Not confirmed yet",
    "Follow the link in the message that asks you to confirm your subscription; then you can change it here.",
)


class Managing:
    """The handlers."""

    def __init__(self, deps: WebDependencies) -> None:
        self._deps = deps

    def routes(self) -> APIRouter:
        """Return the routes; machines have no use for them, so the API's description leaves them out."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route("/manage", self.lost_link, methods=["GET", "HEAD"])
        router.add_api_route("/manage/{token}", self.manage, methods=["GET", "HEAD"])
        router.add_api_route("/manage/{token}/phone/{asked}", self.code, methods=["GET", "HEAD"])
        return router

    def lost_link(self) -> Response:
        """Return the form that has the link mailed."""
        return private(self._deps.pages.lost_link(self._view(self._deps.page)))

    def manage(self, token: str, done: str = "") -> Response:
        """Return what a subscriber hears of, with the forms that change it."""
        pages, ticket = self._deps.pages, self._ticket(token)
        view = self._view(ticket.page)
        action = f"/manage/{quote(token, safe='')}"
        if done in _DONE:
            return private(pages.message(view, *_DONE[done], back=action))
        row = self._row(ticket)
        if row.state == "pending":
            return private(pages.message(view, *_UNCONFIRMED))
        if row.audience is Audience.INTERNAL:  # they choose among what the public does not know of, too
            view = self._deps.board.view(ticket.page) or view
        return private(pages.manage(view, action, managed(view, row)))

    def code(self, token: str, asked: str) -> Response:
        """Return the form for the code that a number was sent."""
        ticket = self._ticket(token)
        action = f"/manage/{quote(token, safe='')}/phone/{quote(asked, safe='')}"
        return private(self._deps.pages.code(self._view(ticket.page), action))

    def _ticket(self, token: str) -> Ticket:
        try:
            return self._deps.links.read(Purpose.MANAGE, token)
        except LinkError as error:
            raise ProblemError(404, "Not found", str(error)) from None

    def _row(self, ticket: Ticket) -> SubscriberRow:
        row = self._deps.subscribers.one(ticket.page, ticket.subscriber)
        if row is None:
            raise not_found("subscription")
        if row.state == "removed":
            raise ProblemError(410, "No longer valid", "This subscription has ended. Please sign up again.")
        return row

    def _view(self, page: str) -> PageView:
        view = self._deps.public.view(page)
        if view is None:
            raise not_found("page")
        return view
