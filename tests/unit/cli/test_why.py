"""``tocsin subscriber why`` in plain words."""

import json
from typing import Any

from tests.unit.cli.api import FakeApi
from tests.unit.cli.conftest import Run

PATH = "/api/v1/pages/acme/subscribers/s1/why?incident=i1"
PLATFORM = {"component": "platform", "region": "eu"}
THEN = {
    "state": "active", "reason": None, "filter": {"cells": [PLATFORM], "min_impact": "major", "kinds": ["incident"]},
}  # fmt: skip
TOLD = {
    "update": "u1", "number": 1, "kind": "incident", "status": "investigating", "at": "2026-05-01T20:00:00Z",
    "planned": True, "reason": "chose platform in eu, which reaches api in eu", "told_before": False,
    "reaches": [
        {"component": "api", "region": "eu", "impact": "critical", "chosen": PLATFORM, "through": "platform", "weighs": True},
        {"component": "login", "region": None, "impact": "minor", "chosen": None, "through": None, "weighs": False},
    ],
    "then": THEN, "today": {"told": False, "reason": "the subscriber is removed: unsubscribed"},
    "notification": {
        "notification": "n1", "state": "superseded", "meaning": "a newer update went instead",
        "reason": "a newer update is sent instead: u2", "attempts": 1, "at": "2026-05-01T20:01:00Z", "superseded_by": "u2",
    },
}  # fmt: skip
NOT_TOLD = {
    "update": "u2", "number": 2, "kind": "incident", "status": "resolved", "at": "2026-05-01T21:00:00Z", "planned": False,
    "reason": "had not signed up yet", "told_before": False, "reaches": [], "then": None,
    "today": {"told": True, "reason": "wants to hear of everything"}, "notification": None,
}  # fmt: skip
REMINDER = {**NOT_TOLD, "update": "u3", "number": None, "kind": "reminder", "then": THEN, "today": None}


def document(*updates: Any) -> Any:
    standing = {**THEN, "state": "removed", "reason": "unsubscribed"}
    return {
        "subscriber": "s1", "channel": "email", "address": "a***@shop.example", "standing": standing, "incident": "i1",
        "title": "API errors", "updates": updates,
    }  # fmt: skip


def test_the_reasons_in_plain_words(run: Run, api: FakeApi) -> None:
    api.will("GET", PATH, document(TOLD, NOT_TOLD, REMINDER))
    result = run("subscriber", "why", "s1", "i1")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "s1, email a***@shop.example, is removed: unsubscribed",
        "i1: API errors",
        "",
        "update 1, investigating, 2026-05-01T20:00:00Z: a plan names them",
        "  why: chose platform in eu, which reaches api in eu",
        "  cell: api:eu (critical), reached by platform:eu through the group platform",
        "  cell: login (minor), reached by everything, less than they ask for",
        "  then: active, for platform:eu from major impact, of incident",
        "  today: they would not be told: the subscriber is removed: unsubscribed",
        "  notification: superseded since 2026-05-01T20:01:00Z, 1 attempt: a newer update went instead",
        "  instead: update 2",
        "",
        "update 2, resolved, 2026-05-01T21:00:00Z: no plan names them",
        "  why: had not signed up yet",
        "  then: they had not signed up",
        "  today: they would be told: wants to hear of everything",
        "",
        "reminder, resolved, 2026-05-01T21:00:00Z: no plan names them",
        "  why: had not signed up yet",
    ]


def test_one_update_and_json(run: Run, api: FakeApi) -> None:
    api.will("GET", f"{PATH}&update=1", document(TOLD))
    result = run("subscriber", "why", "s1", "i1", "--update", "1", "--json")
    assert json.loads(result.stdout) == json.loads(json.dumps(document(TOLD)))


def test_what_a_provider_said_cannot_steer_a_terminal(run: Run, api: FakeApi) -> None:
    said = {**TOLD["notification"], "state": "failed", "reason": "550 \x1b[2Jno\nupdate 9"}  # type: ignore[dict-item]  # a plain object
    api.will("GET", PATH, document({**TOLD, "notification": said}))
    output = run("subscriber", "why", "s1", "i1").stdout
    assert "\x1b" not in output
    assert "550  [2Jno update 9" in output


def test_nobody_of_that_name_is_exit_code_1_and_half_a_question_2(run: Run, api: FakeApi) -> None:
    missing = {"title": "Not found", "status": 404, "detail": "There is no such subscriber."}
    api.will("GET", PATH, missing, 404, "application/problem+json")
    result = run("subscriber", "why", "s1", "i1")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "tocsin: Not found: There is no such subscriber.\n"
    assert run("subscriber", "why", "s1").exit_code == 2
