"""``tocsin deadletter``: listed, shown, redriven; what was sent cannot steer a terminal."""

import json

from tests.unit.cli.api import FakeApi
from tests.unit.cli.conftest import Run

LETTERS = "/api/v1/pages/acme/deadletters"
LETTER = {
    "id": "l1", "source": "prom", "reason": "no JSON", "content_type": "text/plain", "size": 9,
    "received_at": "2026-05-01T20:00:00Z", "expires_at": "2026-05-31T20:00:00Z", "redriven_at": None, "redriven_by": None,
}  # fmt: skip
DONE = {"id": "l1", "accepted": 2, "ignored": 1, "events": ["e1", "e2"]}


def test_letters_are_listed(run: Run, api: FakeApi) -> None:
    api.will("GET", f"{LETTERS}?limit=100", {"deadletters": [LETTER], "next": "l1"})
    lines = run("deadletter", "list").stdout.splitlines()
    assert lines[1].split() == ["l1", "prom", "2026-05-01T20:00:00Z", "9", "no", "JSON"]
    assert lines[2] == "more: --after l1"


def test_a_letter_is_shown_and_its_bytes_where_they_are_asked_for(run: Run, api: FakeApi) -> None:
    api.will("GET", f"{LETTERS}/l1", LETTER)
    api.will("GET", f"{LETTERS}/l1/body", {"id": "l1", "encoding": "utf-8", "body": "{\n\x1b[2J}"})
    assert "reason: no JSON" in run("deadletter", "show", "l1").stdout
    assert len(api.asked) == len([one for one in api.asked if "body" not in one.path])
    shown = run("deadletter", "show", "l1", "--body").stdout
    assert shown.splitlines()[-2:] == ["  {", "   [2J}"]
    assert "\x1b" not in shown


def test_letters_are_redriven_and_what_is_refused_is_named(run: Run, api: FakeApi) -> None:
    api.will("POST", f"{LETTERS}/l1/redrive", DONE, 201)
    problem = {"title": "Not applied", "detail": "It was redriven already.", "status": 409}
    api.will("POST", f"{LETTERS}/l2/redrive", problem, 409, "application/problem+json")
    result = run("deadletter", "redrive", "l1", "l2")
    assert result.exit_code == 1
    assert "redriven already" in result.stdout
    assert "1 of 2 were not redriven" in result.stderr


def test_all_that_wait_the_oldest_first(run: Run, api: FakeApi) -> None:
    done = {**LETTER, "id": "l0", "redriven_at": "2026-05-02T20:00:00Z"}
    api.will("GET", f"{LETTERS}?limit=100", {"deadletters": [{**LETTER, "id": "l2"}, done], "next": "x"})
    api.will("GET", f"{LETTERS}?limit=100&after=x", {"deadletters": [LETTER], "next": None})
    for name in ("l1", "l2"):
        api.will("POST", f"{LETTERS}/{name}/redrive", {**DONE, "id": name}, 201)
    document = json.loads(run("deadletter", "redrive", "--all", "--json").stdout)
    assert [one["id"] for one in document["redriven"]] == ["l1", "l2"]
    assert run("deadletter", "redrive").exit_code == 2
    assert run("deadletter", "redrive", "l1", "--all").exit_code == 2
