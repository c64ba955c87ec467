"""The read API v1: shapes, cursors, windows, roles and errors."""

from typing import Any

import httpx
import pytest

from schemas import events as e
from schemas.events import Effect
from schemas.ids import derive
from schemas.vocabulary import AlertStatus, CellStatus, IncidentStatus, Severity
from streams.runtime.access import Role
from tests.builders.views import HOUR, MINUTE, NOW
from tests.builders.web_world import WebWorld, bearer, opened, resolved

BASE = "/api/v1/pages/acme"
PUBLIC = ["/incidents", "/maintenances", "/components", "/uptime", "/reliability"]
VIEWER = ["/drafts", "/audience", "/channels", "/events", "/events/ignored", "/alerts/unrouted"]
OPERATOR = ["/subscribers"]
ADMIN = ["/subscribers/export"]
ONE = ["/incidents/{incident}", "/incidents/{incident}/deliveries", "/subscribers/{subscriber}/why"]


async def get(client: httpx.AsyncClient, path: str, role: Role | None = None, status: int = 200) -> Any:
    answer = await client.get(BASE + path, headers={} if role is None else bearer(role))
    assert answer.status_code == status, answer.text
    kind = "application/json" if status == 200 else "application/problem+json"
    assert answer.headers["content-type"] == kind
    return answer.json()


@pytest.mark.parametrize("path", PUBLIC)
async def test_what_is_public_needs_no_token(shared_client: httpx.AsyncClient, path: str) -> None:
    await get(shared_client, path)


@pytest.mark.parametrize("path", [*VIEWER, *OPERATOR])
async def test_what_is_not_public_needs_a_role(shared_client: httpx.AsyncClient, path: str) -> None:
    await get(shared_client, path, status=401)
    await get(shared_client, path, Role.VIEWER, status=403 if path in OPERATOR else 200)
    await get(shared_client, path, Role.ADMIN)
    wrong = await shared_client.get(BASE + path, headers={"Authorization": "Bearer guessed"})
    assert wrong.status_code == 401
    assert wrong.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "path", [*PUBLIC, *VIEWER, *OPERATOR, *ADMIN, "/incidents/x", "/maintenances/x", "/incidents/x/deliveries"]
)
async def test_a_page_that_is_not_there_is_a_404(shared_client: httpx.AsyncClient, path: str) -> None:
    answer = await shared_client.get(f"/api/v1/pages/other{path}", headers=bearer(Role.ADMIN))
    assert answer.status_code == 404
    assert answer.json()["status"] == 404


async def test_an_incident_has_what_the_contract_names(world: WebWorld, client: httpx.AsyncClient) -> None:
    await world.say(opened())
    [incident] = (await get(client, "/incidents"))["incidents"]
    update = {
        "id": derive("update", "one", "opened"), "status": "investigating", "body": "Some requests **fail**.",
        "at": "2026-11-18T14:20:00Z", "promise_at": "2026-11-18T15:20:00Z",
        "changes": [{"component": "api", "region": "eu", "old": "operational", "new": "major_outage"}],
    }  # fmt: skip
    assert incident == {
        "id": derive("incident", "one"), "title": "Trouble one", "status": "investigating", "impact": "critical",
        "affects": [{"component": "api", "region": "eu", "status": "major_outage"}], "audience": "public",
        "started_at": "2026-11-18T14:20:00Z", "created_at": "2026-11-18T14:20:00Z", "updated_at": "2026-11-18T14:20:00Z",
        "resolved_at": None, "promise_at": "2026-11-18T15:20:00Z", "updates": [update],
    }  # fmt: skip
    world.now += 5 * MINUTE
    await world.say(resolved())
    one = await get(client, f"/incidents/{incident['id']}")
    assert (one["status"], one["resolved_at"], one["affects"]) == ("resolved", "2026-11-18T14:25:00Z", [])
    assert [update["status"] for update in one["updates"]] == ["resolved", "investigating"]
    v2 = (await client.get("/api/v2/incidents.json")).json()["incidents"][0]
    assert await get(client, f"/incidents/{v2['id']}") == one
    await get(client, "/incidents/nothing", status=404)


