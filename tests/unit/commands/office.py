"""The command API over a real engine: operators of each role, the way to their routes, and signed links."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec

from producers.commands.deps import CommandDeps, Door
from producers.commands.limits import SignUpLimits
from producers.commands.router import commands_router
from schemas.events import AnyEvent, SubscriberAdded
from streams.log.port import event_of
from streams.runtime.access import Access, Operator, Role
from streams.runtime.links import Links
from tests.unit.intake.station import PAGE, Station, bearer, client_of
from tocsin.faces import known_by

API = f"/api/v1/pages/{PAGE}"
OPS, LEAD, BOSS, GUEST = bearer("ops-token"), bearer("lead-token"), bearer("boss-token"), bearer("guest-token")
OPERATORS = (
    (Operator("guest", Role.VIEWER), "guest-token"),
    (Operator("ops", Role.OPERATOR), "ops-token"),
    (Operator("lead", Role.APPROVER), "lead-token"),
    (Operator("boss", Role.ADMIN), "boss-token"),
)
OPENING: dict[str, Any] = {
    "title": "API errors in Europe",
    "body": "Some requests fail.",
    "status": "investigating",
    "affects": [{"component": "api", "region": "eu", "status": "major_outage"}],
}


def a_number(text: str) -> str:
    if not text.startswith("+"):
        raise ValueError("must begin with +")
    return text.replace(" ", "")


class Office(Station):
    """A station with a command API."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.links = Links("https://status.acme.example", self.backend.vault.signing_key, lambda: self.now)
        self.limits = SignUpLimits("1000/hour", "1000/hour")

    def find(self, event_id: str) -> AnyEvent | None:
        stored = self.backend.log.find(event_id)
        return None if stored is None else event_of(stored.record)

    def deps(self, **other: Any) -> CommandDeps:
        """Return what the commands need; ``other`` replaces parts."""
        parts: dict[str, Any] = {
            "publisher": self.backend.publisher,
            "views": self.backend.board,
            "access": Access(OPERATORS),
            "vault": self.backend.vault,
            "links": self.links,
            "clock": lambda: self.now,
            "find": self.find,
            "notifications": self.backend.queue,
            "known": known_by(self.backend.subscribers.subscriber),
            "limits": self.limits,
            "doors": {
                "text": Door(a_number),
                "room": Door(str, by_operator=True),
                "wall": Door(str, by_operator=True, posts_publicly=True),
            },
        }
        return CommandDeps(**(parts | other))

    @asynccontextmanager
    async def desk(self, **other: Any) -> AsyncIterator[httpx.AsyncClient]:
        async with client_of(commands_router(self.deps(**other)), self.intake()) as client:
            yield client

    def states(self) -> dict[str, str]:
        """Return the state of every subscriber by id."""
        self.backend.settle()
        return {key: known.state for key, known in self.backend.subscribers.tables["subscribers"].items(PAGE)}

    def addresses(self) -> list[str]:
        """Return the addresses of all sign-ups, opened, in their order."""
        return [
            msgspec.json.decode(self.backend.vault.open(added.subscriber, added.address))["address"]
            for added in self.of(SubscriberAdded)
        ]
