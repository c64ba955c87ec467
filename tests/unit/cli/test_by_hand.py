"""What each command asks of the server, and what it makes of the answer."""

import json
import shlex
from typing import Any

import pytest

from tests.unit.cli.api import FakeApi
from tests.unit.cli.conftest import Run

PAGE = "/api/v1/pages/acme"
EFFECT = {"component": "api", "region": "eu", "status": "major_outage"}

POSTS: list[tuple[str, str, str, dict[str, Any]]] = [
    (
        "incident open Slow --body Looking. --affects api:eu=major_outage --affects login=degraded_performance "
        "--next-update 30m --impact major",
        "POST", "/incidents",
        {
            "title": "Slow", "body": "Looking.", "status": "investigating", "impact": "major", "next_update_in": "30m",
            "affects": [EFFECT, {"component": "login", "status": "degraded_performance"}],
        },
    ),
    ("incident open Slow --body Looking.", "POST", "/incidents", {
        "title": "Slow", "body": "Looking.", "status": "investigating", "affects": [],
    }),
    ("incident update i1 --body Found. --status monitoring", "POST", "/incidents/i1/updates", {
        "body": "Found.", "status": "monitoring",
    }),
    ("incident update i1 --body Worse. --affects api:eu=major_outage", "POST", "/incidents/i1/updates", {
        "body": "Worse.", "status": "identified", "affects": [EFFECT],
    }),
    ("incident resolve i1 --body Over.", "POST", "/incidents/i1/updates", {"body": "Over.", "status": "resolved"}),
    (
        "maintenance schedule Disks --body New. --affects api:eu --affects web --starts 2026-05-01T22:00+02:00 "
        "--ends 2026-05-01T21:00Z",
        "POST", "/maintenances",
        {
            "title": "Disks", "body": "New.", "affects": [{"component": "api", "region": "eu"}, {"component": "web"}],
            "starts_at": "2026-05-01T20:00:00Z", "ends_at": "2026-05-01T21:00:00Z",
        },
    ),
    ("maintenance start m1", "POST", "/maintenances/m1/start", {}),
    ("maintenance start m1 --body Now.", "POST", "/maintenances/m1/start", {"body": "Now."}),
    ("maintenance complete m1 --body Done.", "POST", "/maintenances/m1/complete", {"body": "Done."}),
    ("draft approve d1", "POST", "/drafts/d1/approve", {}),
    ("draft dismiss d1 --reason noise", "POST", "/drafts/d1/dismiss", {"reason": "noise"}),
    ("subscriber add --email ada@shop.example --cell api:eu --min-impact major --kind incident --confirmed",
        "POST", "/subscribers",
        {
            "email": "ada@shop.example", "cells": [{"component": "api", "region": "eu"}], "min_impact": "major",
            "kinds": ["incident"], "confirmed": True,
        },
    ),
    ("subscriber add --webhook https://shop.example/hook", "POST", "/subscribers", {"webhook": "https://shop.example/hook"}),
    ("subscriber add --on room=#ops=eu --confirmed", "POST", "/subscribers",
        {"channel": "room", "address": "#ops=eu", "confirmed": True},
    ),
    ("subscriber add --email ada@shop.example --quiet-hours '22:00-07:00 Europe/Berlin' --hold-critical",
        "POST", "/subscribers", {
            "email": "ada@shop.example", "critical_gets_through": False,
            "quiet_hours": {"from": "22:00", "to": "07:00", "zone": "Europe/Berlin"},
        },
    ),
    ("subscriber remove s1", "DELETE", "/subscribers/s1", {}),
]  # fmt: skip


@pytest.mark.parametrize(("command", "method", "path", "body"), POSTS, ids=[row[0][:40] for row in POSTS])
def test_a_command_asks_for_what_was_said(
    run: Run, api: FakeApi, command: str, method: str, path: str, body: dict[str, Any]
) -> None:
    api.will(method, PAGE + path, {"id": "x1", "state": "active"}, 201)
    result = run(*shlex.split(command), "--idempotency-key", "k1")
    assert result.exit_code == 0, result.output
    assert api.last.path == PAGE + path
    assert (api.last.body or {}) == body
    assert api.last.headers["authorization"] == "Bearer ops-secret"
    assert api.last.headers["idempotency-key"] == "k1"