async def test_incidents_come_in_pages_the_newest_first_and_each_once(
    world: WebWorld, client: httpx.AsyncClient
) -> None:
    for rank in range(7):
        world.now += (rank % 3) * MINUTE
        await world.say(opened(str(rank)))
    whole = await get(client, "/incidents?limit=100")
    assert whole["next"] is None
    assert [one["created_at"] for one in whole["incidents"]] == sorted(
        (one["created_at"] for one in whole["incidents"]), reverse=True
    )
    seen: list[str] = []
    after = ""
    while True:
        part = await get(client, f"/incidents?limit=3&after={after}")
        seen += [one["id"] for one in part["incidents"]]
        if part["next"] is None:
            break
        after = part["next"]
        assert httpx.URL(params={"after": after}).query.decode() == f"after={after}"
    assert seen == [one["id"] for one in whole["incidents"]]
    assert len(set(seen)) == 7


@pytest.mark.parametrize(
    "path",
    [
        "/incidents",
        "/maintenances",
        "/events/ignored",
        "/events",
        "/incidents/ID/deliveries",
        "/subscribers",
        "/subscribers/export",
    ],
)
@pytest.mark.parametrize("cursor", ["%2525", "%C3%A9", "YWJj", "!!!", "a" * 400])
async def test_a_cursor_that_was_not_made_here_is_a_problem(
    world: WebWorld, client: httpx.AsyncClient, path: str, cursor: str
) -> None:
    await world.say(opened())
    path = path.replace("ID", derive("incident", "one"))
    answer = await client.get(f"{BASE}{path}?after={cursor}", headers=bearer(Role.ADMIN))
    assert answer.status_code == 400
    assert answer.json()["field"] == "query.after"


@pytest.mark.parametrize("path", ["/incidents", "/maintenances", "/events/ignored", "/subscribers"])
@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "1e3", ""])
async def test_a_limit_out_of_bounds_is_a_problem(shared_client: httpx.AsyncClient, path: str, limit: str) -> None:
    problem = await get(shared_client, f"{path}?limit={limit}", Role.ADMIN, status=400)
    assert problem["field"] == "query.limit"


async def test_the_audit_log_has_longer_pages(shared_client: httpx.AsyncClient) -> None:
    assert len((await get(shared_client, "/events?limit=1000&after=", Role.VIEWER))["events"]) == 3
    first = await get(shared_client, "/events?limit=2", Role.VIEWER)
    assert (len(first["events"]), first["next"]) == (2, "2")
    assert first["events"][0]["data"] == {"incident": "i"}
    assert (await get(shared_client, "/events?limit=1001", Role.VIEWER, status=400))["field"] == "query.limit"


async def test_drills_are_not_for_the_public(world: WebWorld, client: httpx.AsyncClient) -> None:
    world.tell(opened("drill"), drill=True)
    assert (await get(client, "/incidents"))["incidents"] == []
    await get(client, f"/incidents/{derive('incident', 'drill')}", status=404)
    assert (await get(client, "/reliability"))["incidents"] == 0
    assert "Trouble" not in (await client.get("/")).text


async def test_drafts_are_a_list(world: WebWorld, client: httpx.AsyncClient) -> None:
    draft = e.DraftWritten(
        derive("draft", "1"), None, "payments", "payments", "Payments disturbed", "They may fail.",
        IncidentStatus.INVESTIGATING, [Effect("payments", "eu", CellStatus.MAJOR_OUTAGE)], "approval", None, NOW,
    )  # fmt: skip
    await world.say(draft)
    [found] = await get(client, "/drafts", Role.VIEWER)
    assert (found["id"], found["title"], found["body"]) == (draft.draft, "Payments disturbed", "They may fail.")
    assert found["affects"] == [{"component": "payments", "region": "eu", "status": "major_outage"}]
    assert (found["waits_for"], found["incident"], found["publish_at"]) == ("approval", None, None)


async def test_the_components_are_a_tree_with_cells(world: WebWorld, client: httpx.AsyncClient) -> None:
    await world.say(opened())
    tree = await get(client, "/components")
    assert (tree["indicator"], tree["description"]) == ("major", "Partial System Outage")
    platform = tree["components"][0]
    assert (platform["id"], platform["status"], platform["cells"]) == ("platform", "major_outage", [])
    api = platform["components"][0]
    assert api["cells"][0] == {
        "region": "eu", "name": "Europe", "status": "major_outage", "since": "2026-11-18T14:20:00Z"
    }  # fmt: skip
    assert api["cells"][1] == {"region": "us", "name": "United States", "status": "operational", "since": None}
    login = next(each for each in tree["components"] if each["id"] == "login")
    assert login["cells"] == [{"region": None, "name": None, "status": "operational", "since": None}]


