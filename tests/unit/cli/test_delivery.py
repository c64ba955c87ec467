"""``tocsin delivery``: what failed is listed, and sent after all."""

import json
from typing import Any

import pytest

from tests.unit.cli.api import FakeApi
from tests.unit.cli.conftest import Run

FAILED = {
    "notification": "n1", "incident": "i1", "subscriber": "s1", "channel": "email", "address": "a***@shop.example",
    "state": "failed", "at": "2026-05-01T20:01:00Z", "reason": "550", "attempts": 2,
}  # fmt: skip
REDRIVE = "/api/v1/pages/acme/deliveries/redrive"


def taken(body: Any) -> Any:
    refused = [{"notification": one, "reason": "it is sent"} for one in body["notifications"] if one == "n9"]
    return {"redriven": [one for one in body["notifications"] if one != "n9"], "refused": refused}


def test_what_failed_is_listed(run: Run, api: FakeApi) -> None:
    api.will("GET", "/api/v1/pages/acme/deliveries?state=failed&limit=100", {"deliveries": [FAILED], "next": "c1"})
    lines = run("delivery", "list").stdout.splitlines()
    assert lines[1].split() == ["n1", "i1", "email", "a***@shop.example", "2", "2026-05-01T20:01:00Z", "550"]
    assert lines[2] == "more: --after c1"


def test_how_channels_stand(run: Run, api: FakeApi) -> None:
    resting = {"name": "email", "state": "resting", "senders": 1, "waiting_since": None, "summary": "email rests"}
    api.will("GET", "/api/v1/pages/acme/channels", {"channels": [resting]})
    assert run("delivery", "channels").stdout.splitlines()[1].split() == ["email", "resting", "1", "email", "rests"]
    api.will("GET", "/api/v1/pages/acme/channels", {"channels": []})
    assert run("delivery", "channels").stdout == "no channel is switched on\n"


def test_some_are_sent_after_all_and_the_others_named(run: Run, api: FakeApi) -> None:
    api.will("POST", REDRIVE, taken)
    result = run("delivery", "redrive", "n1", "n9")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0] == "1 to be sent after all"
    assert "it is sent" in result.stdout
    assert api.last.body == {"notifications": ["n1", "n9"], "even_in_doubt": False}


def test_all_that_failed_of_an_incident(run: Run, api: FakeApi) -> None:
    path = "/api/v1/pages/acme/incidents/i1/deliveries?limit=100"
    api.will("GET", path, {"deliveries": [FAILED, {**FAILED, "notification": "n2", "state": "sent"}], "next": "c"})
    api.will("GET", f"{path}&after=c", {"deliveries": [{**FAILED, "notification": "n3"}], "next": None})
    api.will("POST", REDRIVE, taken)
    result = run("delivery", "redrive", "--incident", "i1", "--json")
    assert json.loads(result.stdout) == {"redriven": ["n1", "n3"], "refused": []}


def test_what_is_in_doubt_takes_a_word_more_and_a_warning(run: Run, api: FakeApi) -> None:
    api.will("POST", REDRIVE, taken)
    assert run("delivery", "redrive", "--incident", "i1", "--state", "in_doubt").exit_code == 2
    result = run("delivery", "redrive", "n1", "--even-in-doubt")
    assert result.exit_code == 0
    assert "may be told twice" in result.stderr
    assert api.last.body["even_in_doubt"] is True


@pytest.mark.parametrize("arguments", [(), ("n1", "--incident", "i1")])
def test_either_notifications_or_an_incident(run: Run, arguments: tuple[str, ...]) -> None:
    assert run("delivery", "redrive", *arguments).exit_code == 2
