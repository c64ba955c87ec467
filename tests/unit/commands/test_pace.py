"""When subscribers are told: chosen at the sign-up or later, by operators, and what cannot be chosen is named."""

from typing import Any

import httpx
import pytest

from producers.commands.deps import Standing
from schemas.events import Digest, Pace, PaceChosen, QuietHours
from schemas.vocabulary import DigestEvery
from tests.unit.commands.office import API, BOSS, GUEST, OPS, Office
from tests.unit.intake.station import PAGE

URL = f"{API}/subscribers"
ANN = {"email": "ann@example.com"}
NIGHT: dict[str, Any] = {"from": "22:00", "to": "07:30", "zone": "Europe/Berlin"}
QUIET = QuietHours(22 * 60, 7 * 60 + 30, "Europe/Berlin")


def paces(office: Office) -> dict[str, Pace | None]:
    office.backend.settle()
    return {key: known.pace for key, known in office.backend.subscribers.tables["subscribers"].items(PAGE)}


async def added(client: httpx.AsyncClient, **more: Any) -> str:
    answer = await client.post(URL, json=ANN | more)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def test_a_sign_up_may_say_when(office: Office, client: httpx.AsyncClient) -> None:
    key = await added(client, quiet_hours=NIGHT, critical_gets_through=False)
    assert paces(office) == {key: Pace(QUIET, critical_gets_through=False)}


async def test_who_says_nothing_is_told_at_once_and_nothing_is_written_of_it(
    office: Office, client: httpx.AsyncClient
) -> None:
    key = await added(client, quiet_hours=None, critical_gets_through=None)
    assert paces(office) == {key: None}
    assert office.of(PaceChosen) == []


async def test_a_sign_up_under_a_key_is_one(office: Office, client: httpx.AsyncClient) -> None:
    for _ in range(2):
        answer = await client.post(URL, json=ANN | {"quiet_hours": NIGHT}, headers=OPS | {"Idempotency-Key": "1"})
        assert answer.status_code == 201
    assert list(paces(office).values()) == [Pace(QUIET)]
    assert len(office.of(PaceChosen)) == 1
    for other in ({}, {"quiet_hours": NIGHT | {"to": "08:00"}}, {"quiet_hours": NIGHT, "minimum_gap": 600}):
        answer = await client.post(URL, json=ANN | other, headers=OPS | {"Idempotency-Key": "1"})
        assert answer.status_code == 422, "the key was used for something else"


async def test_an_operator_chooses_in_place_of_what_was_chosen(office: Office, client: httpx.AsyncClient) -> None:
    key = await added(client)
    said = await client.put(f"{URL}/{key}/pace", json={"quiet_hours": NIGHT}, headers=OPS)
    assert (said.status_code, said.json()["quiet_hours"], said.json()["critical_gets_through"]) == (200, NIGHT, True)
    assert paces(office) == {key: Pace(QUIET)}
    assert (await client.put(f"{URL}/{key}/pace", json=said.json(), headers=OPS)).json() == said.json()
    assert (await client.put(f"{URL}/{key}/pace", json={}, headers=OPS)).status_code == 200
    assert paces(office) == {key: None}
    assert [event.actor for event in office.events() if isinstance(event.data, PaceChosen)] == ["operator:ops"] * 3


async def test_a_batch_may_say_when(office: Office, client: httpx.AsyncClient) -> None:
    people = [
        {"channel": "room", "address": "ops", "confirmed": True, "quiet_hours": NIGHT},
        {"channel": "room", "address": "dev", "confirmed": True, "quiet_hours": NIGHT | {"zone": "Europe/Berlni"}},
    ]
    answer = await client.post(f"{URL}/batch", json={"subscribers": people}, headers=OPS)
    first, second = answer.json()["results"]
    assert paces(office) == {first["id"]: Pace(QUIET)}
    assert [error["field"] for error in second["errors"]] == ["quiet_hours.zone"]


@pytest.mark.parametrize(
    ("wish", "pace", "shown"),
    [
        ({"minimum_gap": "30m"}, Pace(minimum_gap=1_800), {"minimum_gap": 1_800}),
        ({"minimum_gap": 60}, Pace(minimum_gap=60), {"minimum_gap": 60}),
        (
            {"digest": {"every": "day", "at": "08:05", "zone": "Europe/Berlin"}},
            Pace(digest=Digest(DigestEvery.DAY, 485, "Europe/Berlin")),
            {"digest": {"every": "day", "at": "08:05", "zone": "Europe/Berlin"}},
        ),
        (
            {"digest": {"every": "hour"}},
            Pace(digest=Digest(DigestEvery.HOUR, 0, "UTC")),
            {"digest": {"every": "hour", "zone": "UTC"}},
        ),
    ],
)
async def test_how_often_is_chosen_and_shown(
    office: Office, client: httpx.AsyncClient, wish: dict[str, Any], pace: Pace, shown: dict[str, Any]
) -> None:
    key = await added(client)
    said = await client.put(f"{URL}/{key}/pace", json=wish, headers=OPS)
    assert (
        said.json() == {"quiet_hours": None, "digest": None, "minimum_gap": None, "critical_gets_through": True} | shown
    )
    assert paces(office) == {key: pace}
    assert (await client.put(f"{URL}/{key}/pace", json=said.json(), headers=OPS)).json() == said.json()


