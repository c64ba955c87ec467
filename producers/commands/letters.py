"""GET deadletters, and POST deadletters/{letter}/redrive: what could not be understood, for operators of the page."""

import asyncio
from base64 import b64encode
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query
from starlette.responses import Response

from producers.commands.bodies.answers import LetterBody, LetterList, LetterRedriven, LetterShape, refusals
from producers.commands.bodies.incidents import Nothing
from producers.commands.deps import CommandDeps
from producers.commands.desk import ByOperator, Desk, json_response, unavailable
from producers.commands.incidents import written
from producers.commands.json_route import JsonRoute
from producers.intake.letters import Letter, LetterError, Letters
from streams.keys.store import KeyStoreUnavailableError
from streams.log.port import LogError
from streams.runtime.access import Role
from streams.runtime.problems import ProblemError, invalid, not_found

T = TypeVar("T")


def letters_router(deps: CommandDeps, letters: Letters) -> APIRouter:
    """Return the routes."""
    router = APIRouter()
    router.include_router(LetterDesk(Desk(deps), letters).routes(), prefix="/api/v1/pages/{page}")
    return router


class LetterDesk:
    """The handlers."""

    def __init__(self, desk: Desk, letters: Letters) -> None:
        self._desk = desk
        self._letters = letters

    def routes(self) -> APIRouter:
        """Return the routes, relative to the page."""
        needs, refused = self._desk.needs, refusals(401, 403, 404, 503)
        router = APIRouter(tags=["deadletters"], route_class=JsonRoute, responses=refused)
        reads, opens = [needs(Role.VIEWER)], [needs(Role.OPERATOR)]
        router.get("/deadletters", response_model=LetterList, responses=refusals(400), dependencies=reads)(self.list)
        router.get("/deadletters/{letter}", response_model=LetterShape, dependencies=reads)(self.show)
        router.get(
            "/deadletters/{letter}/body", response_model=LetterBody, responses=refusals(409), dependencies=opens
        )(self.body)
        router.post(
            "/deadletters/{letter}/redrive",
            status_code=201,
            response_model=LetterRedriven,
            responses=refusals(409),
            dependencies=opens,
        )(self.redrive)
        return router

    async def list(
        self,
        page: str,
        after: Annotated[str | None, Query(max_length=100, description="The `next` of the page before.")] = None,
        limit: Annotated[int, Query(ge=1, le=100, description="How many to return at most.")] = 100,
    ) -> Response:
        """Return what could not be understood, the newest first, without its bytes."""
        self._desk.view(page)
        letters = await self._ask(lambda: self._letters.list(page))
        ids = [letter.id for letter in letters]
        if after and after not in ids:
            raise invalid("query.after", "not a cursor of this list")
        start = ids.index(after) + 1 if after else 0
        shown = letters[start : start + limit]
        following = shown[-1].id if start + limit < len(letters) else None
        return json_response({"deadletters": [_shape(letter) for letter in shown], "next": following}, 200)

    async def show(self, page: str, letter: str) -> Response:
        """Return one dead letter without its bytes."""
        return json_response(_shape(await self._found(page, letter)), 200)

    async def body(self, page: str, letter: str) -> Response:
        """Return the original bytes: what a monitor sent, which may hold anything."""
        found = await self._found(page, letter)
        plain, _ = await self._ask(lambda: self._letters.open(page, found.id))
        try:
            encoding, text = "utf-8", plain.decode()
        except UnicodeDecodeError:
            encoding, text = "base64", b64encode(plain).decode()
        return json_response({"id": found.id, "encoding": encoding, "body": text}, 200)

    async def redrive(self, page: str, letter: str, operator: ByOperator, body: Nothing | None = None) -> Response:
        """Have the source read it again, as if it were posted now; 409 with the reason where that is no use.

        An alert in it that is over by now opens an incident all the same, if nothing in the letter says so.
        """
        found = await self._found(page, letter)
        plain, sealed = await self._ask(lambda: self._letters.open(page, found.id))
        try:
            receipt = await self._letters.redrive(found, plain, sealed, page, operator.actor)
        except LetterError as error:
            raise _conflict(error) from None
        except LogError:
            raise unavailable() from None
        document = {"id": found.id, "accepted": receipt.accepted, "ignored": receipt.ignored, "events": receipt.events}
        return json_response(document, 201)

    async def _found(self, page: str, letter: str) -> Letter:
        self._desk.view(page)
        found = await self._ask(lambda: self._letters.find(page, letter))
        if found is None:
            raise not_found("dead letter")
        return found

    async def _ask(self, question: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(question)
        except LetterError as error:
            raise _conflict(error) from None
        except (LogError, KeyStoreUnavailableError):
            raise unavailable() from None


def _conflict(error: LetterError) -> ProblemError:
    text = str(error)
    return ProblemError(409, "Not applied", f"{text[:1].upper()}{text[1:]}.")


def _shape(letter: Letter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "source": letter.source,
        "reason": letter.reason,
        "content_type": letter.content_type,
        "size": letter.size,
        "received_at": written(letter.received_at),
        "expires_at": written(letter.expires_at),
        "redriven_at": None if letter.redriven_at is None else written(letter.redriven_at),
        "redriven_by": letter.redriven_by,
    }
