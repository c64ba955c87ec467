"""Addresses in clear: for admins alone, not to be stored on the way, and noted in the server's log."""

from typing import Any

import httpx
import pytest

from consumers.web.ports import ExportedSubscriber
from schemas.events import Filter
from schemas.vocabulary import Impact
from streams.runtime.access import Role
from tests.builders.web_world import bearer

URL = "/api/v1/pages/acme/subscribers/export"


@pytest.mark.parametrize("role", [None, Role.VIEWER, Role.OPERATOR, Role.APPROVER])
async def test_it_is_for_admins(
    shared_client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, role: Role | None
) -> None:
    answer = await shared_client.get(URL, headers={} if role is None else bearer(role))
    assert answer.status_code == (401 if role is None else 403)
    assert "anna@" not in answer.text
    assert not caplog.records


async def test_who_reads_addresses_is_noted(shared_client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    answer = await shared_client.get(URL, headers=bearer(Role.ADMIN))
    assert answer.headers["cache-control"] == "no-store"
    chosen = {"cells": [{"component": "api", "region": "eu"}], "min_impact": "minor", "kinds": ["incident"]}
    common: dict[str, Any] = {
        "reason": None,
        "filter": chosen,
        "pace": None,
        "audience": "public",
        "created_at": "2026-11-18T14:20:00Z",
    }
    assert answer.json() == {
        "subscribers": [
            {"id": "anna", "channel": "email", "address": "anna@example.com", "secret": None, "state": "active"}
            | common,
            {
                "id": "hook",
                "channel": "webhook",
                "address": "https://example.com",
                "secret": "whsec_1",
                "state": "pending",
            }
            | common,
        ],
        "next": None,
    }
    [record] = caplog.records
    assert record.getMessage() == "operator:admin reads the addresses of 2 subscribers of acme in clear"
    assert "example.com" not in caplog.text


async def test_it_comes_in_parts(shared_client: httpx.AsyncClient) -> None:
    first = (await shared_client.get(f"{URL}?limit=1", headers=bearer(Role.ADMIN))).json()
    second = (await shared_client.get(f"{URL}?limit=1&after={first['next']}", headers=bearer(Role.ADMIN))).json()
    assert [one["id"] for one in (*first["subscribers"], *second["subscribers"])] == ["anna", "hook"]
    assert second["next"] is None
    assert (await shared_client.get(f"{URL}?limit=1001", headers=bearer(Role.ADMIN))).status_code == 400


def test_nothing_of_an_address_prints() -> None:
    row = ExportedSubscriber(
        "a", "email", "anna@example.com", "whsec_1", "active", "", Filter(None, Impact.NONE, []), 0
    )
    assert "anna@" not in repr(row)
    assert "whsec" not in repr(row)
