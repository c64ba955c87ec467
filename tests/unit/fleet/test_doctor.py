"""What the doctor says, in which order, and that it looks at nothing it cannot see."""

import json
import shutil
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streams.keys.master import open_vault
from tests.fakes.smtp import FakeSmtpServer
from tests.parts.processes import free_port
from tests.parts.tocsin import example
from tocsin.cli import app
from tocsin.doctor import Finding, examine
from tocsin.doctor.report import Check

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
    for name in ("TOCSIN_MASTER_KEY", "TOCSIN_KAFKA", "TOCSIN_REDIS"):
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
        assert (code, said) == (0, "configuration: ok\nfolder: ok\nmaster key: ok\nlog: ok\nsmtp: ok\n")
        code, said = asked("--json")
    assert code == 0
    assert json.loads(said)["ok"] is True


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
        "state": "skipped", "keys": "skipped", "smtp": states["smtp"], "clocks": "skipped",
    }  # fmt: skip
    assert "hidden" not in said