def test_every_post_has_a_key_of_its_own(run: Run, api: FakeApi) -> None:
    api.will("POST", f"{PAGE}/drafts/d1/approve", {})
    run("draft", "approve", "d1")
    run("draft", "approve", "d1")
    assert len({asked.headers["idempotency-key"] for asked in api.asked}) == 2


def test_an_id_is_one_segment_of_the_path_whatever_it_holds(run: Run, api: FakeApi) -> None:
    assert run("draft", "approve", "../x?y").exit_code == 1
    assert api.last.path == f"{PAGE}/drafts/..%2Fx%3Fy/approve"


LISTS: list[tuple[str, str, Any, list[str]]] = [
    ("incident list", "/incidents?limit=20", {
        "incidents": [{"id": "i1", "status": "identified", "impact": "major", "title": "API [red]errors"}], "next": "c2",
    }, ["i1", "identified", "API [red]errors", "--after c2"]),
    ("incident list", "/incidents?limit=20", {"incidents": [], "next": None}, ["no incidents"]),
    ("incident show i1", "/incidents/i1", {
        "id": "i1", "title": "API errors", "status": "identified", "impact": "major", "affects": [EFFECT],
        "updates": [{"at": "2026-05-01T20:00:00Z", "status": "identified", "body": "Found it."}],
    }, ["API errors: identified, major", "api:eu major_outage", "Found it."]),
    ("incident deliveries i1", "/incidents/i1/deliveries?limit=100", {
        "deliveries": [{
            "notification": "n1", "subscriber": "s1", "channel": "email", "address": "a***@shop.example", "state": "sent",
            "at": "2026-05-01T20:00:00Z", "reason": None,
        }],
        "next": None,
    }, ["a***@shop.example", "sent"]),
    ("maintenance list", "/maintenances", {
        "maintenances": [{"id": "m1", "status": "scheduled", "title": "Disks", "starts_at": "2026-05-01T20:00:00Z"}],
        "next": None,
    }, ["m1", "Disks"]),
    ("draft list", "/drafts", [{"id": "d1", "waits_for": "approval", "title": "Payments", "affects": [EFFECT]}],
        ["d1", "approval", "api:eu major_outage"]),
    ("subscriber list", "/subscribers?limit=100", {
        "subscribers": [
            {"id": "s1", "state": "active", "channel": "email", "address": "a***@shop.example", "filter": {
                "cells": [{"component": "api", "region": "eu"}], "min_impact": "major", "kinds": ["incident"],
            }},
            {"id": "s2", "state": "pending", "channel": "email", "address": "b***@shop.example", "filter": {
                "cells": None, "min_impact": "none", "kinds": ["incident", "maintenance"],
            }, "pace": {
                "quiet_hours": {"from": "22:00", "to": "07:00", "zone": "Europe/Berlin"}, "critical_gets_through": False,
            }},
        ],
        "next": None,
    }, ["a***@shop.example", "api:eu", "everything", "at once", "not 22:00-07:00 Europe/Berlin, what is critical too"]),
    ("audience --component api --region eu --impact major", "/audience?component=api&region=eu&impact=major", {
        "count": 2, "by_channel": {"email": 2},
        "sample": [{"subscriber": "s1", "channel": "email", "address": "a***@shop.example"}],
    }, ["2 would be told: email 2", "a***@shop.example"]),
    ("audience --component api --subscriber s1", "/audience?component=api&subscriber=s1", {
        "subscriber": "s1", "told": False, "reason": "follows other cells",
    }, ["would not be told: follows other cells"]),
]  # fmt: skip


@pytest.mark.parametrize(("command", "path", "document", "shown"), LISTS, ids=[row[0] for row in LISTS])
def test_an_answer_is_shown(run: Run, api: FakeApi, command: str, path: str, document: Any, shown: list[str]) -> None:
    api.will("GET", PAGE + path, document)
    result = run(*command.split())
    assert result.exit_code == 0, result.output
    assert [text for text in shown if text not in result.stdout] == []


@pytest.mark.parametrize(("command", "path", "document", "shown"), LISTS, ids=[row[0] for row in LISTS])
def test_json_is_the_servers_answer(
    run: Run, api: FakeApi, command: str, path: str, document: Any, shown: list[str]
) -> None:
    api.will("GET", PAGE + path, document)
    assert json.loads(run(*command.split(), "--json").stdout) == document


