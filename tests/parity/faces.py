"""What readers of a page are given by either engine, as bytes: public documents, the read API, uptime and reliability."""

import asyncio
from collections.abc import Iterable
from functools import partial

import httpx
from fastapi import FastAPI

from consumers.delivery.fleet_queue import FleetQueue
from consumers.delivery.history import history
from consumers.delivery.reports import Addresses
from consumers.delivery.watch import Watch
from consumers.reliability.past import FleetPast, StoredPast
from consumers.web import errors
from consumers.web.dependencies import WebDependencies
from consumers.web.public import recipes
from consumers.web.router import web_router
from consumers.web.unrouted import FleetUnrouted, StoredUnrouted
from schemas.topics import NOTIFICATIONS
from streams.runtime.access import Access, Operator, Role
from streams.runtime.links import Links
from streams.runtime.metrics import Metrics
from tests.parity.embedded import EmbeddedEngine
from tests.parity.fleet import FleetEngine
from tests.parity.pictures import Picture
from tocsin.faces import Reading, web_of
from tocsin.fleet.probes import NoLife
from tocsin.http import application

_TOKEN = "ops"
_LINKS = Links("https://status.acme.example", bytes(32))
_LIMIT = 100
_PATHS = (
    "maintenances", "components", "drafts", "uptime", "reliability", "uptime?component=platform", "uptime?region=eu",
    "alerts/unrouted", "events/ignored?limit=100", "subscribers?limit=100",
)  # fmt: skip


class NeverAsked:
    """Readiness, which is not compared."""

    def problems(self) -> list[str]:
        return []


class Face:
    """The way out of one engine; ``pages`` are the pages that both have."""

    def __init__(self, deps: WebDependencies) -> None:
        self._deps = deps
        self._recipes = recipes(deps.pages, deps.uptime)
        self._app = _application(deps)

    def picture(self, pages: Iterable[str]) -> Picture:
        """Return every document of every page."""
        return {**self._prepared(pages), **asyncio.run(self._asked(list(pages)))}

    def _prepared(self, pages: Iterable[str]) -> Picture:
        found: Picture = {}
        for page in pages:
            view = self._deps.board.view(page)
            if view is None:
                found[f"page {page}"] = b"missing"
                continue
            for path, recipe in self._recipes.items():
                found[f"document {page}{path}"] = recipe.render(view, self._deps.clock())
        return found

    async def _asked(self, pages: Iterable[str]) -> Picture:
        found: Picture = {}
        transport = httpx.ASGITransport(self._app)
        headers = {"Authorization": f"Bearer {_TOKEN}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://page.example", headers=headers) as client:
            for page in pages:
                at = f"/api/v1/pages/{page}/"
                for path in _PATHS:
                    answer = await client.get(at + path)
                    found[f"answer {at}{path}"] = f"{answer.status_code} ".encode() + answer.content
                after: str | None = ""
                while after is not None:
                    path = f"{at}incidents?limit={_LIMIT}&after={after}"
                    answer = await client.get(path)
                    assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
                    found[f"answer {path}"] = answer.content
                    after = answer.json()["next"]
        return found

    def close(self) -> None:
        self._deps.stream.close()
        self._deps.bodies.close()


def of_embedded(engine: EmbeddedEngine) -> Face:
    """Return the way out of the embedded engine."""
    backend = engine.backend
    past = StoredPast(backend.log.query)
    reading = Reading(
        board=backend.board, past=past, queue=backend.queue, subscribers=backend.subscribers.book,
        history=partial(history, backend.log),
        unrouted=StoredUnrouted(backend.log.query), readiness=NeverAsked(), events=lambda *_: ([], None),
        conditions=Watch(backend.clock),
    )  # fmt: skip
    addresses = Addresses(backend.vault, {})
    return Face(web_of("none", reading, _access(), addresses, _LINKS, backend.clock, Metrics()))


def of_fleet(engine: FleetEngine) -> Face:
    """Return the way out of the distributed engine."""
    ground = engine.ground
    past = FleetPast(ground.store)
    reading = Reading(
        board=engine.board, past=past, queue=FleetQueue(ground.store, NOTIFICATIONS.partitions),
        subscribers=engine.book, history=partial(history, ground.log), unrouted=FleetUnrouted(ground.store), readiness=NeverAsked(),
        events=lambda *_: ([], None), conditions=Watch(ground.clock),
    )  # fmt: skip
    addresses = Addresses(ground.vault, {})
    return Face(web_of("none", reading, _access(), addresses, _LINKS, ground.clock, Metrics()))


def _access() -> Access:
    return Access([(Operator("ops", Role.ADMIN), _TOKEN)])


def _application(deps: WebDependencies) -> FastAPI:
    return application(
        [web_router(deps)], NoLife(), lambda request, problem: errors.answer(request, problem, deps.pages, None)
    )
