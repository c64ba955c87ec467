"""``tocsin up``: everything in one process over one folder, from the bound socket to the drained senders."""

import asyncio
import socket
import sqlite3
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from consumers.audit.events import page_of_events
from consumers.delivery.channel_report import notes_of
from consumers.delivery.history import history
from consumers.delivery.reports import Addresses
from consumers.delivery.watch import Watch
from consumers.reliability.past import StoredPast
from consumers.web import errors
from consumers.web.dependencies import WebDependencies
from consumers.web.prepared import PreparedPages
from consumers.web.readiness import EmbeddedReadiness
from consumers.web.requests import RequestCounter
from consumers.web.router import web_router
from consumers.web.sampling import sample_engine, sample_ledger
from consumers.web.unrouted import StoredUnrouted
from producers.commands.deps import CommandDeps
from producers.commands.letters import letters_router
from producers.commands.router import commands_router
from producers.intake.deps import IntakeDeps
from producers.intake.direct import DirectIntake
from producers.intake.expiry import purge_for_ever
from producers.intake.letters import LetterDeps, Letters
from producers.intake.router import WaysIn, intake_router
from producers.receipts.deps import ReceiptDeps
from producers.receipts.router import receipts_router
from schemas.events import AnyEvent
from streams.keys.vault import WrongMasterKeyError
from streams.log.port import LogError, event_of
from streams.runtime import failpoints
from streams.runtime.links import Links
from streams.runtime.metrics import Metrics
from streams.runtime.problems import ProblemError
from tocsin.backend import Backend
from tocsin.catalogue_api import catalogue_router
from tocsin.config import Config
from tocsin.config.catalogue import desired
from tocsin.config.describe import describe_all
from tocsin.delivering import Delivering, make_channels, policy_of
from tocsin.faces import Reading, access_of, doors_of, known_by, listening_of, sources_of, web_of
from tocsin.folder import FolderInUseError
from tocsin.http import application, problem_of
from tocsin.interpreter import settle_collector, share_interpreter
from tocsin.listening import StartError, bind, web_server
from tocsin.pages_api import pages_router


