"""The pages for people, static files, probes and metrics."""

import re

import httpx
import pytest

from consumers.web.render import codes
from consumers.web.render.page import CONTENT_SECURITY_POLICY
from consumers.web.requests import route_class
from schemas import events as e
from schemas.events import Effect
from schemas.ids import derive
from schemas.vocabulary import CellStatus
from tests.builders.views import HOUR, NOW
from tests.builders.web_world import PAGE, WebWorld, opened

PAGES = [
    "/",
    "/history",
    "/subscribe",
    "/subscribed",
    "/confirmed",
    "/unsubscribed",
    "/sent",
    "/manage",
    "/confirm/t0k.en",
    "/unsubscribe/t",
]
BROWSER = {"Accept": "text/html,application/xhtml+xml"}


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_is_html_and_guarded(shared_client: httpx.AsyncClient, path: str) -> None:
    answer = await shared_client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert (await shared_client.head(path)).status_code == 200


async def test_a_subject_has_a_page_by_code_and_by_id(world: WebWorld, client: httpx.AsyncClient) -> None:
    work = e.MaintenanceScheduled(
        derive("maintenance", "1"),
        derive("update", "m1"),
        "New disks",
        "Short breaks.",
        [Effect("login", None, CellStatus.MAINTENANCE)],
        NOW + HOUR,
        NOW + 2 * HOUR,
    )
    await world.say(opened(), work)
    for path in (
        codes.incident_path(PAGE, derive("incident", "one")), f"/incidents/{derive('incident', 'one')}",
        codes.maintenance_path(PAGE, derive("maintenance", "1")), f"/maintenances/{derive('maintenance', '1')}",
    ):  # fmt: skip
        answer = await client.get(path)
        assert answer.status_code == 200
        assert "Trouble one" in answer.text or "New disks" in answer.text


@pytest.mark.parametrize("path", ["/incidents/x", "/maintenances/x", "/history?page=99", "/nowhere", "/static/x.css"])
async def test_an_error_speaks_the_language_of_who_asked(shared_client: httpx.AsyncClient, path: str) -> None:
    page = await shared_client.get(path, headers=BROWSER)
    assert page.status_code == 404
    assert "There is nothing here" in page.text
    assert page.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    problem = await shared_client.get(path, headers={"Accept": "application/json"})
    assert problem.status_code == 404
    assert problem.headers["content-type"] == "application/problem+json"
    assert problem.json()["status"] == 404
    api = await shared_client.get("/api/v1/pages/other/incidents", headers=BROWSER)
    assert api.headers["content-type"] == "application/problem+json"


async def test_a_link_in_a_mail_leads_to_a_button_that_posts_the_token(shared_client: httpx.AsyncClient) -> None:
    for kind in ("confirm", "unsubscribe"):
        page = await shared_client.get(f"/{kind}/abc.d%22ef")
        assert re.search(rf'<form method="post" action="/{kind}/abc\.d%22ef"><button', page.text)
        assert page.headers["cache-control"] == "no-store"


async def test_a_static_file_is_kept_for_ever_under_its_hash(world: WebWorld, client: httpx.AsyncClient) -> None:
    page = (await client.get("/")).text
    for url in re.findall(r'(?:href|src)="(/static/[^"]+)"', page):
        kept = await client.get(url)
        assert kept.status_code == 200
        assert kept.headers["cache-control"] == "public, max-age=31536000, immutable"
        bare = await client.get(url.split("?")[0], headers={"If-None-Match": kept.headers["etag"]})
        assert bare.status_code == 304
        assert bare.headers["cache-control"] == "public, max-age=0, must-revalidate"
        stale = await client.get(url.split("?")[0] + "?v=0")
        assert stale.headers["cache-control"] == "public, max-age=0, must-revalidate"
    assert (await client.get("/favicon.ico")).headers["content-type"] == "image/svg+xml"
    assert "Disallow: /api/" in (await client.get("/robots.txt")).text


async def test_probes(world: WebWorld, client: httpx.AsyncClient) -> None:
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    ready = await client.get("/readyz")
    notes = ["email rests until 2026-11-18T14:24:00Z"]
    assert (ready.status_code, ready.json()) == (200, {"status": "ok", "problems": [], "notes": notes})
    world.log.close()
    unready = await client.get("/readyz")
    assert unready.status_code == 503
    assert "the log cannot be written" in unready.json()["problems"][0]
    assert (await client.get("/healthz")).status_code == 200


async def test_the_metrics_count_what_was_answered(world: WebWorld, client: httpx.AsyncClient) -> None:
    first = await client.get("/")
    await client.get("/", headers={"If-None-Match": first.headers["etag"]})
    await client.get("/api/v2/status.json")
    await client.get("/api/v1/pages/acme/incidents")
    await client.get("/nowhere", headers=BROWSER)
    answer = await client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    for line in (
        'tocsin_http_requests_total{route="page",status="200"} 1.0',
        'tocsin_http_requests_total{route="page",status="304"} 1.0',
        'tocsin_http_requests_total{route="page",status="404"} 1.0',
        'tocsin_http_requests_total{route="api_v2",status="200"} 1.0',
        'tocsin_http_requests_total{route="api_v1",status="200"} 1.0',
        'tocsin_page_render_seconds_count{body="index"} 1.0',
    ):
        assert line in answer.text.splitlines()


def test_a_class_of_routes_is_one_of_few() -> None:
    assert route_class("/api/v1/pages/acme/incidents") == "api_v1"
    assert route_class("/v2/enqueue") == "ingest"
    assert {route_class(f"/{rank}") for rank in range(50)} == {"page"}
