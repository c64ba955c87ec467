"""What the doctor says, in which order, and that it looks at nothing it cannot see."""

import json
import shutil
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from consumers.web.ports import ChannelRow
from streams.keys.master import open_vault
from tests.fakes.smtp import FakeSmtpServer
from tests.parts.processes import free_port
from tests.parts.tocsin import example
from tests.unit.cli.api import FakeApi, serving
from tocsin.cli import app
from tocsin.doctor import Finding, examine
from tocsin.doctor.channels import findings_of_channels
from tocsin.doctor.report import Check

NO_TOKEN = "only the running server knows; give an operator's token (TOCSIN_TOKEN or --token)"
PATH = "/api/v1/pages/acme/channels"
WRONG = [Finding("it is wrong", "mend it")]


def named(name: str, found: Sequence[Finding], *needs: str) -> Check:
    return Check(name, lambda: found, needs)


def test_what_needs_something_broken_is_not_looked_at() -> None:
    def never() -> list[Finding]:
        raise AssertionError("looked at")

    checks = [
        named("kafka", WRONG),
        Check("topics", never, ("kafka",)),
        Check("more", never, ("topics",)),
        named("smtp", []),
    ]
    report = examine(checks)
    assert report.found == {"kafka": WRONG, "topics": None, "more": None, "smtp": []}
    assert not report.is_well
    assert report.document() == {
        "ok": False,
        "checks": [
            {"check": "kafka", "state": "wrong", "findings": [{"problem": "it is wrong", "advice": "mend it"}]},
            {"check": "topics", "state": "skipped", "findings": []},
            {"check": "more", "state": "skipped", "findings": []},
            {"check": "smtp", "state": "ok", "findings": []},
        ],
    }
    assert examine([named("smtp", [])]).is_well


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tocsin.yaml").write_text(example(), "utf-8")
    monkeypatch.chdir(tmp_path)
    for name in ("TOCSIN_MASTER_KEY", "TOCSIN_KAFKA", "TOCSIN_REDIS", "TOCSIN_SERVER", "TOCSIN_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def asked(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["doctor", *words])
    return result.exit_code, result.output


def test_a_folder_that_is_well(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_vault(home / "tocsin-data", {}).close()
    with FakeSmtpServer() as mailbox:
        monkeypatch.setenv("SMTP_URL", mailbox.url)
        code, said = asked()
        assert (code, said.splitlines()) == (
            0, ["configuration: ok", "folder: ok", "master key: ok", "log: ok", "smtp: ok", f"channels: not known: {NO_TOKEN}"],
        )  # fmt: skip
        code, said = asked("--json")
    assert code == 0
    assert json.loads(said)["ok"] is True
    assert json.loads(said)["checks"][-1] == {
        "check": "channels", "state": "unknown", "findings": [], "reason": NO_TOKEN
    }  # fmt: skip


@pytest.fixture
def server() -> Iterator[FakeApi]:
    with serving() as fake:
        yield fake


def channels(*rows: tuple[str, str, str]) -> dict[str, object]:
    return {"channels": [{"name": name, "state": state, "summary": summary} for name, state, summary in rows]}


def of_channels(server: FakeApi) -> tuple[int, dict[str, Any]]:
    code, said = asked("--json", "--server", server.url, "--token", "viewer-secret")
    return code, json.loads(said)["checks"][-1]


def test_the_running_server_says_how_channels_stand(
    home: Path, monkeypatch: pytest.MonkeyPatch, server: FakeApi
) -> None:
    with FakeSmtpServer() as mailbox:
        monkeypatch.setenv("SMTP_URL", mailbox.url)
        rows = [
            ("email", "resting", "email rests; 535"),
            ("sms", "sending", "sms sends"),
            ("x", "held_back", "x waits"),
        ]
        server.will("GET", PATH, channels(*rows))
        code, found = of_channels(server)
        assert (code, found["state"]) == (1, "wrong")
        assert [each["problem"] for each in found["findings"]] == ["email rests; 535", "x waits"]
        assert "operations.md" in found["findings"][0]["advice"]
        assert server.last.headers["authorization"] == "Bearer viewer-secret"
        server.will("GET", PATH, channels(("email", "sending", "email sends")))
        assert of_channels(server) == (0, {"check": "channels", "state": "ok", "findings": []})


@pytest.mark.parametrize(
    ("document", "status"), [({"title": "Unauthorized"}, 401), ({"rows": []}, 200), (["email"], 200)]
)
def test_a_server_that_does_not_tell_is_no_finding(
    home: Path, monkeypatch: pytest.MonkeyPatch, server: FakeApi, document: object, status: int
) -> None:
    with FakeSmtpServer() as mailbox:
        monkeypatch.setenv("SMTP_URL", mailbox.url)
        server.will("GET", PATH, document, status)
        code, found = of_channels(server)
        assert (code, found["state"]) == (0, "unknown")
        assert f"the server at {server.url} did not tell" in found["reason"]
        nobody = f"http://127.0.0.1:{free_port()}"
        code, said = asked("--server", nobody, "--token", "viewer-secret")
    assert code == 0
    assert f"channels: not known: only the running server knows, and {nobody} cannot be reached" in said


def test_of_a_fleet_a_channel_without_a_sender_matters_once_something_waits_for_it() -> None:
    def row(state: str, waiting_since: int | None) -> ChannelRow:
        return ChannelRow("sms", "SMS", state, f"sms {state}", 0, waiting_since, "", [], [])

    now = 1_772_366_400_000_000
    assert findings_of_channels([row("unattended", None), row("unattended", now - 1)], now) == []
    [found] = findings_of_channels([row("unattended", now - 61_000_000)], now)
    assert found == Finding("sms unattended, and something waits for it", "start `tocsin worker delivery sms`")
    assert [each.problem for each in findings_of_channels([row("failover", None)], now)] == ["sms failover"]


def test_what_is_wrong_with_a_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv("SMTP_URL", f"smtp://127.0.0.1:{port}")
    open_vault(home / "tocsin-data", {}).close()
    (home / "tocsin-data" / "master.key").write_text("ab" * 32)
    (home / "tocsin-data" / "tocsin.db").write_bytes(b"no database" * 1_000)
    code, said = asked()
    assert code == 1
    assert "master key: wrong\n  1. the master key does not open" in said
    assert "log: wrong\n  2. tocsin-data/tocsin.db cannot be read" in said
    assert f"smtp: wrong\n  3. the mail server 127.0.0.1:{port} cannot be reached" in said
    shutil.rmtree(home / "tocsin-data")
    assert "folder: ok\nmaster key: ok\nlog: ok" in asked()[1], "what does not exist yet is made by the first start"


def test_a_configuration_that_cannot_be_read_is_all_there_is_to_say(home: Path) -> None:
    (home / "tocsin.yaml").write_text("page: {id: acme}\n")
    code, said = asked()
    assert code == 1
    assert said.startswith("configuration: wrong\n  1. tocsin.yaml:1: page.name: is missing")
    assert "folder" not in said


def test_what_is_out_of_reach_and_what_cannot_be_looked_at_therefore(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka, redis = free_port(), free_port()
    monkeypatch.setenv("TOCSIN_KAFKA", f"127.0.0.1:{kafka}")
    monkeypatch.setenv("TOCSIN_REDIS", f"redis://:hidden@127.0.0.1:{redis}/0")
    monkeypatch.setenv("TOCSIN_MASTER_KEY", "no key")
    monkeypatch.setattr("tocsin.doctor.fleet._PATIENCE", timedelta(seconds=1))
    code, said = asked("--json")
    assert code == 1
    states = {each["check"]: each["state"] for each in json.loads(said)["checks"]}
    assert states == {
        "configuration": "ok", "master key": "wrong", "kafka": "wrong", "topics": "skipped", "redis": "wrong",
        "state": "skipped", "keys": "skipped", "smtp": states["smtp"], "channels": "skipped", "clocks": "skipped",
    }  # fmt: skip
    assert "hidden" not in said