def test_what_strangers_wrote_cannot_steer_a_terminal(run: Run, api: FakeApi) -> None:
    hostile = {"id": "i1", "status": "identified", "impact": "major", "title": "x\x1b[2Jy\nz"}
    api.will("GET", f"{PAGE}/incidents?limit=20", {"incidents": [hostile], "next": None})
    output = run("incident", "list").stdout
    assert "\x1b" not in output
    assert "x [2Jy z" in output


def test_the_only_page_need_not_be_named(run: Run, api: FakeApi) -> None:
    api.will("GET", "/api/v1/pages", {"pages": [{"id": "acme"}]})
    api.will("GET", f"{PAGE}/drafts", [])
    result = run("draft", "list", env={"TOCSIN_PAGE": None})
    assert (result.exit_code, result.stdout) == (0, "no drafts\n")


@pytest.mark.parametrize(
    ("pages", "said"), [([], "the server has no page"), ([{"id": "a"}, {"id": "b"}], "choose a page with --page: a, b")]
)
def test_no_page_is_guessed(run: Run, api: FakeApi, pages: list[dict[str, str]], said: str) -> None:
    api.will("GET", "/api/v1/pages", {"pages": pages})
    result = run("draft", "list", env={"TOCSIN_PAGE": None})
    assert (result.exit_code, result.stderr) == (1, f"tocsin: {said}\n")


def test_a_late_verdict_is_said(run: Run, api: FakeApi) -> None:
    api.will("POST", f"{PAGE}/drafts/d1/approve", {"id": "d1"}, 202)
    result = run("draft", "approve", "d1")
    assert result.exit_code == 0
    assert "not known yet" in result.stderr


def test_a_pace_is_put_in_the_place_of_another(run: Run, api: FakeApi) -> None:
    quiet = {"from": "22:00", "to": "07:00", "zone": "Europe/Berlin"}
    for chosen, body, said in (
        (["--quiet-hours", "22:00-07:00 Europe/Berlin"], {"quiet_hours": quiet}, "not 22:00-07:00 Europe/Berlin"),
        (["--digest", "hour UTC"], {"digest": {"every": "hour", "zone": "UTC"}}, "by a digest, hour UTC"),
        (
            ["--digest", "08:00 Europe/Berlin"],
            {"digest": {"every": "day", "at": "08:00", "zone": "Europe/Berlin"}},
            "by a digest, 08:00 Europe/Berlin",
        ),
        ([], {}, "at once"),
    ):
        api.will("PUT", f"{PAGE}/subscribers/s1/pace", {"quiet_hours": None, "critical_gets_through": True} | body)
        result = run("subscriber", "pace", "s1", *chosen)
        assert (result.exit_code, result.stdout) == (0, f"subscriber s1 is told {said}\n"), result.output
        assert (api.last.method, api.last.body) == ("PUT", body)


def test_hours_that_cannot_be_read_name_the_option(run: Run) -> None:
    for option, text in (
        ("--quiet-hours", "22:00"), ("--quiet-hours", "22:00-07:00"), ("--quiet-hours", "22:00- Europe/Berlin"),
        ("--digest", "08:00"), ("--digest", "daily UTC"),
    ):  # fmt: skip
        result = run("subscriber", "pace", "s1", option, text)
        assert result.exit_code == 2
        assert option in result.stderr


def test_a_gap_is_said(run: Run, api: FakeApi) -> None:
    api.will("PUT", f"{PAGE}/subscribers/s1/pace", {"minimum_gap": 1_800, "critical_gets_through": False})
    result = run("subscriber", "pace", "s1", "--minimum-gap", "30m", "--hold-critical")
    assert result.stdout == "subscriber s1 is told each 30m at the most, what is critical too\n"
    assert api.last.body == {"minimum_gap": "30m", "critical_gets_through": False}


def test_a_webhooks_secret_is_shown(run: Run, api: FakeApi) -> None:
    api.will("POST", f"{PAGE}/subscribers", {"id": "s1", "state": "active", "secret": "whsec_abc"}, 201)
    assert "whsec_abc" in run("subscriber", "add", "--webhook", "https://shop.example/hook").stdout
