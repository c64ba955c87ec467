"""Where commands are carried out: who asks, under which id, durable on the log, and the fold's verdict as the answer.

A command with an ``Idempotency-Key`` has an id that depends on page, sender, route and key: its repeat is the same
event, and is answered as the first was.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import orjson
from fastapi import Depends, Header, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import Request
from starlette.responses import Response

from producers.commands.deps import CommandDeps, Known, Standing
from schemas.events import AnyEvent, Event, EventData, Micros
from schemas.ids import derive, random_id
from streams.domain.model import PageView
from streams.log.port import LogUnavailableError
from streams.runtime.access import Operator, Role
from streams.runtime.problems import FieldError, ProblemError, not_found, overloaded

VERDICT_SECONDS = 1.0
"""How long a command waits for the fold's verdict before it answers 202."""
_bearer = HTTPBearer(auto_error=False, description="The token of an operator.")
Make: TypeAlias = Callable[[Micros], EventData]
"""Makes a command's event as of a time; the same twice for the same time."""

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="Any text of your own: however often it is sent, the command is carried out once.",
    ),
]


def _operator(request: Request) -> Operator:
    found: Operator = request.state.operator
    return found


async def current_operator(request: Request) -> Operator:
    """Return whom the route's guard let in."""
    return _operator(request)


ByOperator = Annotated[Operator, Depends(current_operator)]


@dataclass(frozen=True)
class Order:
    """One command: ``id`` becomes the event's. ``keyed`` says that it may have been carried out before."""

    page: str
    actor: str
    id: str
    keyed: bool
    drill: bool = False


@dataclass(frozen=True)
class Done:
    """A durable command: its event (the first one's, if it was repeated), and whether the verdict is known."""

    event: AnyEvent
    known: bool


class Desk:
    """Carries out commands."""

    def __init__(self, deps: CommandDeps) -> None:
        self.deps = deps

    def needs(self, role: Role) -> Any:
        """Return the dependency of a route that only operators of ``role`` and above may use."""

        async def guard(
            request: Request, _credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
        ) -> None:
            request.state.operator = self.deps.access.require(request.headers.get("authorization"), role)

        return Depends(guard)

    def view(self, page: str) -> PageView:
        """Return the page's newest picture; raises ProblemError 404."""
        view = self.deps.views.view(page)
        if view is None:
            raise not_found("page")
        return view

    @staticmethod
    def order(request: Request, page: str, operator: Operator, key: str | None, *, drill: bool = False) -> Order:
        """Return the order that a request is."""
        return Order(page, operator.actor, command_id(request, page, operator.actor, key), key is not None, drill)

    async def done_before(self, order: Order) -> AnyEvent | None:
        """Return the event of an order that is repeated."""
        return await self.find(order.id) if order.keyed else None

    async def find(self, event_id: str) -> AnyEvent | None:
        """Return the event of this id; raises ProblemError 503."""
        try:
            return await asyncio.to_thread(self.deps.find, event_id)
        except LogUnavailableError:
            raise unavailable() from None

    async def known(self, page: str, subscriber: str) -> Known | None:
        """Return a subscriber as folded so far, None for a stranger; raises ProblemError 503."""
        try:
            return await asyncio.to_thread(self.deps.known, page, subscriber)
        except LogUnavailableError:
            raise unavailable() from None

    async def standing(self, page: str, subscriber: str) -> Standing | None:
        """Return what the fold knows of a subscription; raises ProblemError 503."""
        try:
            return await asyncio.to_thread(self.deps.standing, page, subscriber)
        except LogUnavailableError:
            raise unavailable() from None

    async def carry_out(
        self, order: Order, make: Make, same: Callable[[EventData, EventData], bool] = EventData.__eq__
    ) -> Done:
        """Append the command's event and wait for the verdict.

        Raises ProblemError 409 with the fold's reason, 422 for a key that was used for something else, and 503.
        """
        now = self.deps.clock()
        event = _event(order, make(now), now)
        before = await self.done_before(order)
        if before is not None:
            _require_same(before, order, make, same)
            event = before
        offset, duplicate = await self._append(event)
        if duplicate and before is None and (first := await self.find(order.id)) is not None:
            # Two requests with one key at once: the other was faster.
            _require_same(first, order, make, same)
            event = first
        verdict = await self.deps.views.verdict(order.page, event.id, offset, VERDICT_SECONDS)
        if verdict.known and verdict.reason is not None:
            raise ProblemError(409, "Not applied", _sentence(verdict.reason))
        return Done(event, verdict.known)

    async def _append(self, event: AnyEvent) -> tuple[int, bool]:
        [where] = await self.publish([event])
        return where

    async def publish(self, events: list[AnyEvent]) -> list[tuple[int, bool]]:
        """Append events; return for each its offset and whether it lay there before. Raises ProblemError 503."""
        try:
            appended = await self.deps.publisher.publish(events)
        except LogUnavailableError:
            raise unavailable() from None
        return [(where.offset, where.duplicate) for where in appended]


def command_id(request: Request, page: str, sender: str, key: str | None) -> str:
    """Return the id of a command's event: random without a key."""
    return random_id() if key is None else derive("command", page, sender, request.method, request.url.path, key)


def answer(done: Done, document: dict[str, Any]) -> Response:
    """Answer 201 with ``document``, or 202 with its id while the verdict is not known."""
    if done.known:
        return json_response(document, 201)
    return json_response({"id": document["id"], "state": "pending"}, 202)


def json_response(document: dict[str, Any], status: int) -> Response:
    """Return a JSON answer that no cache keeps."""
    return Response(orjson.dumps(document), status, {"Cache-Control": "no-store"}, "application/json")


def unavailable() -> ProblemError:
    """Return the problem of a log or key store that cannot take a command now."""
    return overloaded("Nothing was stored. Please try again.")


def used_otherwise() -> ProblemError:
    """Return the problem of a key that belongs to another request."""
    field = "header.Idempotency-Key"
    return ProblemError(
        422,
        "The key was used before",
        "This Idempotency-Key was sent with another request. Use a new one.",
        errors=(FieldError(field, "was used for something else"),),
    )


def _event(order: Order, data: EventData, now: Micros) -> AnyEvent:
    return Event(order.id, order.page, now, now, order.actor, None, None, order.drill, data)


def _require_same(before: AnyEvent, order: Order, make: Make, same: Callable[[EventData, EventData], bool]) -> None:
    wanted = make(before.recorded_at)
    if type(before.data) is not type(wanted) or before.drill != order.drill or not same(before.data, wanted):
        raise used_otherwise()


def _sentence(reason: str) -> str:
    return f"{reason[:1].upper()}{reason[1:]}."
