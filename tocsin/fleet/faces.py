"""The roles that answer requests: intake (alerts and commands), web (page and read API), and api, which is both."""

import asyncio
import socket
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import partial

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from consumers.audit.events import page_of_events
from consumers.delivery.fleet_conditions import FleetConditions
from consumers.delivery.fleet_queue import FleetQueue
from consumers.delivery.history import history
from consumers.delivery.reports import Addresses
from consumers.reliability.past import FleetPast
from consumers.web import errors
from consumers.web.dependencies import WebDependencies
from consumers.web.operations import Operations
from consumers.web.pictures import PublicPictures
from consumers.web.prepared import PreparedPages
from consumers.web.render.assets import Assets
from consumers.web.render.page import Pages
from consumers.web.requests import RequestCounter
from consumers.web.router import web_router
from consumers.web.unrouted import FleetUnrouted
from producers.commands.letters import letters_router
from producers.commands.router import commands_router
from producers.intake.direct import DirectIntake
from producers.intake.expiry import purge_for_ever
from producers.intake.router import WaysIn, intake_router
from producers.receipts.router import receipts_router
from schemas.topics import NOTIFICATIONS
from streams.runtime.backlog import Behind
from streams.runtime.links import Links
from streams.runtime.metrics import Metrics
from streams.runtime.problems import ProblemError
from streams.runtime.redis_bulletins import RedisBulletins
from tocsin.catalogue_api import catalogue_router
from tocsin.config import Config
from tocsin.config.catalogue import desired
from tocsin.delivering import make_channels
from tocsin.faces import Reading, access_of, doors_of, listening_of, sources_of, web_of
from tocsin.fleet.applying import Applying
from tocsin.fleet.followed import Followed, followed_board, followed_subscribers
from tocsin.fleet.ground import Ground
from tocsin.fleet.pulse import Pulse, sample_backlog
from tocsin.fleet.way_in import WayIn
from tocsin.http import application, problem_of
from tocsin.interpreter import settle_collector
from tocsin.listening import nothing, web_server
from tocsin.pages_api import pages_router

_WATCH_SECONDS = 1.0


class Face(StrEnum):
    """What a process answers."""

    INTAKE = "intake"
    WEB = "web"
    API = "api"

    @property
    def takes(self) -> bool:
        """Whether alerts and commands are answered."""
        return self is not Face.WEB

    @property
    def shows(self) -> bool:
        """Whether the page and the read API are answered."""
        return self is not Face.INTAKE


class FaceWorker:
    """One process that answers requests, from its first look at the log to its drained end."""

    def __init__(self, config: Config, ground: Ground, face: Face) -> None:
        self._ground = ground
        self._face = face
        self._page = config.page.id
        self._config = config
        self._metrics = Metrics()
        self._channels = make_channels(config, self._metrics)
        self._access = access_of(config)
        self._links = Links(config.page.url, ground.vault.signing_key, ground.clock)
        self._board, self._status = followed_board(ground)
        self._public = PublicPictures(self._board)
        self._followed: list[Followed] = [self._status]
        self._pulse = Pulse(self._behind, ground.clock)
        self._web = self._web_dependencies() if face.shows else None
        self._pages = self._web.pages if self._web else Pages(Assets.load().url)
        self._way_in = WayIn(ground, self._metrics) if face.takes else None
        self._watch: asyncio.Task[None] | None = None
        self._purging: asyncio.Task[None] | None = None
        self._end: Callable[[], None] = nothing
        sample_backlog(self._metrics, self._behind, ground.clock)

    def serve(self, listening: socket.socket, on_ready: Callable[[], None]) -> None:
        """Answer requests until told to stop; raises FollowerStoppedError where it cannot go on, and LogError."""
        applying = self._begin()
        try:
            on_stop = self._web.stream.close if self._web else nothing
            server = web_server(self._application(applying), on_ready, on_stop)
            self._end = lambda: setattr(server, "should_exit", True)
            server.run([listening])
        finally:
            self._pulse.stop()
            for followed in self._followed:
                followed.stop()
        for followed in self._followed:
            followed.require_sound()

    def _begin(self) -> Applying:
        for followed in self._followed:
            followed.start()
        applying = Applying(self._ground, self._status)
        if self._face.takes:
            applying.apply(self._page, desired(self._config))
            applying.remind(self._page, tuple(str(address) for address in self._config.updates.remind))
        self._pulse.start()
        return applying

    # --- Life ---

    async def start(self) -> None:
        """Begin to watch over the followers."""
        self._watch = asyncio.create_task(self._watched())
        if self._way_in is not None:
            self._purging = asyncio.create_task(purge_for_ever(self._ground.vault, self._ground.clock))
        settle_collector()

    async def stop(self) -> None:
        """Finish what was taken."""
        for task in filter(None, (self._watch, self._purging)):
            task.cancel()
        if self._way_in is not None:
            await asyncio.to_thread(self._way_in.close)
        if self._web is not None:
            self._web.bodies.close()

    async def _watched(self) -> None:
        # Asked and not told: a follower's thread knows nothing of this loop.
        while all(followed.follower.fault is None for followed in self._followed):  # noqa: ASYNC110
            await asyncio.sleep(_WATCH_SECONDS)
        self._end()  # a page that is not followed any more must not be shown as if it were

    # --- inside ---

    def _application(self, applying: Applying) -> ASGIApp:
        ways = WaysIn(self._way_in.intake(sources_of(self._config))) if self._way_in is not None else None
        app: ASGIApp = application(self._routers(applying, ways), self, self._answer)
        app = RequestCounter(app if ways is None else DirectIntake(app, ways, self._failed), self._metrics)
        return app if self._web is None else PreparedPages(app, self._web.bodies, self._metrics)

    def _routers(self, applying: Applying, ways: WaysIn | None) -> list[APIRouter]:
        found: list[APIRouter] = []
        if self._way_in is not None and ways is not None:
            commands = self._way_in.commands(self._board, self._access, self._links, doors_of(self._channels))
            found += [
                intake_router(ways),
                receipts_router(self._way_in.receipts(listening_of(self._config))),
                commands_router(commands),
                letters_router(commands, self._way_in.letters(ways.intake, sources_of(self._config))),
                catalogue_router(applying, self._access, self._page),
            ]
        if self._web is not None:
            return [*found, pages_router(self._board, self._access), web_router(self._web)]
        return [*found, Operations(self._pulse, self._metrics).routes()]

    def _web_dependencies(self) -> WebDependencies:
        ground = self._ground
        book, followed = followed_subscribers(ground)
        self._followed.append(followed)
        reading = Reading(
            board=self._board,
            past=FleetPast(ground.store),
            queue=FleetQueue(ground.store, ground.log.partitions(NOTIFICATIONS.name)),
            subscribers=book,
            history=partial(history, ground.log),
            unrouted=FleetUnrouted(ground.store),
            readiness=self._pulse,
            events=lambda page, after, limit: page_of_events(ground.log, page, after, limit),
            conditions=FleetConditions(RedisBulletins(ground.redis, ground.engine.namespace)),
        )
        addresses = Addresses(ground.vault, self._channels)
        return web_of(
            self._page, reading, self._access, addresses, self._links, ground.clock, self._metrics, self._channels
        )

    def _behind(self) -> Mapping[str, Behind]:
        return {f"followed_{followed.processor.name}": followed.behind() for followed in self._followed}

    def _failed(self, request: Request, error: Exception) -> Response:
        return self._answer(request, problem_of(error))

    def _answer(self, request: Request, problem: ProblemError) -> Response:
        return errors.answer(request, problem, self._pages, self._public.view(self._page))
