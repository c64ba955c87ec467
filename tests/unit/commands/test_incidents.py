"""Incidents by hand: what is refused and how, what the fold says, and what then stands on the log."""

from typing import Any

import httpx
import pytest

from schemas.events import Effect, IncidentOpened, IncidentUpdated
from schemas.vocabulary import CellStatus
from streams.domain.page import INCIDENTS
from streams.runtime.views import Verdict
from tests.unit.commands.office import API, GUEST, LEAD, OPENING, OPS, Office
from tests.unit.intake.station import MINUTE, NOON, PAGE, bearer

INCIDENTS_URL = f"{API}/incidents"
MAJOR, DEGRADED, OPERATIONAL = CellStatus.MAJOR_OUTAGE, CellStatus.DEGRADED, CellStatus.OPERATIONAL


async def opened(client: httpx.AsyncClient, **changes: Any) -> str:
    answer = await client.post(INCIDENTS_URL, json=OPENING | changes, headers=OPS)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def update(client: httpx.AsyncClient, incident: str, status: str, **more: Any) -> httpx.Response:
    body = {"body": "More.", "status": status, **more}
    return await client.post(f"{INCIDENTS_URL}/{incident}/updates", json=body, headers=OPS)


async def test_an_incident_is_opened(office: Office, client: httpx.AsyncClient) -> None:
    answer = await client.post(INCIDENTS_URL, json=OPENING, headers=OPS)
    assert answer.status_code == 201
    said = answer.json()
    assert (said["title"], said["status"], said["impact"]) == ("API errors in Europe", "investigating", "critical")
    assert said["affects"] == [{"component": "api", "region": "eu", "status": "major_outage"}]
    assert said["promise_at"] == "2026-03-01T12:30:00.000Z", "the page's default"
    [event] = [event for event in office.events() if isinstance(event.data, IncidentOpened)]
    assert (event.actor, event.drill, event.recorded_at) == ("operator:ops", False, NOON)
    assert office.incidents() == ["investigating"]


async def test_a_group_and_a_missing_region_mean_all_below(office: Office, client: httpx.AsyncClient) -> None:
    affects = [
        {"component": "platform", "status": "degraded_performance"},
        {"component": "api", "region": "us", "status": "major_outage"},
        {"component": "login", "status": "partial_outage"},
    ]
    await opened(client, affects=affects)
    [data] = office.of(IncidentOpened)
    found = {effect.cell.key: effect.status for effect in data.affects}
    assert found == {
        "api/eu": DEGRADED, "api/us": MAJOR, "api/ap": DEGRADED, "web/eu": DEGRADED, "web/us": DEGRADED,
        "login": CellStatus.PARTIAL_OUTAGE,
    }  # fmt: skip


async def test_an_incident_may_affect_nothing(office: Office, client: httpx.AsyncClient) -> None:
    nothing: tuple[list[object] | None, ...] = ([], None)
    for affects in nothing:
        await opened(client, affects=affects)
    assert [data.affects for data in office.of(IncidentOpened)] == [[], []]


@pytest.mark.parametrize(
    ("said", "seconds"),
    [(90, 90), (1.5, 1.5), ("45m", 2700), ("1h30m", 5400), ("2d", 172_800), ("20s", 20), (None, 1800)],
)
async def test_the_promise(office: Office, client: httpx.AsyncClient, said: object, seconds: float) -> None:
    incident = await opened(client, next_update_in=said)
    await update(client, incident, "identified", next_update_in=said)
    [first], [second] = office.of(IncidentOpened), office.of(IncidentUpdated)
    assert first.promise_at == second.promise_at == NOON + int(seconds * 1_000_000)


async def test_what_is_over_promises_nothing(office: Office, client: httpx.AsyncClient) -> None:
    incident = await opened(client)
    await update(client, incident, "resolved", next_update_in="30m")
    await update(client, incident, "postmortem")
    assert [data.promise_at for data in office.of(IncidentUpdated)] == [None, None]
    await opened(client, status="resolved")
    assert office.of(IncidentOpened)[-1].promise_at is None


async def test_an_update_names_only_what_changes(office: Office, client: httpx.AsyncClient) -> None:
    incident = await opened(client)
    affects = [
        {"component": "api", "region": "eu", "status": "major_outage"},
        {"component": "api", "region": "us", "status": "degraded_performance"},
        {"component": "login", "status": "operational"},
    ]
    answer = await update(client, incident, "identified", affects=affects)
    assert answer.status_code == 201
    assert answer.json()["affects"] == [{"component": "api", "region": "us", "status": "degraded_performance"}]
    await update(client, incident, "monitoring", affects=[{"component": "platform", "status": "operational"}])
    [_, last] = office.of(IncidentUpdated)
    assert last.affects == [Effect("api", "eu", OPERATIONAL), Effect("api", "us", OPERATIONAL)]
    await update(client, incident, "resolved", affects=affects)
    assert office.of(IncidentUpdated)[-1].affects == []


async def test_the_folds_verdict_is_the_answer(office: Office, client: httpx.AsyncClient) -> None:
    incident = await opened(client)
    assert (await update(client, incident, "postmortem")).json()["detail"] == "A post-mortem follows the resolution."
    assert (await update(client, incident, "resolved")).status_code == 201
    late = await update(client, incident, "monitoring")
    assert (late.status_code, late.json()["detail"]) == (409, "The incident is resolved.")
    assert late.headers["content-type"] == "application/problem+json"
    assert (await update(client, incident, "postmortem")).status_code == 201
    rows = office.backend.pages.tables[INCIDENTS].rows(PAGE)
    assert [one.status for one in rows[incident].updates] == ["investigating", "resolved", "postmortem"]


