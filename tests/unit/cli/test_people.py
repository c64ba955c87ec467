"""Lists of subscribers in and out: what the server is asked, what people read, and that no address is among it."""

import io
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.api import FakeApi
from tests.unit.cli.conftest import Run
from tocsin.cli import people
from tocsin.cli.datafolder import Bar

PAGE = "/api/v1/pages/acme"
BATCH = f"{PAGE}/subscribers/batch"
ADDED = {"status": "added", "id": "s1", "state": "active"}
ANN: dict[str, Any] = {
    "id": "s1", "channel": "email", "address": "ann@shop.example", "secret": None, "state": "active", "reason": None,
    "filter": {
        "cells": [{"component": "api", "region": "eu"}, {"component": "login", "region": None}], "min_impact": "major",
        "kinds": ["incident"],
    },
    "pace": {
        "quiet_hours": {"from": "22:00", "to": "07:00", "zone": "Europe/Berlin"},
        "digest": {"every": "day", "at": "08:00", "zone": "Europe/Berlin"}, "minimum_gap": 1800,
        "critical_gets_through": False,
    },
    "audience": "internal",
    "created_at": "2026-11-18T14:20:00Z",
}  # fmt: skip
TREE = {"components": [{"id": "api", "name": "API", "components": []}]}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "_PAUSES", (0.0, 0.0))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "people.csv"


def test_export_writes_every_part_for_its_owner_alone(run: Run, api: FakeApi, file: Path) -> None:
    parts = f"{PAGE}/subscribers/export?limit=1000"
    api.will("GET", parts, {"subscribers": [ANN], "next": "s1"})
    phone = ANN | {"id": "s2", "channel": "sms", "address": "+4930901820", "state": "pending"}
    hook = ANN | {"id": "s3", "channel": "webhook", "address": "https://a.example/", "secret": "whsec_QUJD"}
    everything = {"filter": ANN["filter"] | {"cells": None}, "pace": None, "audience": "public"}
    api.will("GET", f"{parts}&after=s1", {"subscribers": [phone, hook | everything], "next": None})
    file.write_text("what was there before")
    result = run("subscriber", "export", str(file))
    assert (result.exit_code, result.stdout) == (0, f"exported 3 subscribers to {file}\n"), result.output
    common, night = "2026-11-18T14:20:00Z", "22:00-07:00 Europe/Berlin,08:00 Europe/Berlin,30m,no"
    assert file.read_text().splitlines() == [
        "channel,address,secret,state,cells,min_impact,kinds,quiet_hours,digest,minimum_gap,critical_gets_through,audience,id,created_at",
        f"email,ann@shop.example,,active,api:eu login,major,incident,{night},internal,s1,{common}",
        f"sms,'+4930901820,,pending,api:eu login,major,incident,{night},internal,s2,{common}",
        f"webhook,https://a.example/,whsec_QUJD,active,,major,incident,,,,,public,s3,{common}",
    ]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]


def test_an_export_that_breaks_off_leaves_what_was_there(run: Run, api: FakeApi, file: Path) -> None:
    api.will("GET", f"{PAGE}/subscribers/export?limit=1000", {"subscribers": [ANN], "next": "s1"})
    file.write_text("what was there before")
    assert run("subscriber", "export", str(file)).exit_code == 1
    assert file.read_text() == "what was there before"
    assert list(file.parent.iterdir()) == [file]


