"""When the log or the key store cannot: 503, nothing half done, and nobody acknowledged by what is not durable."""

import asyncio
from collections.abc import Sequence

import pytest

from schemas.events import AlertReceived, AnyEvent, DeadLettered
from streams.keys.vault import ErasedError
from streams.log.port import Appended, LogUnavailableError
from tests.unit.intake.station import Station, bearer, client_of, token_of

HEADERS = bearer(token_of("other"))
DOWN = {"id": "disk", "status": "firing"}
UP = {"id": "disk", "status": "ok"}


class Gate:
    """A publisher that holds appends back until it is told how they end; in between it is the real one."""

    def __init__(self, station: Station) -> None:
        self._real = station.backend.publisher
        self.waiting: list[asyncio.Future[bool]] = []
        self.came = asyncio.Condition()

    async def publish(self, events: Sequence[AnyEvent]) -> list[Appended]:
        gate: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        async with self.came:
            self.waiting.append(gate)
            self.came.notify_all()
        if not await gate:
            raise LogUnavailableError("the disk is full")
        return await self._real.publish(events)

    async def arrivals(self, count: int) -> None:
        async with self.came:
            await self.came.wait_for(lambda: len(self.waiting) >= count)


class Refusing:
    def __init__(self, error: Exception) -> None:
        self._error = error

    async def publish(self, events: Sequence[AnyEvent]) -> list[Appended]:
        raise self._error


class NoKeys:
    def create(self, owner: str) -> None:
        raise OSError("read-only file system")

    def seal(self, owner: str, plain: bytes) -> bytes:
        raise ErasedError


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/ingest/acme/other", DOWN),
        ("/ingest/acme/other", ["botched"]),
        ("/ingest/acme/prom/api/v2/alerts", [{"labels": {"a": "b"}}]),
        ("/v2/enqueue", {"routing_key": "pager-secret", "event_action": "resolve", "dedup_key": "1"}),
    ],
)
async def test_a_log_that_cannot_is_a_503(station: Station, path: str, body: object) -> None:
    async with client_of(station.intake(publisher=Refusing(LogUnavailableError("full")))) as client:
        source = path.split("/")[3] if "ingest" in path else "pager"
        answer = await client.post(path, json=body, headers=bearer(token_of(source)))
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0


async def test_a_key_store_that_cannot_is_a_503(station: Station) -> None:
    async with client_of(station.intake(vault=NoKeys())) as client:
        assert (await client.post("/ingest/acme/other", content=b"?", headers=HEADERS)).status_code == 503
        assert (await client.post("/ingest/acme/other", json=DOWN, headers=HEADERS)).status_code == 202


async def test_the_repeat_of_what_is_not_durable_yet_waits_for_it(station: Station) -> None:
    gate = Gate(station)
    async with client_of(station.intake(publisher=gate)) as client:
        first = asyncio.create_task(client.post("/ingest/acme/other", json=DOWN, headers=HEADERS))
        await gate.arrivals(1)
        repeat = asyncio.create_task(client.post("/ingest/acme/other", json=DOWN, headers=HEADERS))
        done, _ = await asyncio.wait([repeat], timeout=0.1)
        assert len(gate.waiting) == 1
        assert not done, "an answer of 202 would promise what a crash could still take back"
        gate.waiting[0].set_result(True)
        assert (await first).json()["accepted"] == 1
        assert (await repeat).json()["ignored"] == 1


async def test_what_follows_a_failed_append_fails_with_it_and_both_can_be_sent_again(station: Station) -> None:
    gate = Gate(station)
    async with client_of(station.intake(publisher=gate)) as client:
        posts = []
        first = asyncio.create_task(client.post("/ingest/acme/other", json=DOWN, headers=HEADERS))
        await gate.arrivals(1)
        for body in (DOWN, UP, DOWN):
            posts.append(asyncio.create_task(client.post("/ingest/acme/other", json=body, headers=HEADERS)))
            await asyncio.sleep(0)
        await asyncio.wait(posts, timeout=0.1)
        assert len(gate.waiting) == 1
        gate.waiting[0].set_result(False)
        assert [(await answer).status_code for answer in (first, *posts)] == [503] * 4
        assert not station.of(AlertReceived)
    async with client_of(station.intake()) as client:
        for body in (DOWN, UP):
            assert (await client.post("/ingest/acme/other", json=body, headers=HEADERS)).json()["accepted"] == 1
    assert station.alerts() == [("disk", "firing"), ("disk", "resolved")]


async def test_a_fault_of_ours_keeps_the_body(station: Station, caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def get_many(self, page: str, keys: Sequence[str]) -> dict[str, object]:
            raise ValueError("disk-secret-7")

    body = b'{"id": "disk-secret-7", "status": "firing"}'
    async with client_of(station.intake(instances=Broken())) as client:
        answer = await client.post("/ingest/acme/other", content=body, headers=HEADERS)
    assert answer.json()["deadlettered"] == 1
    assert station.letters() == [body]
    assert [letter.reason for letter in station.of(DeadLettered)] == ["internal: ValueError"]
    assert "ValueError" in caplog.text
    assert "secret-7" not in caplog.text


async def test_a_log_that_fails_in_its_own_way_is_no_500(station: Station) -> None:
    async with client_of(station.intake(publisher=Refusing(RuntimeError("a fault")))) as client:
        assert (await client.post("/ingest/acme/other", json=DOWN, headers=HEADERS)).status_code == 503
