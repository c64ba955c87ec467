"""POST deliveries/redrive: has what failed sent after all. What that does to a notification is the ledger's affair."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from producers.commands.bodies.answers import Redriven, refusals
from producers.commands.bodies.redrives import Redrive
from producers.commands.desk import ByOperator, Desk, Key, json_response, unavailable
from producers.commands.json_route import JsonRoute
from schemas.events import AnyEvent, Event, NotificationsRedriven
from schemas.ids import derive
from schemas.vocabulary import NotificationState as State
from streams.log.port import LogUnavailableError
from streams.runtime.access import Role
from streams.runtime.notified import Notified
from streams.runtime.state_store import StoreUnavailableError

_UNKNOWN = "there is no such notification"
_DOUBT = "it may have arrived; say even_in_doubt to have it sent again, perhaps a second time"


class Redrives:
    """The handler."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> APIRouter:
        """Return the route, relative to the page."""
        router = APIRouter(tags=["deliveries"], route_class=JsonRoute)
        router.post(
            "/deliveries/redrive",
            response_model=Redriven,
            responses=refusals(400, 401, 403, 404, 413, 415, 503),
            dependencies=[self._desk.needs(Role.OPERATOR)],
        )(self.redrive)
        return router

    async def redrive(
        self, request: Request, page: str, body: Redrive, operator: ByOperator, key: Key = None
    ) -> Response:
        """Have failed notifications sent after all, each under its own id; it is durable once this is answered.

        What is in doubt may have arrived, and is sent again with ``even_in_doubt`` only. Nobody is told who unsubscribed or
        whose address is suppressed, and a newer update of the same incident goes instead of an older one.
        """
        self._desk.view(page)
        wanted = list(dict.fromkeys(body.notifications))
        known = await self._known(page, wanted)
        refused = {one: why for one in wanted if (why := _refusal(known.get(one), even_in_doubt=body.even_in_doubt))}
        taken = [one for one in wanted if one not in refused]
        order = self._desk.order(request, page, operator, key)
        shards: dict[int, list[str]] = defaultdict(list)
        for one in taken:
            shards[known[one].shard].append(one)
        now = self._desk.deps.clock()
        events: list[AnyEvent] = [
            Event(
                derive("redrive", order.id, str(shard), *some), page, now, now, order.actor, None, None, False,
                NotificationsRedriven(shard, some, body.even_in_doubt),
            )
            for shard, some in shards.items()
        ]  # fmt: skip
        if events:
            await self._desk.publish(events)
        return json_response(
            {"redriven": taken, "refused": [{"notification": one, "reason": why} for one, why in refused.items()]}, 200
        )

    async def _known(self, page: str, wanted: list[str]) -> Mapping[str, Notified]:
        try:
            return await asyncio.to_thread(self._desk.deps.notifications.known, page, wanted)
        except (LogUnavailableError, StoreUnavailableError):
            raise unavailable() from None


def _refusal(known: Notified | None, *, even_in_doubt: bool) -> str:
    """Return why a notification is not sent after all, empty if it is."""
    if known is None:
        return _UNKNOWN
    match known.state:
        case State.FAILED:
            return ""
        case State.IN_DOUBT:
            return "" if even_in_doubt else _DOUBT
        case _:
            return f"it is {known.state}"
