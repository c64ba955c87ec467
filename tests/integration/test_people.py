"""A list of subscribers on its way from one installation to another, through the commands and two real servers."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from typer.testing import CliRunner, Result

from schemas.events import AnyEvent
from streams.log.port import event_of
from tests.parts.tocsin import example_with
from tocsin.backend import Backend
from tocsin.cli import app
from tocsin.config.loader import parse
from tocsin.server import Server

OPERATORS = [
    {"name": "ops", "role": "operator", "token": "ops-secret"},
    {"name": "root", "role": "admin", "token": "root-secret"},
]
CHANNELS = {
    "sms": {"account_sid": "AC" + "0" * 32, "auth_token": "0" * 32, "from": "+4915112345678", "countries": ["DE"]}
}


class Installation:
    """A server without senders: nothing leaves this machine."""

    def __init__(self, folder: Path) -> None:
        config = parse(example_with(operators=OPERATORS, channels=CHANNELS).encode(), "example.yaml", {})
        self.backend = Backend(folder, {})
        server = Server(config, self.backend, {})
        listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        self._uvicorn = uvicorn.Server(uvicorn.Config(server.application(), log_level="error", lifespan="off"))
        self._thread = threading.Thread(target=self._uvicorn.run, args=([listening],))
        self._thread.start()

    def run(self, *words: str, token: str = "ops-secret") -> Result:
        """Run a command against this server."""
        environment = {"TOCSIN_SERVER": self.url, "TOCSIN_TOKEN": token, "TOCSIN_PAGE": "acme"}
        return CliRunner(env=environment).invoke(app, list(words), catch_exceptions=False)

    def events(self) -> list[AnyEvent]:
        found, _ = self.backend.log.scan(None, 100_000)
        return [event_of(stored.record) for stored in found]

    def export(self, file: Path) -> list[str]:
        """Export everybody; return the lines without ids and times, sorted."""
        self.backend.settle()
        result = self.run("subscriber", "export", str(file), token="root-secret")
        assert result.exit_code == 0, result.output
        header, *lines = file.read_text().splitlines()
        assert header.endswith("id,created_at")
        return sorted(line.rsplit(",", 2)[0] for line in lines)

    def close(self) -> None:
        self._uvicorn.should_exit = True
        self._thread.join(30)
        self.backend.close()


@contextmanager
def installed(folder: Path) -> Iterator[Installation]:
    made = Installation(folder)
    try:
        yield made
    finally:
        made.close()


LINES = """\
channel,address,secret,state,cells,min_impact,kinds
email,ann@shop.example,,active,api:eu payments,major,incident
email,"=cmd@shop.example",,active,,,
webhook,https://shop.example/hook,whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz,active,platform,minor,maintenance
webhook,https://shop.example/pending,,pending,,,
sms,+4915112345678,,active,login,critical,incident maintenance
"""


def test_there_and_on_and_once_more(tmp_path: Path) -> None:
    source, first, second = (tmp_path / name for name in ("source.csv", "first.csv", "second.csv"))
    source.write_text(LINES)
    with installed(tmp_path / "old") as old, installed(tmp_path / "new") as new:
        result = old.run("subscriber", "import", str(source), "--confirmed")
        assert result.exit_code == 0, result.output
        assert "added 5 of 5 lines" in result.stdout
        exported = old.export(first)
        assert len(exported) == 5
        assert "email,'=cmd@shop.example,,active,,none,incident maintenance,,,,,public" in exported
        assert "sms,'+4915112345678,,active,login,critical,incident maintenance,,,,,public" in exported

        result = new.run("subscriber", "import", str(first), "--confirmed")
        assert result.exit_code == 0, result.output
        assert new.export(second) == exported, "with the secrets that receivers know"

        before = len(new.events())
        for file in (source, first, second):
            again = new.run("subscriber", "import", str(file), "--confirmed")
            assert "added 0 of 5 lines; 5 were known, 0 are refused" in again.stdout
        assert len(new.events()) == before, "the same file again changes nothing"
        log = b"".join(path.read_bytes() for path in (tmp_path / "new").iterdir() if path.is_file())
        assert b"shop.example" not in log
        assert b"4915112345678" not in log


def test_who_reads_addresses_needs_to_be_an_admin(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with installed(tmp_path / "data") as there:
        result = there.run("subscriber", "export", str(tmp_path / "people.csv"))
        assert (result.exit_code, "role admin" in result.stderr) == (1, True)
        assert not (tmp_path / "people.csv").exists()
        there.export(tmp_path / "people.csv")
    assert [record.getMessage() for record in caplog.records if "addresses" in record.getMessage()] == [
        "operator:root reads the addresses of 0 subscribers of acme in clear"
    ]


def test_a_channel_that_is_off_is_refused_line_by_line(tmp_path: Path) -> None:
    source = tmp_path / "statuspage.csv"
    source.write_text(
        "mode,email,endpoint,components\nemail,ann@shop.example,,API;Payments\nwebhook,,https://shop.example/hook,\n"
    )
    with installed(tmp_path / "data") as there:
        result = there.run("subscriber", "import", str(source), "--from", "statuspage", "--confirmed")
        assert result.exit_code == 1
        assert "line 3: mode: is not switched on here; there are email, sms, webhook" in result.stderr
        assert there.export(tmp_path / "people.csv") == [
            "email,ann@shop.example,,active,api payments,none,incident maintenance,,,,,public"
        ]


def test_when_they_are_told_comes_along(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text(
        "channel,address,quiet_hours,digest,minimum_gap,critical_gets_through\n"
        "sms,+4915112345678,22:00-07:00 Europe/Berlin,08:00 Europe/Berlin,30m,no\n"
        "sms,+4915112345679,,hour Asia/Kolkata,,\n"
        "sms,+4915112345680,,,,\n"
        "sms,+4915112345681,22:00-07:00 Europe/Berlni,,,\n"
    )
    with installed(tmp_path / "one") as one, installed(tmp_path / "two") as two:
        result = one.run("subscriber", "import", str(file), "--confirmed")
        assert "line 5: quiet_hours: no such time zone 'Europe/Berlni'" in result.stderr
        exported = one.export(tmp_path / "all.csv")
        assert len(exported) == 3
        assert two.run("subscriber", "import", str(tmp_path / "all.csv"), "--confirmed").exit_code == 0
        assert two.export(tmp_path / "again.csv") == exported
        listed = two.run("subscriber", "list").stdout
        assert "by a digest, 08:00 Europe/Berlin, each 30m at the most" in listed
        assert "by a digest, hour Asia/Kolkata" in listed
