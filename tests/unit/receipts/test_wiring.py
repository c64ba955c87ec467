"""Who is listened to follows from the configuration, and the way in is part of a running Tocsin."""

from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from producers.receipts.registry import RECEIPT_KIND_OF_NAME, RECEIPT_KINDS
from tests.fakes.vendors.sendgrid import Letter
from tests.fakes.vendors.sendgrid_events import Events
from tests.unit.delivery.channels.examples import WRITTEN
from tocsin.backend import Backend
from tocsin.config import Config, parse
from tocsin.faces import listening_of
from tocsin.server import Server

NOW = 1_795_357_800


def config(**channels: Any) -> Config:
    page = {"id": "acme", "name": "Acme Cloud", "url": "https://status.acme.example/"}
    return parse(yaml.safe_dump({"page": page, "channels": channels}).encode(), "tocsin.yaml", {})


def by_sendgrid(**settings: str) -> dict[str, Any]:
    return {"sendgrid": {"api_key": "SG.key", **settings}, "from": "status@acme.example"}


def test_names_of_kinds_are_unique() -> None:
    assert list(RECEIPT_KIND_OF_NAME) == [kind.name for kind in RECEIPT_KINDS]


@pytest.mark.parametrize(("name", "given"), WRITTEN)
def test_every_kind_that_settings_name_is_one_that_is_understood(name: str, given: Any) -> None:
    found = config(**{name: given})
    wanted = {kind for settings in found.channels.values() for kind in settings.receipts()}
    assert {(one.page, one.channel, one.kind.name) for one in listening_of(found)} == {
        ("acme", name, kind) for kind in wanted
    }


def test_without_a_key_nobody_is_listened_to() -> None:
    assert listening_of(config(email=by_sendgrid())) == ()
    assert listening_of(config(email={"via": "smtp://127.0.0.1", "from": "a@b.example"})) == ()


async def test_a_running_tocsin_takes_what_is_signed_and_nothing_else(tmp_path: Path) -> None:
    events = Events()
    backend = Backend(tmp_path, {}, lambda: NOW * 1_000_000)
    server = Server(config(email=by_sendgrid(event_key=events.public_key)), backend, {})
    letter = Letter("kim@customer.example", "", "", "", {}, {"notification": "f" * 56}, "m")
    posted = events.posted([events.event(letter, "delivered", NOW)], NOW)
    try:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(server.application()), base_url="http://tocsin.example"
        ) as client:
            taken = await client.post("/receipts/acme/sendgrid", content=posted.body, headers=posted.headers)
            refused = await client.post("/receipts/acme/sendgrid", content=posted.body)
            described = (await client.get("/api/openapi.json")).json()
            metrics = (await client.get("/metrics")).text
        assert (taken.status_code, taken.json()) == (202, {"recorded": 0, "repeated": 0, "unknown": 1})
        assert (refused.status_code, refused.headers["content-type"]) == (401, "application/problem+json")
        answers = described["paths"]["/receipts/{page}/{kind}"]["post"]["responses"]
        assert {"202", "400", "401", "404", "413", "503"} <= set(answers)
        assert 'tocsin_receipts_total{kind="sendgrid",outcome="refused"} 1.0' in metrics
        assert 'tocsin_http_requests_total{route="receipts",status="202"} 1.0' in metrics
    finally:
        await server.stop()
        backend.close()
