"""POST subscribers/batch: up to a thousand subscribers of an operator, each with a result of its own."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.responses import Response

from producers.commands.addresses import address_of
from producers.commands.batch_sign_up import BatchSignUps, Candidate, Fate, Settled
from producers.commands.bodies.answers import BatchDone, refusals
from producers.commands.bodies.pace import pace_of
from producers.commands.bodies.subscribers import BatchedSubscriber, SubscriberBatch
from producers.commands.desk import ByOperator, Desk, json_response
from producers.commands.json_route import JsonRoute
from producers.commands.sight import require_private
from producers.commands.subscribers import filter_of
from schemas.vocabulary import Audience
from streams.domain.model import PageView
from streams.runtime.access import Role
from streams.runtime.problems import FieldError, ProblemError, invalid
from streams.runtime.validation import problem_of


class Batches:
    """The handler."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._sign_ups = BatchSignUps(desk)

    def routes(self) -> APIRouter:
        """Return the route, relative to the page."""
        router = APIRouter(tags=["subscribers"], route_class=JsonRoute)
        router.post(
            "/subscribers/batch",
            response_model=BatchDone,
            responses=refusals(400, 401, 403, 404, 413, 415, 503),
            dependencies=[self._desk.needs(Role.OPERATOR)],
        )(self.add)
        return router

    async def add(self, page: str, body: SubscriberBatch, operator: ByOperator) -> Response:
        """Subscribe many. Who is known stays as they are, so that a batch may be sent again; who left is not brought back.

        Owners are asked first, but for those whom the operator vouches for with ``confirmed``.
        """
        view = self._desk.view(page)
        read = await asyncio.to_thread(lambda: [self._read(view, given) for given in body.subscribers])
        candidates = [one for one in read if isinstance(one, Candidate)]
        settled = iter(await self._sign_ups.add(page, operator.actor, candidates, dry_run=body.dry_run))
        results = [
            _result(one, next(settled), dry_run=body.dry_run) if isinstance(one, Candidate) else _refused(one)
            for one in read
        ]
        return json_response({"results": results}, 200)

    def _read(self, view: PageView, given: Mapping[str, Any]) -> Candidate | Sequence[FieldError]:
        """Return the candidate that an object is, or what is wrong with it."""
        try:
            return self._candidate(view, BatchedSubscriber.model_validate(given))
        except ValidationError as error:
            return problem_of([{**one, "loc": ("body", *one["loc"])} for one in error.errors()]).errors
        except ProblemError as problem:
            return problem.errors

    def _candidate(self, view: PageView, body: BatchedSubscriber) -> Candidate:
        doors = self._desk.deps.doors
        channel = "email" if body.email else "webhook" if body.webhook else body.channel
        if channel is not None and channel not in doors:
            raise invalid("channel", f"is not switched on here; there are {', '.join(doors) or 'none'}")
        address = address_of(body, doors)
        if doors[address.channel].by_operator and not body.confirmed:
            raise invalid("confirmed", "must be true: on this channel nobody can be asked, so you have to vouch")
        if body.secret and address.channel != "webhook":
            raise invalid("secret", "is for webhooks only")
        audience = body.audience or Audience.PUBLIC
        require_private(doors[address.channel], audience)
        wanted = filter_of(view, body, audience, knows_all=True)
        return Candidate(address, wanted, bool(body.confirmed), body.secret or "", pace_of(body), audience)


def _result(candidate: Candidate, settled: Settled, *, dry_run: bool) -> dict[str, Any]:
    match settled.fate:
        case Fate.KNOWN | Fate.LEFT:
            # In a dry run it may be known from the batch itself, and then has no id.
            return {"status": settled.fate.name.lower()} | ({} if dry_run else {"id": settled.subscriber})
        case Fate.ADDED:
            state = {"status": "added", "state": "active" if candidate.confirmed else "pending"}
            if dry_run:
                return state
            return {"id": settled.subscriber, **state, **({"secret": settled.secret} if settled.secret else {})}


def _refused(errors: Sequence[FieldError]) -> dict[str, Any]:
    return {"status": "refused", "errors": [{"field": error.field, "message": error.message} for error in errors]}
