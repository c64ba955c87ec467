"""The layer in front of the framework answers monitors as the framework's own routes do, byte for byte."""

import gzip
from pathlib import Path

import httpx
import orjson
import pytest
from starlette.requests import Request
from starlette.responses import Response

from consumers.web import errors
from consumers.web.render.assets import Assets
from consumers.web.render.page import Pages
from producers.intake.direct import DirectIntake
from producers.intake.router import MAX_BODY, intake_router
from streams.log.port import LogUnavailableError
from streams.runtime.problems import ProblemError
from tests.unit.intake.station import PAGE, Station, token_of
from tocsin.fleet.probes import NoLife
from tocsin.http import application, problem_of

BODY = orjson.dumps(
    {"version": "4", "alerts": [{"status": "firing", "labels": {"alertname": "Down"}, "fingerprint": "f"}]}
)
GOOD = {"authorization": f"Bearer {token_of('prom')}", "content-type": "application/json"}
ASKED = {
    "an alert": ("POST", f"/ingest/{PAGE}/prom", GOOD, BODY),
    "an alert by PUT": ("PUT", f"/ingest/{PAGE}/prom", GOOD, BODY),
    "what is no JSON": ("POST", f"/ingest/{PAGE}/prom", GOOD, b"{"),
    "gzip": (
        "POST",
        f"/ingest/{PAGE}/prom",
        {**GOOD, "content-encoding": "gzip"},
        gzip.compress(BODY, mtime=0),
    ),
    "too much": ("POST", f"/ingest/{PAGE}/prom", GOOD, b" " * (MAX_BODY + 1)),
    "a wrong token": ("POST", f"/ingest/{PAGE}/prom", {"authorization": "Bearer no"}, BODY),
    "an unknown source": ("POST", f"/ingest/{PAGE}/nobody", GOOD, BODY),
    "an unknown page": ("POST", "/ingest/nobody/prom", GOOD, BODY),
    "a person": ("POST", f"/ingest/{PAGE}/nobody", {"accept": "text/html"}, BODY),
    "another method": ("GET", f"/ingest/{PAGE}/prom", GOOD, b""),
    "a monitor's own path": ("POST", f"/ingest/{PAGE}/prom/api/v2/alerts", GOOD, b"[]"),
    "no source": ("POST", f"/ingest/{PAGE}/", GOOD, BODY),
    "a source with a trailing slash": ("POST", f"/ingest/{PAGE}/prom/", GOOD, BODY),
    "an escaped name": ("POST", f"/ingest/{PAGE}/pro%6d", GOOD, BODY),
    "an escaped slash": ("POST", f"/ingest/{PAGE}/pr%2Fom", GOOD, BODY),
}


ACCEPTED = [
    ASKED[name]
    for name in (
        "an alert", "an alert by PUT", "what is no JSON", "gzip", "a source with a trailing slash", "an escaped name",
    )
]  # fmt: skip


def answer(request: Request, problem: ProblemError) -> Response:
    return errors.answer(request, problem, Pages(Assets.load().url), None)


async def answered(
    folder: Path, asked: tuple[str, str, dict[str, str], bytes], *, direct: bool, **other: object
) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return what a station that knows nothing yet answers."""
    station = Station(folder)
    try:
        ways = station.ways(**other)
        app = application([intake_router(ways)], NoLife(), answer)
        layer = DirectIntake(app, ways, lambda request, error: answer(request, problem_of(error))) if direct else app
        transport = httpx.ASGITransport(layer, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://tocsin.test") as client:
            method, path, headers, body = asked
            got = await client.request(method, path, headers=headers, content=body)
            return got.status_code, sorted(got.headers.items()), got.content
    finally:
        station.close()


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
async def test_it_answers_as_the_routes_do(tmp_path: Path, asked: tuple[str, str, dict[str, str], bytes]) -> None:
    directly = await answered(tmp_path / "direct", asked, direct=True)
    assert (directly[0] == 202) == (asked in ACCEPTED)
    assert directly == await answered(tmp_path / "routed", asked, direct=False)


async def test_the_commonest_is_not_seen_by_the_framework(tmp_path: Path) -> None:
    station = Station(tmp_path)
    ways = station.ways()
    layer = DirectIntake(_never, ways, lambda request, error: answer(request, problem_of(error)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(layer), base_url="http://tocsin.test") as client:
        got = await client.post(f"/ingest/{PAGE}/prom", headers=GOOD, content=BODY)
    assert (got.status_code, got.json()["accepted"]) == (202, 1)
    station.close()


@pytest.mark.parametrize("error", [LogUnavailableError("away"), ValueError("nobody foresaw it")])
async def test_what_fails_is_answered_alike(tmp_path: Path, error: Exception) -> None:
    class Failing:
        def named(self, page: str, source: str) -> None:
            raise error

    directly = await answered(tmp_path / "direct", ASKED["an alert"], direct=True, sources=Failing())
    assert directly == await answered(tmp_path / "routed", ASKED["an alert"], direct=False, sources=Failing())
    assert directly[0] in (500, 503)


async def _never(*_: object) -> None:
    raise AssertionError("the framework was asked")