def run(
    config: Config,
    folder: Path,
    host: str,
    port: int,
    environment: Mapping[str, str],
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGTERM or SIGINT; raises StartError."""
    listening = bind(host, port)
    backend = _open(folder, environment)
    try:
        server = Server(config, backend, environment)
        server.serve(listening, on_ready)
    except LogError as error:
        raise StartError(f"{folder}: {error}") from error
    finally:
        backend.close()
        listening.close()


def apply(config: Config, folder: Path, environment: Mapping[str, str], dry_run: bool) -> list[str]:  # noqa: FBT001 -- said by name in the contract of the command
    """Apply a configuration to a folder that no server uses; return a line for each change. Raises StartError."""
    backend = _open(folder, environment)
    try:
        backend.settle()
        current, changes = backend.apply(config.page.id, desired(config), dry_run=dry_run)
        return describe_all(current, changes)
    finally:
        backend.close()


def _open(folder: Path, environment: Mapping[str, str]) -> Backend:
    try:
        return Backend(folder, dict(environment))
    except (FolderInUseError, WrongMasterKeyError) as error:
        raise StartError(str(error)) from error
    except (OSError, LogError, sqlite3.Error) as error:
        raise StartError(f"{folder} cannot be opened: {error}") from error


class Server:
    """The parts of a running server, and how they begin and end."""

    def __init__(self, config: Config, backend: Backend, environment: Mapping[str, str]) -> None:
        self._backend = backend
        self._page = config.page.id
        self._metrics = Metrics()
        self._access = access_of(config)
        self._links = Links(config.page.url, backend.vault.signing_key, backend.clock)
        self._watch = Watch(backend.clock)
        self._channels = make_channels(config, self._metrics, self._watch)
        backend.settle()
        backend.apply(self._page, desired(config))
        backend.remind(self._page, tuple(str(address) for address in config.updates.remind))
        self._delivering = Delivering(
            backend,
            self._channels,
            self._links,
            policy_of(config),
            failpoints.from_environment(environment),
            self._metrics,
            self._watch,
            config.delivery.limits,
        )
        self._purging: asyncio.Task[None] | None = None
        self._web = self._web_dependencies()
        sample_engine(self._metrics, backend.log, backend.driver)
        sample_ledger(self._metrics, backend.log.query, backend.clock)
        self._sources = sources_of(config)
        self._listening = listening_of(config)

    def serve(self, listening: socket.socket, on_ready: Callable[[], None]) -> None:
        """Answer requests until told to stop."""
        share_interpreter()
        web_server(self.application(), on_ready, self._web.stream.close).run([listening])

    def application(self) -> ASGIApp:
        """Return the whole application: prepared bytes outermost, then the framework."""
        ways, commands = WaysIn(self._intake_deps()), self._command_deps()
        routers = [
            intake_router(ways),
            receipts_router(self._receipt_deps()),
            commands_router(commands),
            letters_router(commands, self._letters(ways)),
            catalogue_router(self._backend, self._access, self._page),
            pages_router(self._backend.board, self._access),
            web_router(self._web),
        ]
        app = DirectIntake(application(routers, self, self._answer), ways, self._failed)
        return PreparedPages(RequestCounter(app, self._metrics), self._web.bodies, self._metrics)

    async def start(self) -> None:
        """Begin to send."""
        await self._delivering.start()
        self._purging = asyncio.create_task(purge_for_ever(self._backend.vault, self._backend.clock))
        settle_collector()

    async def stop(self) -> None:
        """Drain the senders and the rendering."""
        if self._purging is not None:
            self._purging.cancel()
        await self._delivering.stop()
        self._web.bodies.close()

    def _failed(self, request: Request, error: Exception) -> Response:
        return self._answer(request, problem_of(error))

    def _answer(self, request: Request, problem: ProblemError) -> Response:
        return errors.answer(request, problem, self._web.pages, self._web.public.view(self._page))

    def _intake_deps(self) -> IntakeDeps:
        backend = self._backend
        return IntakeDeps(
            backend.publisher, backend.instances, self._sources, backend.vault, backend.clock, self._metrics
        )

    def _receipt_deps(self) -> ReceiptDeps:
        backend = self._backend
        return ReceiptDeps(
            backend.publisher, backend.queue, backend.vault, backend.clock, self._metrics, self._listening
        )

    def _command_deps(self) -> CommandDeps:
        backend = self._backend
        return CommandDeps(
            publisher=backend.publisher,
            views=backend.board,
            access=self._access,
            vault=backend.vault,
            links=self._links,
            clock=backend.clock,
            find=self._find,
            notifications=backend.queue,
            doors=doors_of(self._channels),
            known=known_by(backend.subscribers.subscriber),
        )

    def _letters(self, ways: WaysIn) -> Letters:
        backend = self._backend
        return Letters(
            LetterDeps(backend.log, backend.publisher, backend.vault, self._sources, backend.clock, ways.intake)
        )

    def _find(self, event_id: str) -> AnyEvent | None:
        stored = self._backend.log.find(event_id)
        return None if stored is None else event_of(stored.record)

    def _web_dependencies(self) -> WebDependencies:
        backend = self._backend
        reading = Reading(
            board=backend.board,
            past=StoredPast(backend.log.query),
            queue=backend.queue,
            subscribers=backend.subscribers.book,
            history=partial(history, backend.log),
            unrouted=StoredUnrouted(backend.log.query),
            readiness=EmbeddedReadiness(backend.log, backend.driver),
            events=lambda page, after, limit: page_of_events(backend.log, page, after, limit),
            conditions=self._watch,
            notes=lambda: notes_of(list(self._channels), self._watch, backend.clock),
        )
        addresses = Addresses(backend.vault, self._channels)
        return web_of(
            self._page, reading, self._access, addresses, self._links, backend.clock, self._metrics, self._channels
        )
