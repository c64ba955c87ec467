"""When the log or the key store cannot: 503 with Retry-After, and nothing is stored."""

from collections.abc import Sequence

import pytest
from fastapi import FastAPI

from producers.commands.router import commands_router
from schemas.events import AnyEvent
from streams.log.port import Appended, LogUnavailableError
from tests.unit.commands.office import API, BOSS, OPENING, Office
from tests.unit.commands.test_once import MAINTENANCE
from tests.unit.intake.station import PAGE


class Full:
    async def publish(self, events: Sequence[AnyEvent]) -> list[Appended]:
        raise LogUnavailableError("the disk is full")


class NoKeys:
    def create(self, owner: str, lookup: str | None = None) -> None:
        raise OSError("ann@example.com")

    def seal(self, owner: str, plain: bytes) -> bytes:
        raise OSError("ann@example.com")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"{API}/incidents", OPENING),
        (f"{API}/maintenances", MAINTENANCE),
        (f"{API}/subscribers", {"email": "ann@example.com"}),
        ("/unsubscribe/{token}", None),
    ],
)
async def test_a_log_that_cannot_is_a_503(office: Office, path: str, body: object) -> None:
    token = office.links.unsubscribe_url(PAGE, "0" * 32).rpartition("/")[2]
    async with office.desk(publisher=Full()) as client:
        answer = await client.post(path.format(token=token), json=body, headers=BOSS)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0


async def test_a_log_that_cannot_be_asked_is_a_503(office: Office) -> None:
    def find(event_id: str) -> AnyEvent | None:
        raise LogUnavailableError("closed")

    async with office.desk(find=find) as client:
        answer = await client.post(f"{API}/incidents", json=OPENING, headers=BOSS | {"Idempotency-Key": "1"})
    assert answer.status_code == 503


async def test_a_key_store_that_cannot_is_a_503(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    before = len(office.events())
    async with office.desk(vault=NoKeys()) as client:
        answer = await client.post(f"{API}/subscribers", json={"email": "ann@example.com"})
        assert answer.status_code == 503
        answer = await client.delete(f"{API}/subscribers/{'0' * 32}", headers=BOSS)
        assert answer.status_code == 503
    assert len(office.events()) == before
    assert "OSError" in caplog.text
    assert "ann@" not in caplog.text


def test_every_command_is_documented(office: Office) -> None:
    app = FastAPI()
    app.include_router(commands_router(office.deps()))
    document = app.openapi()
    operations = [
        operation for path in document["paths"].values() for method, operation in path.items() if method != "parameters"
    ]
    assert len(operations) == 15
    for operation in operations:
        assert operation["description"]
        assert operation["tags"]
        assert operation["security"]
        assert {"404", "503"} <= set(operation["responses"])
    described = document["components"]["schemas"]["OpenIncident"]
    assert described["examples"]
    assert described["additionalProperties"] is False
    assert "later counts" in described["properties"]["affects"]["description"]
