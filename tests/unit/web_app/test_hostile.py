"""Strange requests get a clear answer: never a 500, and never a page of ours with theirs in it."""

import itertools

import httpx
import pytest

from streams.runtime.access import Role
from tests.builders.web_world import bearer

STRANGE = [
    "%00", "%FF%FE", "%F0%9F%94%A5", "'%20or%201=1--", "%7B%7B7*7%7D%7D", "%3Cscript%3E1%3C/script%3E", "..%2F..%2Fetc",
    "x" * 5000, "9" * 400, "-1", "1e309", "NaN", "null", "%0d%0aSet-Cookie:%20a=b", "true", "[]", "%5B%5D", "2026-11-18T00:00:00",
]  # fmt: skip
READS = [
    "incidents", "maintenances", "components", "uptime", "reliability", "drafts", "audience", "subscribers", "events",
    "events/ignored", "alerts/unrouted",
]  # fmt: skip
PARAMETERS = ["after", "limit", "component", "region", "impact", "subscriber", "from", "to"]
PLACES = [
    "/api/v1/pages/{}/incidents", "/api/v1/pages/acme/incidents/{}", "/api/v1/pages/acme/incidents/{}/deliveries",
    "/api/v1/pages/acme/maintenances/{}", "/api/v1/pages/acme/subscribers/{0}/why?incident={0}", "/incidents/{}", "/maintenances/{}", "/static/{}", "/history?page={}",
    "/confirm/{}", "/unsubscribe/{}", "/pages/{}/events/stream", "/{}", "/api/{}", "/static/page.css?v={}",
]  # fmt: skip


@pytest.mark.parametrize("strange", STRANGE, ids=range(len(STRANGE)))
async def test_a_strange_place_is_a_page_or_a_problem(shared_client: httpx.AsyncClient, strange: str) -> None:
    for place, accept in itertools.product(PLACES, ("text/html", "*/*")):
        answer = await shared_client.get(place.format(strange), headers={"Accept": accept, **bearer(Role.ADMIN)})
        assert answer.status_code < 500, (place, answer.text)
        assert "<script>1" not in answer.text
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("read", READS)
async def test_a_strange_parameter_is_a_problem_or_means_nothing(shared_client: httpx.AsyncClient, read: str) -> None:
    for name, strange in itertools.product(PARAMETERS, STRANGE):
        answer = await shared_client.get(f"/api/v1/pages/acme/{read}?{name}={strange}", headers=bearer(Role.ADMIN))
        assert answer.status_code in {200, 400, 404}, (name, strange, answer.text)
        if answer.status_code == 400:
            assert answer.json()["field"] == f"query.{name}"


@pytest.mark.parametrize(
    "token", ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer \xff\xfe", "bearer viewer-token x", "x" * 9000]
)
async def test_a_strange_token_is_no_token(shared_client: httpx.AsyncClient, token: str) -> None:
    header = {"Authorization": token.encode("latin-1")}
    answer = await shared_client.request("GET", "/api/v1/pages/acme/drafts", headers=list(header.items()))  # type: ignore[arg-type]  # bytes on purpose
    assert answer.status_code == 401


@pytest.mark.parametrize("name", ["If-None-Match", "Accept-Encoding", "Accept", "Range", "Host"])
async def test_a_strange_header_changes_nothing(shared_client: httpx.AsyncClient, name: str) -> None:
    for value in (b"\xff\xfe", b'"', b",,,;;;q=", b"gzip;q=9" * 500, b"*" * 9000, b""):
        answer = await shared_client.request("GET", "/", headers=[(name.encode(), value)])
        assert answer.status_code in {200, 304}
