"""What bodies on their way to the log make of alert instances: the fold knows of them only once they are durable.

Without it two requests at once would both take the same alert for news, or the later would be answered by what the
earlier has not made durable yet.
"""

import asyncio
from collections.abc import Iterable, Mapping

from streams.domain.episodes import Instance
from streams.log.port import LogUnavailableError


class Flight:
    """One body between its judgement and the log's acknowledgement."""

    __slots__ = ("_landed",)

    def __init__(self) -> None:
        self._landed: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def land(self, *, durable: bool) -> None:
        """Say how it ended."""
        self._landed.set_result(durable)

    async def landed(self) -> bool:
        """Wait for the end; True when all of it, and all that it relied on, is durable."""
        return await asyncio.shield(self._landed)


class InFlight:
    """The states of instances by page and key, as the bodies in flight will leave them. For one event loop."""

    def __init__(self) -> None:
        self._pages: dict[str, dict[str, list[tuple[Flight, Instance]]]] = {}

    def lay_over(self, page: str, keys: Iterable[str], known: dict[str, Instance]) -> set[Flight]:
        """Replace in ``known`` what flights will change, and return the flights that this relies on."""
        pending = self._pages.get(page)
        if not pending:
            return set()
        flights = set()
        for key in keys:
            if (stack := pending.get(key)) is not None:
                flight, known[key] = stack[-1]
                flights.add(flight)
        return flights

    def enter(self, page: str, flight: Flight, states: Mapping[str, Instance]) -> None:
        """Begin a flight that will leave instances in these states."""
        pending = self._pages.setdefault(page, {})
        for key, state in states.items():
            pending.setdefault(key, []).append((flight, state))

    def leave(self, page: str, flight: Flight, keys: Iterable[str]) -> None:
        """End a flight: from now on the fold knows, or the sender is told that nothing was taken."""
        pending = self._pages[page]
        for key in keys:
            stack = [entry for entry in pending[key] if entry[0] is not flight]
            if stack:
                pending[key] = stack
            else:
                del pending[key]


async def require_durable(flights: Iterable[Flight]) -> None:
    """Wait for flights; raises LogUnavailableError where one came to nothing."""
    for flight in flights:
        if not await flight.landed():
            raise LogUnavailableError("an alert that this one follows could not be stored")