async def test_uptime_by_day_and_over_all(world: WebWorld, client: httpx.AsyncClient) -> None:
    world.now = NOW - 14 * HOUR  # 00:20 UTC
    await world.say(opened())
    world.now += 2 * HOUR
    await world.say(resolved())
    world.now = NOW
    found = await get(client, "/uptime?component=api&region=eu&from=2026-11-16&to=2026-11-18")
    assert [day["date"] for day in found["days"]] == ["2026-11-16", "2026-11-17", "2026-11-18"]
    first, second, today = found["days"]
    # The page was defined 48 hours before 14:20 on the 18th.
    assert first == {"date": "2026-11-16", "seconds": {"operational": 34_800}, "ratio": 1.0}
    assert second == {"date": "2026-11-17", "seconds": {"operational": 86_400}, "ratio": 1.0}
    assert today["seconds"] == {"operational": 51_600 - 7_200, "major_outage": 7_200}
    assert today["ratio"] == pytest.approx(1 - 7_200 / 51_600)
    assert found["ratio"] == pytest.approx(1 - 7_200 / (34_800 + 86_400 + 51_600))
    api = await get(client, "/uptime?component=api&from=2026-11-18&to=2026-11-18")
    assert api["days"][0]["seconds"] == {"operational": 51_600 - 2_400, "major_outage": 2_400}
    group = await get(client, "/uptime?component=platform&from=2026-11-18")
    assert group["ratio"] == pytest.approx(1 - 7_200 / (5 * 51_600))
    past = await get(client, "/uptime?component=api&from=2026-11-01&to=2026-11-15")
    assert {day["ratio"] for day in past["days"]} == {None}
    assert past["ratio"] is None


async def test_reliability_of_a_window(world: WebWorld, client: httpx.AsyncClient) -> None:
    await world.say(opened(), opened("two", "login", CellStatus.PARTIAL_OUTAGE))
    world.now += 30 * MINUTE
    await world.say(resolved())
    found = await get(client, "/reliability?from=2026-11-18&to=2026-11-18")
    own = {"incidents": 1, "resolved": 1, "open": 0, "mtta_seconds": 0.0, "mttr_seconds": 1800.0}
    assert found["components"]["api"] == own
    assert (found["incidents"], found["resolved"], found["open"], found["mttr_seconds"]) == (2, 1, 1, 1800.0)
    before = await get(client, "/reliability?from=2026-11-01&to=2026-11-17")
    assert before == {
        "incidents": 0, "resolved": 0, "open": 0, "mtta_seconds": None, "mttr_seconds": None, "components": {}
    }  # fmt: skip


@pytest.mark.parametrize("path", ["/uptime", "/reliability"])
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=yesterday", "query.from"), ("from=2026-13-01", "query.from"), ("to=2026-02-30", "query.to"),
        ("from=2026-11-18&to=2026-11-17", "query.from"), ("from=2025-11-17&to=2026-11-18", "query.from"),
        ("from=99999-01-01", "query.from"),
    ],
)  # fmt: skip
async def test_a_window_that_makes_no_sense(
    shared_client: httpx.AsyncClient, path: str, query: str, field: str
) -> None:
    assert (await get(shared_client, f"{path}?{query}", status=400))["field"] == field


@pytest.mark.parametrize("query", ["from=2025-11-18&to=2026-11-18", "to=0001-01-01", "from=9999-12-31&to=9999-12-31"])
async def test_a_window_at_the_edge(shared_client: httpx.AsyncClient, query: str) -> None:
    await get(shared_client, f"/uptime?component=api&{query}")
    await get(shared_client, f"/reliability?{query}")


@pytest.mark.parametrize("path", ["/uptime", "/audience"])
async def test_cells_that_are_not_there(shared_client: httpx.AsyncClient, path: str) -> None:
    for query, field in {
        "component=nothing": "query.component",
        "component=api&region=moon": "query.region",
        "component=login&region=eu": "query.region",
        "component=web&region=ap": "query.region",
    }.items():
        assert (await get(shared_client, f"{path}?{query}", Role.VIEWER, status=400))["field"] == field


async def test_the_audience_in_numbers_and_one_by_one(shared_client: httpx.AsyncClient) -> None:
    found = await get(shared_client, "/audience?component=platform&region=eu&impact=minor", Role.VIEWER)
    sample = [{"subscriber": "anna", "channel": "email", "address": "a***@example.com"}]
    assert found == {"count": 1, "by_channel": {"email": 1}, "sample": sample}
    why = await get(shared_client, "/audience?component=platform&region=eu&impact=minor&subscriber=bert", Role.VIEWER)
    assert why == {"subscriber": "bert", "told": False, "reason": "asked for api/eu,web/eu at minor"}
    await get(shared_client, "/audience?subscriber=nobody", Role.VIEWER, status=404)
    assert (await get(shared_client, "/audience?impact=bad", Role.VIEWER, status=400))["field"] == "query.impact"


