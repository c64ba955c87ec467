"""What is internal, on either engine, from the fact to all that anybody can read: employees are told, the public finds nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.events import (
    AudienceAssigned,
    Cell,
    ComponentDefined,
    Effect,
    Filter,
    IncidentOpened,
    IncidentUpdated,
    MaintenanceScheduled,
)
from schemas.vocabulary import Audience, CellStatus, Impact, IncidentStatus, Kind
from tests.unit.delivery.pipeline import NOON, PAGE
from tests.unit.delivery.why_worlds import ENGINES, TOKEN, Engine, World

PUBLIC, INTERNAL = Audience.PUBLIC, Audience.INTERNAL
LEDGER = ComponentDefined("ledger", "Ledger", None, 9, [], None, False, "Where money is counted.", INTERNAL)
ON_LEDGER = [Effect("ledger", None, CellStatus.MAJOR_OUTAGE)]
API = f"/api/v1/pages/{PAGE}"
READS = (
    "/history", "/subscribe", "/history.rss", "/history.atom", f"{API}/incidents", f"{API}/maintenances",
    f"{API}/components", f"{API}/reliability", "/api/v2/summary.json", "/",
)  # fmt: skip
SECRETS = ("ledger", "Ledger", "Money is lost", "A new disk")


@pytest.fixture(params=ENGINES, ids=["embedded", "fleet"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    engine: Engine = request.param(tmp_path)
    made = World(engine)
    made.say(LEDGER)
    yield made
    made.close()


def opened(name: str, affects: list[Effect], audience: Audience) -> IncidentOpened:
    return IncidentOpened(
        name, f"{name}-1", "Money is lost", "We count again.", IncidentStatus.INVESTIGATING, None, affects, None, None,
        None, None, audience,
    )  # fmt: skip


def updated(name: str, number: int, status: IncidentStatus = IncidentStatus.IDENTIFIED) -> IncidentUpdated:
    return IncidentUpdated(name, f"{name}-{number}", "More.", status, None, [], None, None)


async def answers(world: World, subscriber: str, incident: str) -> list[dict[str, Any]]:
    found = await world.ask(subscriber, incident=incident)
    assert found.status_code == 200, found.text
    updates: list[dict[str, Any]] = found.json()["updates"]
    return updates


async def test_only_who_is_internal_is_told_of_what_is(world: World) -> None:
    everybody, employee = world.subscribe(), world.subscribe(audience=INTERNAL)
    chose = Filter([Cell("ledger")], Impact.NONE, [Kind.INCIDENT])
    outsider, insider = world.subscribe(chose), world.subscribe(chose, INTERNAL)
    world.say(opened("secret", ON_LEDGER, INTERNAL), updated("secret", 2))
    for subscriber, told in ((everybody, False), (outsider, False), (employee, True), (insider, True)):
        assert [one["planned"] for one in await answers(world, subscriber, "secret")] == [told, told]
    [first, _] = await answers(world, everybody, "secret")
    assert first["reason"] == "it is internal, and the subscriber is not"
    assert first["then"]["audience"] == "public"


async def test_who_is_internal_hears_of_what_is_public_too(world: World) -> None:
    employee = world.subscribe(audience=INTERNAL)
    world.say(opened("outage", [Effect("login", None, CellStatus.MAJOR_OUTAGE)], PUBLIC))
    assert [one["planned"] for one in await answers(world, employee, "outage")] == [True]


async def test_who_is_not_internal_any_more_hears_no_more_whatever_they_were_told(world: World) -> None:
    employee = world.subscribe(audience=INTERNAL)
    world.say(opened("secret", ON_LEDGER, INTERNAL), AudienceAssigned(employee, PUBLIC), updated("secret", 2))
    [first, second] = await answers(world, employee, "secret")
    assert (first["planned"], second["planned"]) == (True, False)
    assert second["reason"] == "it is internal, and the subscriber is not"
    assert (first["then"]["audience"], second["then"]["audience"]) == ("internal", "public")
    world.say(AudienceAssigned(employee, INTERNAL), updated("secret", 3))
    assert [one["planned"] for one in await answers(world, employee, "secret")] == [True, False, True]


async def test_the_public_finds_nothing_of_it_and_operators_all(world: World) -> None:
    world.say(opened("secret", ON_LEDGER, INTERNAL), updated("secret", 2))
    affects = [Effect("ledger", None, CellStatus.MAINTENANCE)]
    world.say(MaintenanceScheduled("disk", "disk-1", "A new disk", "We swap.", affects, NOON, NOON + 1, INTERNAL))
    paths = {*READS, *world.deps.bodies.by_path}
    for path in sorted(paths):
        answer = await world.get(path)
        assert answer.status_code == 200, path
        assert not [secret for secret in SECRETS if secret in answer.text], path
    for path in ("/incidents/secret", "/maintenances/disk", f"{API}/incidents/secret", f"{API}/maintenances/disk"):
        answer = await world.get(path)
        assert (answer.status_code, [secret for secret in SECRETS if secret in answer.text]) == (404, []), path
    assert (await world.get(f"{API}/uptime", component="ledger")).status_code == 400
    summary = (await world.get("/api/v2/summary.json")).json()
    assert (summary["status"]["indicator"], summary["incidents"], summary["scheduled_maintenances"]) == ("none", [], [])
    for path, secret in (("incidents", "Money is lost"), ("maintenances", "A new disk"), ("components", "Ledger")):
        assert secret in (await world.get(f"{API}/{path}", TOKEN)).text
    assert (await world.get(f"{API}/incidents/secret", TOKEN)).json()["audience"] == "internal"
    assert (await world.get(f"{API}/uptime", TOKEN, component="ledger")).status_code == 200


async def test_a_token_that_nobody_has_shows_what_everybody_sees(world: World) -> None:
    world.say(opened("secret", ON_LEDGER, INTERNAL))
    answer = await world.get(f"{API}/incidents", "no-such-token")
    assert (answer.status_code, answer.json()["incidents"]) == (200, [])


async def test_who_would_be_told_is_asked_for_an_audience(world: World) -> None:
    everybody, employee = world.subscribe(), world.subscribe(audience=INTERNAL)

    async def would_be_told(**query: str) -> set[str]:
        found = (await world.get(f"{API}/audience", TOKEN, **query)).json()
        return {one["subscriber"] for one in found["sample"]}

    assert await would_be_told(component="ledger") == {employee}
    assert await would_be_told(component="login") == {everybody, employee}
    assert await would_be_told(component="login", audience="internal") == {employee}
    assert await would_be_told() == {everybody, employee}
    said = (await world.get(f"{API}/audience", TOKEN, component="ledger", subscriber=everybody)).json()
    assert (said["told"], said["reason"]) == (False, "it is internal, and the subscriber is not")