def test_import_sends_what_the_lines_say(run: Run, api: FakeApi, file: Path) -> None:
    file.write_text(
        "\ufeffchannel,address,state,cells,min_impact,kinds,quiet_hours,digest,minimum_gap,critical_gets_through\n"
        "email,ann@shop.example,active,api:eu login,major,incident maintenance,22:00-07:00 Europe/Berlin,hour,1h30m,no\n"
        "email,ben@shop.example,pending,,,,,,,\n"
        "email,cat@shop.example,suppressed,,,,,,,\n",
        "utf-8",
    )
    api.will("POST", BATCH, {"results": [ADDED, ADDED | {"state": "pending"}]})
    result = run("subscriber", "import", str(file), "--confirmed")
    assert result.exit_code == 0, result.output
    assert api.last.body == {
        "subscribers": [
            {
                "channel": "email", "address": "ann@shop.example", "confirmed": True, "min_impact": "major",
                "cells": [{"component": "api", "region": "eu"}, {"component": "login"}], "kinds": ["incident", "maintenance"],
                "quiet_hours": {"from": "22:00", "to": "07:00", "zone": "Europe/Berlin"}, "critical_gets_through": False,
                "digest": {"every": "hour"}, "minimum_gap": "1h30m",
            },
            {"channel": "email", "address": "ben@shop.example"},
        ],
        "dry_run": False,
    }  # fmt: skip
    assert result.stdout.splitlines() == [
        "added 2 of 3 lines; 0 were known, 0 are refused", "1 of the added are asked to confirm first",
        "1 left out: was suppressed there",
    ]  # fmt: skip
    run("subscriber", "import", str(file), "--dry-run")
    assert api.last.body["dry_run"] is True
    assert not any("confirmed" in one for one in api.last.body["subscribers"]), "only where the operator says so"


def test_each_line_that_fails_is_named_and_no_address_is(run: Run, api: FakeApi, file: Path) -> None:
    file.write_text(
        "channel,address,state\nemail,ann@shop.example,\nemail,,\nemail,x@shop.example,odd\nemail,bad@,\nfax,1@2,\n"
    )
    wrong = [
        {"field": "address", "message": "is not an email"},
        {"field": "cells[0].component", "message": "is unknown"},
    ]
    refused: list[dict[str, Any]] = [{"status": "refused", "errors": [error]} for error in wrong]
    api.will("POST", BATCH, {"results": [ADDED, *refused]})
    result = run("subscriber", "import", str(file))
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "tocsin: line 3: address: is missing", "tocsin: line 4: state: must be active, paused, pending, suppressed or removed",
        "tocsin: line 5: address: is not an email", "tocsin: line 6: cells: is unknown",
    ]  # fmt: skip
    assert result.stdout.splitlines()[0] == "added 1 of 5 lines; 0 were known, 4 are refused"
    assert "@" not in result.output


@pytest.mark.parametrize(
    ("hours", "through", "said"),
    [
        ("22:00 Europe/Berlin", "", "quiet_hours: must be as 22:00-07:00 Europe/Berlin"),
        ("", "maybe", "critical_gets_through: must be yes or no"),
    ],
)
def test_a_time_that_cannot_be_read_names_its_column(
    run: Run, api: FakeApi, file: Path, hours: str, through: str, said: str
) -> None:
    file.write_text(f"channel,address,quiet_hours,critical_gets_through\nemail,a@b.example,{hours},{through}\n")
    result = run("subscriber", "import", str(file))
    assert (result.exit_code, result.stderr.splitlines()) == (1, [f"tocsin: line 2: {said}"])


def test_known_and_gone_are_counted(run: Run, api: FakeApi, file: Path) -> None:
    file.write_text("channel,address\nemail,a@b.example\nemail,c@d.example\n")
    api.will("POST", BATCH, {"results": [{"status": "known", "id": "1"}, {"status": "left", "id": "2"}]})
    result = run("subscriber", "import", str(file))
    assert (result.exit_code, result.stdout.splitlines()) == (
        0, ["added 0 of 2 lines; 1 were known, 0 are refused", "1 once left this page, and are not brought back"],
    )  # fmt: skip
    import_json = run("subscriber", "import", str(file), "--json")
    assert '"known": 1' in import_json.stdout
    assert '"left": 1' in import_json.stdout


def test_a_long_file_goes_in_batches(run: Run, api: FakeApi, file: Path) -> None:
    file.write_text("channel,address\n" + "".join(f"email,n{number}@shop.example\n" for number in range(2_500)))
    sizes = []

    def answered(body: Any) -> Any:
        sizes.append(len(body["subscribers"]))
        return {"results": [ADDED] * sizes[-1]}

    api.will("POST", BATCH, answered)
    result = run("subscriber", "import", str(file))
    assert (sizes, result.exit_code) == ([1_000, 1_000, 500], 0)
    assert result.stdout.splitlines()[0] == "added 2500 of 2500 lines; 0 were known, 0 are refused"
    file.write_text("channel,address\n" + "".join(f"email,{number}{'x' * 90_000}\n" for number in range(12)))
    sizes.clear()
    run("subscriber", "import", str(file))
    assert sizes == [5, 5, 2], "a batch is no longer than a server takes"


