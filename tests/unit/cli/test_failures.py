"""How commands fail: exit codes, and one clear line for each cause."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.parts.processes import free_port
from tests.unit.cli.api import FakeApi
from tests.unit.cli.conftest import Run
from tocsin import __version__
from tocsin.cli import app

PROBLEMS: list[tuple[int, Any, str, list[str]]] = [
    (
        400,
        {"title": "Invalid request", "field": "title", "errors": [
            {"field": "title", "message": "is missing"}, {"field": "affects[0].component", "message": "is not known"},
        ]},
        "application/problem+json",
        ["title: is missing", "affects[0].component: is not known"],
    ),
    (401, {"title": "Who are you?", "detail": "Send a token."}, "application/problem+json", ["Who are you?: Send a token."]),
    (409, {"title": "Ignored", "detail": "it is resolved"}, "application/problem+json; charset=utf-8", ["Ignored: it is resolved"]),
    (503, {"status": 503}, "application/problem+json", ["refused (503)"]),
    (502, b"<h1>Bad gateway</h1>", "text/html", ["the server answered 502 Bad Gateway"]),
    (500, b"{not json", "application/json", ["the server answered 500 Internal Server Error"]),
    (400, ["odd"], "application/json", ["the server answered 400 Bad Request"]),
    (400, {"errors": "odd", "title": 7}, "application/json", ["7 (400)"]),
]  # fmt: skip


@pytest.mark.parametrize(("status", "document", "kind", "lines"), PROBLEMS, ids=lambda value: str(value)[:30])
def test_a_refusal_says_why(run: Run, api: FakeApi, status: int, document: Any, kind: str, lines: list[str]) -> None:
    api.will("POST", "/api/v1/pages/acme/drafts/d1/approve", document, status, kind)
    result = run("draft", "approve", "d1")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [f"tocsin: {line}" for line in lines]
    assert result.stdout == ""


def test_nobody_answers(run: Run) -> None:
    result = run("draft", "list", "--server", f"http://127.0.0.1:{free_port()}")
    assert result.exit_code == 1
    assert result.stderr.endswith("cannot be reached: nobody answers there\n")


def test_an_address_that_is_none(run: Run) -> None:
    result = run("draft", "list", "--server", "not a url")
    assert result.exit_code == 1
    assert result.stderr.startswith("tocsin: not a url cannot be reached")


@pytest.mark.parametrize(
    "words",
    [
        "nonsense",
        "incident open",
        "incident open x",
        "incident open x --body y --affects api",
        "incident open x --body y --affects api=broken",
        "incident open x --body y --affects :eu=major_outage",
        "incident open x --body y --affects api:=major_outage",
        "incident open x --body y --status odd",
        "incident open x --body y --next-update soon",
        "incident open x --body y --next-update 0s",
        "maintenance schedule x --body y --affects api --starts tomorrow --ends +1h",
        "maintenance schedule x --body y --starts +1h --ends +2h",
        "subscriber add",
        "subscriber add --email a@b.example --webhook https://b.example",
        "subscriber add --email a@b.example --on sms=1",
        "subscriber add --on sms",
        "incident list --limit 0",
        "apply",
        "apply --data x --server y",
        "up --port 70000",
        "demo --speed 0",
    ],
)
def test_a_mistake_in_the_use_of_a_command_is_exit_code_2(run: Run, api: FakeApi, words: str) -> None:
    result = run(*words.split())
    assert result.exit_code == 2, result.output
    assert result.stderr
    assert api.asked == []


@pytest.mark.parametrize("words", ["", "incident", "maintenance", "draft", "subscriber"])
def test_without_a_command_there_is_help(run: Run, words: str) -> None:
    result = run(*words.split())
    assert result.exit_code == 2
    assert "Usage: tocsin" in result.output


def test_the_version() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"tocsin {__version__}\n")


@pytest.mark.parametrize("command", ["up", "apply --data d", "apply --server http://127.0.0.1:1 --dry-run"])
def test_a_broken_configuration_is_told_line_by_line(run: Run, tmp_path: Path, command: str) -> None:
    file = tmp_path / "tocsin.yaml"
    file.write_text("page: {id: 'A B', name: Acme}\nrulez: []\n", "utf-8")
    result = run(*command.split(), "--config", str(file))
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert len(lines) >= 3
    assert all(line.startswith(f"tocsin: {file}:") for line in lines)
    assert not list(tmp_path.glob("d*"))


def test_a_configuration_that_is_not_there(run: Run, tmp_path: Path) -> None:
    result = run("up", "--config", str(tmp_path / "none.yaml"))
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1


def test_a_pages_catalogue_is_sent_whole(run: Run, api: FakeApi, tmp_path: Path) -> None:
    api.will("POST", "/api/v1/pages/acme/catalogue", {"changes": ["+ page (Acme)", "+ component api (API)"]})
    file = tmp_path / "tocsin.yaml"
    file.write_text(
        "page: {id: acme, name: Acme, url: 'http://a.example'}\ncomponents: [{id: api, name: API}]\n", "utf-8"
    )
    result = run("apply", "--config", str(file), "--server", api.url, "--dry-run")
    assert (result.exit_code, result.stdout) == (0, "+ page (Acme)\n+ component api (API)\n")
    assert api.last.body["dry_run"] is True
    assert api.last.body["catalogue"]["components"]["api"]["name"] == "API"


def test_nothing_to_change(run: Run, api: FakeApi, tmp_path: Path) -> None:
    api.will("POST", "/api/v1/pages/acme/catalogue", {"changes": []})
    file = tmp_path / "tocsin.yaml"
    file.write_text("page: {id: acme, name: Acme, url: 'http://a.example'}\n", "utf-8")
    assert run("apply", "--config", str(file), "--server", api.url).stdout == "nothing to change\n"