async def test_what_failed_or_is_in_doubt_of_all_incidents(world: WebWorld, client: httpx.AsyncClient) -> None:
    found = await get(client, "/deliveries?limit=2", Role.VIEWER)
    assert [(one["notification"], one["state"], one["incident"]) for one in found["deliveries"]] == [
        ("f0", "failed", "outage"), ("f1", "failed", "outage"),
    ]  # fmt: skip
    rest = await get(client, f"/deliveries?state=in_doubt&after={found['next']}", Role.VIEWER)
    assert [(one["notification"], one["state"]) for one in rest["deliveries"]] == [("f2", "in_doubt")]
    assert (await client.get("/api/v1/pages/acme/deliveries")).status_code == 401


async def test_how_channels_stand(shared_client: httpx.AsyncClient) -> None:
    [mail] = (await get(shared_client, "/channels", Role.VIEWER))["channels"]
    assert mail == {
        "name": "email", "title": "Email", "state": "failover", "summary": "email is sent by another provider, smtp",
        "senders": 2, "waiting_since": mail["rests"][0]["since"], "stand_in": "smtp",
        "rests": [
            {
                "provider": "sendgrid", "since": mail["waiting_since"], "until": "2026-11-18T15:20:00Z",
                "refusals": 3, "reason": "answered 401",
            }
        ],
        "held_back": [
            {
                "limit": "account", "since": mail["waiting_since"], "last": mail["waiting_since"],
                "times": 7, "until": None,
            }
        ],
    }  # fmt: skip


async def test_deliveries_of_an_incident(world: WebWorld, client: httpx.AsyncClient) -> None:
    await world.say(opened())
    path = f"/incidents/{derive('incident', 'one')}/deliveries"
    found = await get(client, f"{path}?limit=2", Role.VIEWER)
    assert found["deliveries"][0] == {
        "notification": "n0", "subscriber": "anna", "channel": "email", "address": "a***@example.com", "state": "sent",
        "at": "2026-11-18T14:20:00Z", "reason": None, "incident": derive("incident", "one"), "attempts": 1,
        "suppression": None,
    }  # fmt: skip
    assert [row["notification"] for row in found["deliveries"]] == ["n0", "n1"]
    rest = await get(client, f"{path}?limit=2&after={found['next']}", Role.VIEWER)
    assert ([row["notification"] for row in rest["deliveries"]], rest["next"]) == (["n2"], None)
    await get(client, path, status=401)


async def test_ignored_events_and_unrouted_alerts(world: WebWorld, client: httpx.AsyncClient) -> None:
    await world.say(resolved("never opened"))
    [ignored] = (await get(client, "/events/ignored", Role.VIEWER))["ignored"]
    assert ignored["reason"] == "there is no such incident"
    episode = e.EpisodeOpened("ep", "prom", "f", Severity.CRITICAL, NOW, "DiskFull", {"host": "a"}, {}, "", False)
    await world.say(episode)
    [alarm] = (await get(client, "/alerts/unrouted", Role.VIEWER))["alerts"]
    assert alarm == {
        "episode": "ep", "source": "prom", "title": "DiskFull", "severity": "critical", "labels": {"host": "a"},
        "reason": "no rule matches", "at": "2026-11-18T14:20:00Z",
    }  # fmt: skip
    await world.say(e.EpisodeClosed("ep", "prom", "f", NOW, str(AlertStatus.RESOLVED)))
    assert (await get(client, "/alerts/unrouted", Role.VIEWER))["alerts"] == []


async def test_the_description_names_every_path_and_its_answers(shared_client: httpx.AsyncClient) -> None:
    described = (await shared_client.get("/api/openapi.json")).json()
    paths = described["paths"]
    for path in [*PUBLIC, *VIEWER, *OPERATOR, *ADMIN, *ONE]:
        operation = paths["/api/v1/pages/{page}" + path]["get"]
        assert operation["responses"]["200"]["content"]["application/json"]["schema"] != {}
        assert operation["description"]
        assert bool(operation.get("security")) == (path not in PUBLIC and path != "/incidents/{incident}")
    for path in ["/", "/api/v2/summary.json", "/history.rss", "/events/stream", "/healthz", "/readyz", "/metrics"]:
        assert "200" in paths[path]["get"]["responses"]
    names = [operation["operationId"] for methods in paths.values() for operation in methods.values()]
    assert len(names) == len(set(names))