def test_a_batch_that_did_not_get_through_is_sent_again(run: Run, api: FakeApi, file: Path) -> None:
    file.write_text("channel,address\nemail,a@b.example\n")
    api.will("POST", BATCH, {"title": "Try again shortly"}, 503, "application/problem+json")
    result = run("subscriber", "import", str(file))
    assert (result.exit_code, len(api.asked)) == (1, 3)
    assert "Try again shortly" in result.stderr
    api.will("POST", BATCH, {"title": "Not allowed"}, 403, "application/problem+json")
    api.asked.clear()
    assert run("subscriber", "import", str(file)).exit_code == 1
    assert len(api.asked) == 1


def test_from_statuspage_with_a_map(run: Run, api: FakeApi, tmp_path: Path) -> None:
    api.will("GET", f"{PAGE}/components", TREE)
    api.will(
        "POST", BATCH, {"results": [{"status": "refused", "errors": [{"field": "address", "message": "is no URL"}]}]}
    )
    source, said = tmp_path / "people.json", tmp_path / "map.yaml"
    source.write_text('[{"mode": "email", "email": "a@b.example", "components": ["x1"]}, '
                      '{"mode": "webhook", "endpoint": "nope", "components": ["x2", "API"]}]')  # fmt: skip
    said.write_text("components: {x2: api:eu}\nchannels: {webhook: webhook}\n")
    result = run("subscriber", "import", str(source), "--from", "statuspage", "--map", str(said), "--confirmed")
    assert result.exit_code == 1
    assert api.last.body["subscribers"] == [
        {
            "channel": "webhook", "address": "nope", "confirmed": True,
            "cells": [{"component": "api", "region": "eu"}, {"component": "api"}],
        }
    ]  # fmt: skip
    assert result.stderr.splitlines() == [
        "tocsin: value 1: components: not known here: 'x1'; --map says what they are",
        "tocsin: value 2: endpoint: is no URL",
    ]
    assert "1 chose 'x1', which is no component here; --map says what it is" in result.stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("{csv}",), 1, "there is no column 'mail'"),
        (("{folder}/nothing.csv",), 1, "does not exist"),
        (("{csv}", "--from", "statuspage"), 1, "line 1 must name the columns"),
        (("{csv}", "--map", "{csv}"), 2, "goes with --from"),
        (("{json}",), 2, "only CSV"),
        (("{json}", "--from", "cachet"), 1, "not JSON"),
        (("{csv}", "--from", "fax"), 2, "fax"),
    ],
)
def test_a_file_that_cannot_be_imported_asks_nobody_for_anything(
    run: Run, api: FakeApi, tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    api.will("GET", f"{PAGE}/components", TREE)
    (tmp_path / "a.csv").write_text("mail,channel\na@b.example,email\n")
    (tmp_path / "a.json").write_text("{nonsense")
    where = {"csv": tmp_path / "a.csv", "json": tmp_path / "a.json", "folder": tmp_path}
    result = run("subscriber", "import", *(word.format(**where) for word in words))
    assert result.exit_code == code
    assert said in " ".join(result.output.split())
    assert not [asked for asked in api.asked if asked.method == "POST"]


class _Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_for_terminals(
    run: Run, api: FakeApi, file: Path, monkeypatch: pytest.MonkeyPatch, *, terminal: bool
) -> None:
    shown: list[tuple[int | None, int]] = []
    screen = _Screen() if terminal else io.StringIO()

    class Watched(Bar):
        def __init__(self, title: str, total: int | None) -> None:
            monkeypatch.setattr(sys, "stderr", screen)
            super().__init__(title, total)
            self.total = total

        def __call__(self, done: int) -> None:
            super().__call__(done)
            shown.append((self.total, done))

    monkeypatch.setattr(people, "Bar", Watched)
    file.write_text("channel,address\n" + "email,a@b.example\n" * 3)
    api.will("POST", BATCH, {"results": [ADDED] * 3})
    assert run("subscriber", "import", str(file)).exit_code == 0
    assert [done for _, done in shown] == [4]
    assert bool(screen.getvalue()) == terminal, "and a pipe is left in peace"
