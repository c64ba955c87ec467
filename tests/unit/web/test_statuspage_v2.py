"""The v2 API against strict shapes for every kind of page, and its rules one by one."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from msgspec.structs import replace

from consumers.web.render import codes
from consumers.web.render.statuspage_v2 import ENDPOINTS, MOST
from schemas.vocabulary import MaintenanceStatus
from streams.domain.model import PageView
from tests.builders import acme
from tests.builders.views import (
    ACME,
    DAY,
    DEGRADED,
    HOUR,
    LONG_AGO,
    MINUTE,
    NOW,
    OPERATIONAL,
    PARTIAL,
    SETTINGS,
    component,
    effect,
    incident,
    maintenance,
    update,
    view,
)
from tests.unit.web.shapes import BODIES

NESTED = [
    component("cloud", "Cloud"),
    component("storage", "Storage", parent="cloud", position=1),
    component("blobs", "Blobs", parent="storage", regions=["eu", "us"]),
    component("disks", "Disks", parent="storage", position=1),
    component("queue", "Queue", parent="cloud"),
    component("mail", position=1, description="Out and in"),
]
NESTED_INCIDENT = incident(
    "Blobs are slow",
    [update("investigating", "We look.", NOW - HOUR, ("blobs/us", OPERATIONAL, DEGRADED))],
    effects=[effect("blobs/us", DEGRADED)],
)
EACH_MAINTENANCE = [
    maintenance(f"Work, {status}", status, ["api/eu", "login"], starts_at=NOW + (rank - 2) * DAY)
    for rank, status in enumerate(reversed(MaintenanceStatus))
]
VIEWS = {
    "empty": acme.empty(),
    "quiet": acme.quiet(),
    "outage": acme.outage(),
    "in maintenance": acme.in_maintenance(),
    "nested": view(NESTED, incidents=[NESTED_INCIDENT]),
    "each maintenance": view(maintenances=EACH_MAINTENANCE),
    "an incident without cells": view(incidents=[incident("Odd", [update("investigating", "We look.", NOW)])]),
    "utc": view(settings=replace(SETTINGS, timezone="UTC"), incidents=acme.past_incidents()),
    "an unknown zone": view(settings=replace(SETTINGS, timezone="Atlantis/Poseidonis")),
}


def body(path: str, shown: PageView) -> Any:
    return orjson.loads(ENDPOINTS[f"/api/v2/{path}.json"](shown))


def status_of(shown: PageView) -> dict[str, str]:
    found: dict[str, str] = body("status", shown)["status"]
    return found


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("name", VIEWS)
def test_every_body_has_exactly_the_known_keys_and_types(path: str, name: str) -> None:
    assert BODIES[path](orjson.loads(ENDPOINTS[path](VIEWS[name])))


def test_every_endpoint_has_its_shape() -> None:
    assert list(ENDPOINTS) == list(BODIES)


def test_the_page_object_is_the_same_everywhere() -> None:
    pages = [orjson.loads(render(acme.outage()))["page"] for render in ENDPOINTS.values()]
    assert all(page == pages[0] for page in pages)
    assert pages[0] == {
        "id": codes.page_code("acme"),
        "name": "Acme Cloud",
        "url": "https://status.acme.example",
        "time_zone": "Europe/Berlin",
        "updated_at": "2026-11-18T15:20:00.000+01:00",
    }


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("UTC", "2026-11-18T14:20:00.000Z"),
        ("Etc/UTC", "2026-11-18T14:20:00.000Z"),
        ("Europe/London", "2026-11-18T14:20:00.000+00:00"),
        ("America/Los_Angeles", "2026-11-18T06:20:00.000-08:00"),
        ("Asia/Kathmandu", "2026-11-18T20:05:00.000+05:45"),
        ("Atlantis/Poseidonis", "2026-11-18T14:20:00.000Z"),
        ("../etc/passwd", "2026-11-18T14:20:00.000Z"),
    ],
)
def test_times_have_milliseconds_and_the_offset_of_the_page(zone: str, expected: str) -> None:
    shown = view(settings=replace(SETTINGS, timezone=zone))
    assert body("status", shown)["page"]["updated_at"] == expected


def test_an_offset_is_that_of_its_own_day() -> None:
    created = [
        each["created_at"] for each in body("components", view([component("api", created_at=LONG_AGO)]))["components"]
    ]
    assert created == ["2025-10-14T16:20:00.000+02:00"]


def test_fractions_are_cut_to_milliseconds() -> None:
    assert body("status", view(updated_at=NOW + 123_456))["page"]["updated_at"] == "2026-11-18T15:20:00.123+01:00"


def test_a_component_is_its_worst_cell_and_a_group_its_worst_child() -> None:
    found = {each["name"]: each for each in body("components", acme.outage())["components"]}
    assert list(found) == ["Platform", "API", "Web app", "Payments", "Login", "Maps (by a partner)"]
    assert found["API"]["status"] == found["Platform"]["status"] == "major_outage"
    assert found["Web app"]["status"] == "degraded_performance"
    assert found["Platform"]["components"] == [found["API"]["id"], found["Web app"]["id"]]
    assert found["API"]["group_id"] == found["Web app"]["group_id"] == found["Platform"]["id"]
    assert found["API"]["description"] == "REST and GraphQL"
    assert found["Login"]["description"] is found["Login"]["group_id"] is found["Platform"]["start_date"] is None


def test_regions_do_not_appear() -> None:
    assert b"eu" not in ENDPOINTS["/api/v2/components.json"](view([component("api", "API", regions=["eu", "us"])]))


def test_deeper_groups_flatten_to_the_outermost_one() -> None:
    found = body("components", VIEWS["nested"])["components"]
    by_name = {each["name"]: each for each in found}
    assert list(by_name) == ["Cloud", "Queue", "Blobs", "Disks", "Mail"]
    assert {each["group_id"] for each in found[1:4]} == {by_name["Cloud"]["id"]}
    assert by_name["Cloud"]["components"] == [by_name[name]["id"] for name in ("Queue", "Blobs", "Disks")]
    assert [each["position"] for each in found] == [1, 1, 2, 3, 2]
    assert by_name["Cloud"]["status"] == "degraded_performance"
    [affected] = body("incidents", VIEWS["nested"])["incidents"][0]["incident_updates"][0]["affected_components"]
    assert affected["name"] == "Cloud - Blobs"


def test_the_indicator_follows_components_and_not_incidents() -> None:
    assert status_of(VIEWS["an incident without cells"]) == {
        "indicator": "none",
        "description": "All Systems Operational",
    }
    assert status_of(acme.outage()) == {"indicator": "major", "description": "Partial System Outage"}


def test_the_maintenance_indicator_can_be_switched_off_for_clients_that_do_not_know_it() -> None:
    shown = acme.in_maintenance()
    assert status_of(shown) == {"indicator": "maintenance", "description": "Service Under Maintenance"}
    off = replace(shown, settings=replace(SETTINGS, maintenance_indicator=False))
    assert status_of(off) == {"indicator": "none", "description": "Service Under Maintenance"}


def test_the_summary_holds_what_is_of_interest_now() -> None:
    found = body("summary", replace(acme.outage(), maintenances=acme.in_maintenance().maintenances))
    assert [each["name"] for each in found["incidents"]] == ["API errors in Europe"]
    assert [each["status"] for each in found["scheduled_maintenances"]] == ["in_progress", "scheduled"]


def test_incidents_hold_all_states_newest_first_and_unresolved_only_open_ones() -> None:
    states = [each["status"] for each in body("incidents", acme.outage())["incidents"]]
    assert states == ["identified", "resolved", "postmortem"]
    assert [each["status"] for each in body("incidents/unresolved", acme.outage())["incidents"]] == ["identified"]


def test_maintenances_are_told_apart_by_their_state() -> None:
    shown = VIEWS["each maintenance"]
    all_states = [each["status"] for each in body("scheduled-maintenances", shown)["scheduled_maintenances"]]
    assert all_states == ["scheduled", "in_progress", "verifying", "completed"]
    upcoming = body("scheduled-maintenances/upcoming", shown)["scheduled_maintenances"]
    assert [each["status"] for each in upcoming] == ["scheduled"]
    active = body("scheduled-maintenances/active", shown)["scheduled_maintenances"]
    assert [each["status"] for each in active] == ["verifying", "in_progress"]


def test_lists_hold_the_fifty_newest() -> None:
    many = [incident(f"No. {rank}", [update("resolved", "Over.", NOW - rank * HOUR)]) for rank in range(MOST + 3)]
    found = body("incidents", view(incidents=many[::-1]))["incidents"]
    assert [each["name"] for each in found] == [each.title for each in many[:MOST]]


def test_an_incident_tells_its_whole_story() -> None:
    shown = acme.outage()
    [found] = body("incidents/unresolved", shown)["incidents"]
    components = {each["name"]: each for each in body("components", shown)["components"]}
    own = acme.open_outage()
    assert found["shortlink"] == f"https://status.acme.example/incidents/{found['id']}"
    assert codes.find_incident(shown, found["id"]) == codes.find_incident(shown, own.id) == own
    assert found["impact"] == "critical"
    assert found["monitoring_at"] is found["resolved_at"] is None
    assert found["components"] == [components["API"], components["Web app"]]
    last, first = found["incident_updates"]
    assert (first["status"], last["status"]) == ("investigating", "identified")
    assert {each["incident_id"] for each in (first, last)} == {found["id"]}
    assert first["affected_components"] == [affected(components["API"], "operational", "major_outage")]
    assert last["affected_components"] == [
        affected(components["API"], "major_outage", "major_outage"),
        affected(components["Web app"], "operational", "degraded_performance"),
    ]


def affected(found: dict[str, str], old: str, new: str) -> dict[str, str]:
    return {"code": found["id"], "name": f"Platform - {found['name']}", "old_status": old, "new_status": new}


def test_the_change_of_a_component_is_that_of_its_worst_cell() -> None:
    told = incident(
        "Spreading",
        [
            update("investigating", "Europe.", NOW, ("api/eu", OPERATIONAL, PARTIAL)),
            update("identified", "Now the States.", NOW + MINUTE, ("api/us", OPERATIONAL, DEGRADED)),
            update("identified", "Europe is back.", NOW + 2 * MINUTE, ("api/eu", PARTIAL, OPERATIONAL)),
            update("resolved", "Over.", NOW + 3 * MINUTE),
        ],
    )
    updates = body("incidents", view(incidents=[told]))["incidents"][0]["incident_updates"]
    steps = [(each["old_status"], each["new_status"]) for post in updates for each in post["affected_components"]]
    assert steps[::-1] == [
        ("operational", "partial_outage"),
        ("partial_outage", "partial_outage"),
        ("partial_outage", "degraded_performance"),
        ("degraded_performance", "operational"),
    ]


def test_an_update_that_affects_nothing_says_null() -> None:
    [found] = body("incidents", VIEWS["an incident without cells"])["incidents"]
    assert found["incident_updates"][0]["affected_components"] is None
    assert found["components"] == []


def test_a_maintenance_says_when_and_what() -> None:
    [found] = body("scheduled-maintenances/active", acme.in_maintenance())["scheduled_maintenances"]
    assert list(found)[-2:] == ["scheduled_for", "scheduled_until"]
    assert found["impact"] == "maintenance"
    assert found["shortlink"] == f"https://status.acme.example/maintenances/{found['id']}"
    assert codes.find_maintenance(acme.in_maintenance(), found["id"]) == acme.running()
    assert [each["status"] for each in found["components"]] == ["under_maintenance"]
    begun, announced = found["incident_updates"]
    assert [(each["old_status"], each["new_status"]) for each in announced["affected_components"]] == [
        ("operational", "operational")
    ]
    assert [(each["old_status"], each["new_status"]) for each in begun["affected_components"]] == [
        ("operational", "under_maintenance")
    ]


def test_drills_are_never_shown() -> None:
    told = incident("Rehearsal", [update("investigating", "A drill.", NOW)], drill=True)
    work = maintenance("Rehearsal", MaintenanceStatus.SCHEDULED, ["login"], starts_at=NOW + DAY, drill=True)
    shown = view(incidents=[told], maintenances=[work])
    assert not any(b"Rehearsal" in render(shown) for render in ENDPOINTS.values())
    assert codes.find_incident(shown, told.id) is None
    assert codes.find_maintenance(shown, work.id) is None


def test_what_is_no_longer_defined_leaves_the_lists_but_not_the_story() -> None:
    shown = view([each for each in ACME if each.definition.component != "api"], incidents=[acme.open_outage()])
    [found] = body("incidents", shown)["incidents"]
    assert [each["name"] for each in found["components"]] == ["Web app"]
    assert found["incident_updates"][1]["affected_components"] is None


def test_a_page_url_with_a_slash_makes_no_double_one() -> None:
    shown = replace(acme.outage(), settings=replace(SETTINGS, url="https://status.acme.example/"))
    assert "example//" not in body("incidents", shown)["incidents"][0]["shortlink"]


def test_a_client_that_slices_times_by_position_reads_them() -> None:
    """As aRez does: the colon of the offset is cut out at a fixed place, and a fraction is asked for."""
    text = body("summary", acme.outage())["incidents"][0]["created_at"]
    when = datetime.strptime(text[:-3] + text[-2:], "%Y-%m-%dT%H:%M:%S.%f%z")
    assert when - datetime(1970, 1, 1, tzinfo=UTC) == timedelta(microseconds=acme.open_outage().created_at)