async def test_without_a_verdict_it_is_202(office: Office) -> None:
    class Slow:
        pages = office.backend.board.pages
        view = office.backend.board.view

        async def verdict(self, page: str, event_id: str, offset: int, timeout: float) -> Verdict:
            return Verdict(known=False)

    async with office.desk(views=Slow()) as client:
        answer = await client.post(INCIDENTS_URL, json=OPENING, headers=OPS)
    [data] = office.of(IncidentOpened)
    assert (answer.status_code, answer.json()) == (202, {"id": data.incident, "state": "pending"})


async def test_a_drill_stays_one(office: Office, client: httpx.AsyncClient) -> None:
    incident = await opened(client, drill=True)
    await update(client, incident, "resolved")
    drills = [event.drill for event in office.events() if isinstance(event.data, IncidentOpened | IncidentUpdated)]
    assert drills == [True, True]


async def test_who_may(office: Office, client: httpx.AsyncClient) -> None:
    for headers, status in (({}, 401), (bearer("no"), 401), (GUEST, 403), (OPS, 201), (LEAD, 201)):
        answer = await client.post(INCIDENTS_URL, json=OPENING, headers=headers)
        assert answer.status_code == status
    assert len(office.of(IncidentOpened)) == 2


async def test_what_does_not_exist(client: httpx.AsyncClient) -> None:
    assert (await client.post("/api/v1/pages/nowhere/incidents", json=OPENING, headers=OPS)).status_code == 404
    for name in ("nothing", "'; drop table log; --", "{{7*7}}", "0" * 32):
        assert (await update(client, name, "resolved")).status_code == 404


LONG = "x" * 20_001
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"title": None}, "title"),
    ({"title": ""}, "title"),
    ({"title": "   "}, "title"),
    ({"title": "a\nb"}, "title"),
    ({"title": "a\x00b"}, "title"),
    ({"title": "x" * 201}, "title"),
    ({"title": 7}, "title"),
    ({"title": ["a"]}, "title"),
    ({"body": LONG}, "body"),
    ({"body": "a\x00b"}, "body"),
    ({"body": {}}, "body"),
    ({"status": "fine"}, "status"),
    ({"status": "postmortem"}, "status"),
    ({"status": None}, "status"),
    ({"impact": "enormous"}, "impact"),
    ({"affects": "api"}, "affects"),
    ({"affects": [{"component": "api"}]}, "affects[0].status"),
    ({"affects": [{"status": "major_outage"}]}, "affects[0].component"),
    ({"affects": [OPENING["affects"][0], {"component": "nope", "status": "major_outage"}]}, "affects[1].component"),
    ({"affects": [{"component": "api", "region": "mars", "status": "major_outage"}]}, "affects[0].region"),
    ({"affects": [{"component": "login", "region": "eu", "status": "major_outage"}]}, "affects[0].region"),
    ({"affects": [{"component": "api", "region": 5, "status": "major_outage"}]}, "affects[0].region"),
    ({"affects": [{"component": "api", "status": "on fire"}]}, "affects[0].status"),
    ({"affects": [{"component": "api", "status": "operational"}]}, "affects[0].status"),
    ({"affects": [{"component": "api", "status": "under_maintenance"}]}, "affects[0].status"),
    ({"affects": [{"component": "api", "status": "major_outage", "x": 1}]}, "affects[0].x"),
    ({"affects": [OPENING["affects"][0]] * 501}, "affects"),
    ({"next_update_in": 0}, "next_update_in"),
    ({"next_update_in": -5}, "next_update_in"),
    ({"next_update_in": 10**30}, "next_update_in"),
    ({"next_update_in": True}, "next_update_in"),
    ({"next_update_in": "soon"}, "next_update_in"),
    ({"next_update_in": ""}, "next_update_in"),
    ({"next_update_in": "31d"}, "next_update_in"),
    ({"drill": "yes"}, "drill"),
    ({"titel": "x"}, "titel"),
]


@pytest.mark.parametrize(
    ("change", "field"), WRONG, ids=[f"{field} {number}" for number, (_, field) in enumerate(WRONG)]
)
async def test_a_wrong_field_is_named(
    shared_office: Office, shared_client: httpx.AsyncClient, change: dict[str, Any], field: str
) -> None:
    answer = await shared_client.post(INCIDENTS_URL, json=OPENING | change, headers=OPS)
    assert answer.status_code == 400, answer.text
    said = answer.json()
    assert said["title"] == "Invalid request"
    assert [error["field"] for error in said["errors"]] == [field]
    assert said["field"] == field
    assert field in said["detail"]
    assert not shared_office.of(IncidentOpened)


async def test_every_wrong_field_is_named_at_once(shared_client: httpx.AsyncClient) -> None:
    affects = [{"component": name, "region": "x", "status": "major_outage"} for name in ("nope", "api", "maps")]
    answer = await shared_client.post(INCIDENTS_URL, json=OPENING | {"affects": affects}, headers=OPS)
    fields = [error["field"] for error in answer.json()["errors"]]
    assert fields == ["affects[0].component", "affects[1].region", "affects[2].region"]


async def test_texts_for_other_layers_are_kept_as_they_are(office: Office, client: httpx.AsyncClient) -> None:
    body = "{{ 7*7 }} '; drop table log; -- <script>alert(1)</script>\n\n```\n${x}\n``` \u202e 💥"
    await opened(client, title="{{ 7*7 }} <b>'; --", body=body, affects=[])
    [data] = office.of(IncidentOpened)
    assert (data.title, data.body) == ("{{ 7*7 }} <b>'; --", body)


async def test_a_minute_later_all_is_still_there(office: Office, client: httpx.AsyncClient) -> None:
    incident = await opened(client)
    office.now += MINUTE
    answer = await update(client, incident, "resolved")
    assert answer.json()["created_at"] == "2026-03-01T12:01:00.000Z"
