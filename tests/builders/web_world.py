"""Acme Cloud on a real log: events go in, folded by the embedded driver, and the whole way out stands on top."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp

from consumers.projection.board import StatusBoard
from consumers.reliability.past import StoredPast
from consumers.reliability.reader import UptimeReader
from consumers.reliability.uptime import RELIABILITY
from consumers.web import errors, ports
from consumers.web.dependencies import WebDependencies
from consumers.web.pictures import PublicPictures
from consumers.web.prepared import PreparedBodies, PreparedPages
from consumers.web.public import recipes
from consumers.web.readiness import EmbeddedReadiness
from consumers.web.render.assets import Assets
from consumers.web.render.page import Pages
from consumers.web.requests import RequestCounter
from consumers.web.router import web_router
from consumers.web.sse import ChangeStream
from consumers.web.unrouted import StoredUnrouted
from schemas import events as e
from schemas.events import Cell, Effect, EventData, Filter, Micros
from schemas.ids import derive
from schemas.vocabulary import Audience, CellStatus, Impact, IncidentStatus, Kind, NotificationState
from streams.domain.model import Incident, Maintenance
from streams.domain.pages import PAGES
from streams.log.sqlite import SqliteEventLog
from streams.runtime.access import Access, Operator, Role
from streams.runtime.embedded import EmbeddedDriver
from streams.runtime.links import Links
from streams.runtime.metrics import Metrics
from streams.runtime.problems import ProblemError
from streams.runtime.stage import FoldStage
from streams.runtime.validation import problem_of
from tests.builders.views import ACME, HOUR, NOW, REGIONS, SETTINGS

PAGE = "acme"
LINKS = Links("https://status.acme.example", bytes(range(32)))
TOKENS = {role: f"{role.name.lower()}-token" for role in Role}


def bearer(role: Role) -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKENS[role]}"}


class AudienceInMemory:
    """Two subscribers of everything; the second one wants critical impact only."""

    def count(
        self, page: str, cells: Sequence[Cell] | None, impact: Impact, audience: Audience = Audience.PUBLIC
    ) -> ports.AudienceCount:
        found = ["anna", "bert"] if impact is Impact.CRITICAL else ["anna"]
        found = found if audience is Audience.PUBLIC else ["anna"]
        sample = [ports.Recipient(name, "email", f"{name[0]}***@example.com") for name in found]
        return ports.AudienceCount(len(found), {"email": len(found)}, sample)

    def explain(
        self,
        page: str,
        subscriber: str,
        cells: Sequence[Cell] | None,
        impact: Impact,
        audience: Audience = Audience.PUBLIC,
    ) -> ports.Explanation | None:
        if subscriber not in {"anna", "bert"}:
            return None
        where = ",".join(cell.key for cell in cells or ())
        secretly = " internally" if audience is Audience.INTERNAL else ""
        return ports.Explanation(subscriber, subscriber == "anna", f"asked{secretly} for {where} at {impact}")


def rows_behind(rows: Sequence[Any], after: str | None, limit: int) -> tuple[Sequence[Any], str | None]:
    """Page through rows with their numbers as cursors."""
    start = 0 if after is None else int(after)
    end = start + limit
    return rows[start:end], str(end) if end < len(rows) else None


class DeliveriesInMemory:
    def list(
        self, page: str, subject: str, after: str | None, limit: int
    ) -> tuple[Sequence[ports.Delivery], str | None]:
        rows = [
            ports.Delivery(
                f"n{rank}", subject, "anna", "email", "a***@example.com", NotificationState.SENT, NOW + rank, "", 1
            )
            for rank in range(3)
        ]
        return rows_behind(rows, after, limit)

    def in_state(
        self, page: str, state: NotificationState, after: str | None, limit: int
    ) -> tuple[Sequence[ports.Delivery], str | None]:
        rows = [
            ports.Delivery(f"f{rank}", "outage", "anna", "email", "a***@example.com", state, NOW + rank, "550", 2)
            for rank in range(3)
        ]
        return rows_behind(rows, after, limit)


ANNA = ports.SubscriberRow(
    "anna",
    "email",
    "a***@example.com",
    "active",
    "",
    Filter([Cell("api", "eu")], Impact.MINOR, [Kind.INCIDENT]),
    NOW,
)


class SubscribersInMemory:
    """One subscriber, unless ``known`` is changed."""

    def __init__(self) -> None:
        self.known = {ANNA.id: ANNA}

    def list(
        self, page: str, after: str | None, limit: int, state: str | None = None
    ) -> tuple[Sequence[ports.SubscriberRow], str | None]:
        return rows_behind([ANNA] if state in (None, ANNA.state) else [], after, limit)

    def one(self, page: str, subscriber: str) -> ports.SubscriberRow | None:
        return self.known.get(subscriber)


class ExportInMemory:
    def list(self, page: str, after: str | None, limit: int) -> tuple[Sequence[ports.ExportedSubscriber], str | None]:
        chosen = Filter([Cell("api", "eu")], Impact.MINOR, [Kind.INCIDENT])
        rows = [
            ports.ExportedSubscriber("anna", "email", "anna@example.com", "", "active", "", chosen, NOW),
            ports.ExportedSubscriber("hook", "webhook", "https://example.com", "whsec_1", "pending", "", chosen, NOW),
        ]
        return rows_behind(rows, after, limit)


class ReasonsInMemory:
    """Nobody is known."""

    def why(self, page: str, subscriber: str, subject: Incident | Maintenance) -> ports.SubscriberWhy | None:
        return None


class ChannelsInMemory:
    """Mail is refused by one of two providers, and nothing else is switched on."""

    def list(self) -> Sequence[ports.ChannelRow]:
        rest = ports.ChannelRest("sendgrid", NOW, NOW + HOUR, 3, "answered 401")
        held = ports.ChannelHold("account", NOW, NOW, 7, None)
        words = "email is sent by another provider, smtp"
        return [ports.ChannelRow("email", "Email", "failover", words, 2, NOW, "smtp", [rest], [held])]


def events_in_memory(page: str, after: str | None, limit: int) -> tuple[Sequence[Mapping[str, Any]], str | None]:
    rows = [
        {
            "id": str(rank), "type": "PromiseReminded", "topic": "tocsin.pages", "data": {"incident": "i"},
            "actor": "tocsin", "occurred_at": "2026-11-18T14:20:00Z", "recorded_at": "2026-11-18T14:20:00Z",
        }
        for rank in range(3)
    ]  # fmt: skip
    return rows_behind(rows, after, limit)


class WebWorld:
    """A page, its log and its way out. ``now`` is what the clock says."""

    def __init__(self, folder: Path, *, most_clients: int = 10) -> None:
        self.now: Micros = NOW
        self.count = 0
        self.log = SqliteEventLog(folder)
        self.board = StatusBoard()
        stages = (FoldStage(PAGES), self.board.stage, FoldStage(RELIABILITY))
        self.driver = EmbeddedDriver(self.log, stages, lambda: self.now)
        self.board.follow(lambda _, offset: self.driver.committed_position("status") > offset)
        self.driver.start()
        self.metrics = Metrics()
        assets = Assets.load()
        pages = Pages(assets.url)
        uptime = UptimeReader(StoredPast(self.log.query))
        self.public = PublicPictures(self.board)
        self.bodies = PreparedBodies(
            self.public, PAGE, recipes(pages, uptime), clock=lambda: self.now, metrics=self.metrics
        )
        self.stream = ChangeStream(self.board, self.metrics, most=most_clients)
        self.deps = WebDependencies(
            page=PAGE,
            board=self.board,
            public=self.public,
            access=Access((Operator(role.name.lower(), role), token) for role, token in TOKENS.items()),
            clock=lambda: self.now,
            metrics=self.metrics,
            assets=assets,
            pages=pages,
            bodies=self.bodies,
            stream=self.stream,
            uptime=uptime,
            audience=AudienceInMemory(),
            deliveries=DeliveriesInMemory(),
            subscribers=SubscribersInMemory(),
            export=ExportInMemory(),
            reasons=ReasonsInMemory(),
            unrouted=StoredUnrouted(self.log.query),
            channels=ChannelsInMemory(),
            readiness=EmbeddedReadiness(self.log, self.driver),
            events=events_in_memory,
            links=LINKS,
            notes=lambda: ["email rests until 2026-11-18T14:24:00Z"],
        )
        self.inner = self._application()
        self.app: ASGIApp = PreparedPages(RequestCounter(self.inner, self.metrics), self.bodies, self.metrics)

    def _application(self) -> FastAPI:
        app = FastAPI(openapi_url="/api/openapi.json", docs_url=None, redoc_url=None)
        app.include_router(web_router(self.deps))

        def problem(request: Request, found: ProblemError) -> Response:
            return errors.answer(request, found, self.deps.pages, self.public.view(PAGE))

        @app.exception_handler(ProblemError)
        async def refused(request: Request, error: ProblemError) -> Response:
            return problem(request, error)

        @app.exception_handler(RequestValidationError)
        async def wrong(request: Request, error: RequestValidationError) -> Response:
            return problem(request, problem_of(error.errors()))

        @app.exception_handler(HTTPException)
        async def missing(request: Request, error: HTTPException) -> Response:
            return problem(request, errors.of_http(error))

        return app

    def close(self) -> None:
        self.stream.close()
        self.bodies.close()
        self.log.close()

    # --- what happens ---

    def tell(self, *data: EventData, at: Micros | None = None, drill: bool = False) -> None:
        """Append events and wait until the board shows what they bring about."""
        recorded = self.now if at is None else at
        events = []
        for each in data:
            self.count += 1
            identifier = derive("test", str(self.count))
            events.append(e.Event(identifier, PAGE, recorded, recorded, "operator:ops", None, None, drill, each))
        self.log.submit(lambda connection: self.log.append_events(connection, events)).result()
        self.settle()

    async def say(self, *data: EventData) -> None:
        """Do the same beside a running loop."""
        await asyncio.to_thread(self.tell, *data)

    def settle(self) -> None:
        for _ in range(1000):
            self.log.submit(lambda _: None).result()
            if not any(self.driver.lag().values()):
                return
        raise AssertionError("the folds do not come to an end")

    def define(self, at: Micros = NOW - 48 * HOUR) -> "WebWorld":
        """Define the page with all its components."""
        self.tell(SETTINGS, e.RegionsDefined(REGIONS), *(component.definition for component in ACME), at=at)
        return self


def opened(name: str = "one", cell: str = "api/eu", status: CellStatus = CellStatus.MAJOR_OUTAGE) -> e.IncidentOpened:
    """Return an incident on one cell."""
    component, _, region = cell.partition("/")
    return e.IncidentOpened(
        incident=derive("incident", name),
        update=derive("update", name, "opened"),
        title=f"Trouble {name}",
        body="Some requests **fail**.",
        status=IncidentStatus.INVESTIGATING,
        impact=None,
        affects=[Effect(component, region or None, status)],
        rule=None,
        component=None,
        draft=None,
        promise_at=NOW + HOUR,
    )


def resolved(name: str = "one") -> e.IncidentUpdated:
    """Return the end of that incident."""
    return e.IncidentUpdated(
        incident=derive("incident", name),
        update=derive("update", name, "resolved"),
        body="All is well again.",
        status=IncidentStatus.RESOLVED,
        impact=None,
        affects=[],
        draft=None,
        promise_at=None,
    )
