"""Bodies that are no JSON, or too much of it, on every route that takes one."""

import json

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.commands.office import API, BOSS
from tests.unit.intake.test_hostile import bodies

MIB = 1024 * 1024
PATHS = (
    "incidents", "incidents/x/updates", "drafts/x/approve", "drafts/x/dismiss", "maintenances", "maintenances/x/updates",
    "maintenances/x/start", "maintenances/x/complete", "subscribers",
)  # fmt: skip
JSON = {"Content-Type": "application/json"}
every_path = pytest.mark.parametrize("path", PATHS)


@every_path
@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff\xfe",
        b'{"title": "\xff"}',
        b'{"title": "\\ud800"}',
        b'{"next_update_in": NaN}',
        b'{"next_update_in": 1e999}',
        b"Infinity",
        b"[" * 100_000,
        b"[" * 1_000 + b"]" * 1_000,
        b'{"a":' * 1_000 + b"1" + b"}" * 1_000,
        b"9" * 5_000,
        b"title=x",
        b"null",
        b"[]",
        b'"x"',
        b"7",
    ],
    ids=lambda body: repr(body[:16]),
)
async def test_what_is_no_object_is_a_400(shared_client: httpx.AsyncClient, path: str, body: bytes) -> None:
    answer = await shared_client.post(f"{API}/{path}", content=body, headers=BOSS | JSON)
    # Where nothing needs to be said, null says it.
    silent = body == b"null" and path.endswith(("/approve", "/dismiss", "/start", "/complete"))
    assert answer.status_code == (404 if silent else 400)
    assert b"\xff" not in answer.content


@every_path
async def test_more_than_a_mib_is_a_413(shared_client: httpx.AsyncClient, path: str) -> None:
    answer = await shared_client.post(f"{API}/{path}", content=b" " * (MIB + 1), headers=BOSS | JSON)
    assert answer.status_code == 413


@every_path
@pytest.mark.parametrize(
    "media_type", ["text/html", "multipart/form-data; boundary=x", "application/jsonx", "application/xml"]
)
async def test_what_is_declared_as_something_else_is_a_415(
    shared_client: httpx.AsyncClient, path: str, media_type: str
) -> None:
    answer = await shared_client.post(f"{API}/{path}", content=b"{}", headers=BOSS | {"Content-Type": media_type})
    assert answer.status_code == 415
    assert "application/json" in answer.json()["detail"]


@every_path
@pytest.mark.parametrize(
    "media_type", ["", "text/plain", "application/x-www-form-urlencoded", "application/merge+json"]
)
async def test_json_is_taken_however_it_is_declared(
    shared_client: httpx.AsyncClient, path: str, media_type: str
) -> None:
    answer = await shared_client.post(f"{API}/{path}", content=b"[7]", headers=BOSS | {"Content-Type": media_type})
    assert answer.status_code == 400, "it was read, and is no object"


@every_path
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=bodies, data=st.data())
async def test_no_json_breaks_anything(
    shared_client: httpx.AsyncClient, path: str, body: object, data: st.DataObject
) -> None:
    names = "title body status impact affects next_update_in email webhook cells kinds min_impact confirmed starts_at ends_at"
    if data.draw(st.booleans()):
        body = {data.draw(st.sampled_from(names.split())): body}
    content = json.dumps(body).encode()  # NaN and lone surrogates among it
    answer = await shared_client.post(f"{API}/{path}", content=content, headers=BOSS | JSON)
    assert answer.status_code in (201, 400, 404)
    assert answer.status_code != 400 or answer.json()["title"]