@pytest.mark.parametrize(
    ("wish", "field", "words"),
    [
        ({"minimum_gap": "59s"}, "minimum_gap", "must be between one minute and a day"),
        ({"minimum_gap": "1d1s"}, "minimum_gap", "must be between one minute and a day"),
        ({"minimum_gap": "often"}, "minimum_gap", "must be seconds as a number, or a duration"),
        ({"digest": {"every": "week"}}, "digest.every", "should be 'hour' or 'day'"),
        ({"digest": {"every": "day", "at": "08:00"}}, "digest", "must say at and zone"),
        ({"digest": {"every": "hour", "at": "08:00"}}, "digest", "must not say at"),
        ({"digest": {"every": "hour", "zone": "Mars"}}, "digest.zone", "no such time zone 'Mars'"),
        ({"critical_gets_through": "no"}, "critical_gets_through", ""),
        ({"often": True}, "often", "is not a known field"),
    ],
)
async def test_how_often_cannot_be_anything(
    client: httpx.AsyncClient, wish: dict[str, Any], field: str, words: str
) -> None:
    answer = await client.put(f"{URL}/{'0' * 32}/pace", json=wish, headers=OPS)
    assert answer.status_code == 400
    [error] = answer.json()["errors"]
    assert (error["field"], error["message"][: len(words)]) == (field, words)


@pytest.mark.parametrize(
    ("quiet", "field", "words"),
    [
        (NIGHT | {"zone": "Europe/Berlni"}, "quiet_hours.zone", "no such time zone 'Europe/Berlni'"),
        (NIGHT | {"zone": "../../etc/passwd\n"}, "quiet_hours.zone", "no such time zone: give"),
        (NIGHT | {"zone": "localtime"}, "quiet_hours.zone", "no such time zone 'localtime'"),
        (NIGHT | {"from": "24:00"}, "quiet_hours.from", "must be a time of the day"),
        (NIGHT | {"to": 7}, "quiet_hours.to", "must be a time of the day"),
        (NIGHT | {"to": "22:00"}, "quiet_hours", "must not begin and end at the same time"),
        (NIGHT | {"till": "22:00"}, "quiet_hours.till", "is not a known field"),
        ({"from": "22:00", "to": "07:00"}, "quiet_hours.zone", "is missing"),
        ("22:00-07:00", "quiet_hours", ""),
    ],
)
async def test_what_cannot_be_is_named(client: httpx.AsyncClient, quiet: Any, field: str, words: str) -> None:
    for answer in (
        await client.post(URL, json=ANN | {"quiet_hours": quiet}),
        await client.put(f"{URL}/{'0' * 32}/pace", json={"quiet_hours": quiet}, headers=OPS),
    ):
        assert answer.status_code == 400
        [error] = answer.json()["errors"]
        assert error["field"] == field
        assert error["message"].startswith(words)


async def test_it_is_for_operators_and_for_who_is_there(office: Office, client: httpx.AsyncClient) -> None:
    key = await added(client)
    for headers, status in ((None, 401), (GUEST, 403)):
        assert (await client.put(f"{URL}/{key}/pace", json={}, headers=headers)).status_code == status
    for strange in ("0" * 32, "ann"):
        assert (await client.put(f"{URL}/{strange}/pace", json={}, headers=OPS)).status_code == 404
    await client.post(f"/unsubscribe/{office.links.unsubscribe_url(PAGE, key).rpartition('/')[2]}")
    assert (await client.put(f"{URL}/{key}/pace", json={}, headers=OPS)).status_code == 410
    await client.delete(f"{URL}/{key}", headers=BOSS)
    assert (await client.put(f"{URL}/{key}/pace", json={}, headers=OPS)).status_code == 404
    assert office.of(PaceChosen) == []


async def test_who_was_replaced_long_ago_is_gone(office: Office) -> None:
    async with office.desk(standing=lambda *_: Standing.REPLACED) as client:
        key = await added(client)
        assert (await client.put(f"{URL}/{key}/pace", json={}, headers=OPS)).status_code == 410
