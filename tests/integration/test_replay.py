"""``tocsin replay`` and ``tocsin log`` on a data folder that a server is writing in, and on what was done to it."""

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from schemas.vocabulary import Severity
from streams.log.sqlite import FILE_NAME
from tests.builders.history import HOUR, NOON, PAGE, Story, tell
from tocsin.cli import app

Run = Callable[..., Result]


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    """A server's backend in the folder ``data``, open and writing."""
    story = Story(tmp_path / "data")
    tell(story)
    yield story
    story.close()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def invoke(*words: str) -> Result:
        return CliRunner(env={"COLUMNS": "200"}).invoke(app, [*words, "--data", str(tmp_path / "data")])

    return invoke


def done(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.stdout


def events(folder: Path) -> int:
    with closing(sqlite3.connect(folder / FILE_NAME)) as connection:
        (count,) = connection.execute("select count(*) from log").fetchone()
        return int(count)


def change(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / FILE_NAME)) as connection, connection:
        assert connection.execute(statement).rowcount > 0


# --- beside a server ---


def test_check_and_verify_hold_while_a_server_writes(story: Story, run: Run) -> None:
    over = threading.Event()
    written = 0

    def write() -> None:
        nonlocal written
        while not over.is_set():
            firing = written % 2 == 0
            story.alert("api", "ap", firing=firing, severity=Severity.WARNING, started_at=story.now + written)
            written += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        heads = []
        for _ in range(4):
            assert done(run("replay", "--check")).startswith("replay agrees: ")
            heads.append(done(run("log", "verify")).split()[-1])
    finally:
        over.set()
        writer.join()
    assert written > 4
    for head in heads:
        done(run("log", "verify", "--head", head))
        done(run("log", "verify", "--head", head.partition("-")[2]))


def test_check_counts_what_it_compared(story: Story, run: Run, tmp_path: Path) -> None:
    assert done(run("replay", "--check")).startswith(f"replay agrees: {events(tmp_path / 'data')} events, ")
    said = json.loads(done(run("replay", "--check", "--json")))
    assert said["agrees"] is True
    assert said["events"] == events(tmp_path / "data")


def test_a_replay_shows_what_the_server_shows(story: Story, run: Run) -> None:
    page = json.loads(done(run("replay", "--json")))["pages"][PAGE]
    view = story.backend.board.view(PAGE)
    assert view is not None
    assert {incident["id"]: incident["status"] for incident in page["incidents"]} == {
        incident.id: incident.status for incident in view.incidents.values()
    }
    assert [draft["id"] for draft in page["drafts"]] == list(view.drafts)
    assert page["components"]["api"]["cells"] == {
        "api/eu": "operational",
        "api/us": "degraded_performance",
        "api/ap": "operational",
    }
    assert page["components"]["login"] == {"status": "degraded_performance", "cells": {"login": "degraded_performance"}}
    assert page["components"]["platform"] == {"status": "degraded_performance", "cells": {}}


@pytest.mark.parametrize("form", ["2026-09-23T12:00:00+00:00", "2026-09-23T14:00:00+02:00", str(NOON // 1_000_000)])
def test_a_page_as_it_was(story: Story, run: Run, form: str) -> None:
    found = json.loads(done(run("replay", "--json", "--until", form)))
    assert found["until"] == "2026-09-23T12:00:00.000000Z"
    page = found["pages"][PAGE]
    assert (page["status"], page["components"]["api"]["status"]) == ("major", "major_outage")
    assert page["maintenances"] == []
    assert [incident["resolved_at"] for incident in page["incidents"]] == [None]
    assert len(page["drafts"]) == 2


def test_before_everything_there_was_nothing(story: Story, run: Run) -> None:
    found = json.loads(done(run("replay", "--json", "--until", str((NOON - HOUR) // 1_000_000))))
    assert (found["events"], found["pages"]) == (0, {})


def test_a_person_reads_a_summary(story: Story, run: Run) -> None:
    said = done(run("replay"))
    for words in (f"{PAGE}: ", "api:us", "degraded_performance", "Login is slow", "New servers", "waits for approval"):
        assert words in said


def test_tail_shows_the_newest_and_goes_on_from_a_cursor(story: Story, run: Run) -> None:
    lines = [json.loads(line) for line in done(run("log", "tail", "--json", "--lines", "3")).splitlines()]
    assert [line["offset"] for line in lines] == [story.backend.log.last - 2 + number for number in range(3)]
    story.alert("api", "ap")
    rest = [json.loads(line) for line in done(run("log", "tail", "--json", "--from", lines[-1]["cursor"])).splitlines()]
    assert rest[0]["type"] == "AlertReceived"
    assert rest[0]["offset"] == lines[-1]["offset"] + 1


def test_tail_shows_some_types_and_never_an_address(story: Story, run: Run) -> None:
    said = done(run("log", "tail", "--type", "SubscriberAdded", "--type", "DeadLettered", "--from", "0"))
    assert len(said.splitlines()) == 3
    assert "example.com" not in said
    assert "secret" not in said


def test_a_sender_cannot_steer_a_terminal(story: Story, run: Run) -> None:
    story.alert("\x1b[2Japi\x9b", "eu")
    assert not set(done(run("log", "tail"))) & {"\x1b", "\x9b"}


# --- out and in ---


def test_a_log_moves_to_another_folder(story: Story, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "log.avro"
    count = events(tmp_path / "data")
    assert done(run("log", "export", str(file))) == f"exported {count} events to {file}\n"
    assert [path.name for path in tmp_path.glob("*.partial")] == []
    move = ("log", "import", str(file), "--data", str(tmp_path / "other"))
    assert f"imported {count} of {count} events" in done(CliRunner().invoke(app, move))
    assert f"imported 0 of {count} events" in done(CliRunner().invoke(app, move))
    here = done(run("log", "verify"))
    there = done(CliRunner().invoke(app, ["log", "verify", "--data", str(tmp_path / "other")]))
    assert here == there


def test_an_import_into_a_folder_in_use_is_refused(story: Story, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "log.avro"
    done(run("log", "export", str(file)))
    result = run("log", "import", str(file))
    assert result.exit_code == 1
    assert "in use by another process" in result.stderr


def test_a_server_goes_on_with_an_imported_log(story: Story, run: Run, tmp_path: Path) -> None:
    done(run("log", "export", str(tmp_path / "log.avro")))
    move = ("log", "import", str(tmp_path / "log.avro"), "--data", str(tmp_path / "other"))
    done(CliRunner().invoke(app, move))
    before = events(tmp_path / "other")
    other = Story(tmp_path / "other")
    other.close()
    # Nothing but what the clock has brought about since: all that folds emit lies on the log already.
    assert events(tmp_path / "other") == before
    assert CliRunner().invoke(app, ["replay", "--check", "--data", str(tmp_path / "other")]).exit_code == 0


# --- what was done to it, and what was asked wrongly ---


@pytest.mark.parametrize(
    "statement",
    [
        "update log set body = zeroblob(length(body)) where seq = 40",
        "update log set chain = zeroblob(32) where seq = 40",
    ],
)
def test_a_changed_log_fails_verify(story: Story, run: Run, tmp_path: Path, statement: str) -> None:
    change(tmp_path / "data", statement)
    result = run("log", "verify")
    assert result.exit_code == 1
    assert "@40: " in result.stderr


def test_a_changed_projection_fails_the_check(story: Story, run: Run, tmp_path: Path) -> None:
    change(tmp_path / "data", "update timers set due = due + 1 where timer = 'promise:byhand'")
    result = run("replay", "--check")
    assert result.exit_code == 1
    assert "replay differs: pages/timers/acme/promise:byhand" in result.stdout
    assert json.loads(run("replay", "--check", "--json").stdout)["agrees"] is False


def test_a_damaged_file_fails_without_a_traceback(story: Story, run: Run, tmp_path: Path) -> None:
    (tmp_path / "data" / "other").mkdir()
    (tmp_path / "data" / "other" / FILE_NAME).write_bytes(b"no database " * 1000)
    for words in (("log", "verify"), ("replay",), ("replay", "--check"), ("log", "tail")):
        result = CliRunner().invoke(app, [*words, "--data", str(tmp_path / "data" / "other")])
        assert result.exit_code == 1
        assert "cannot be read" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("replay", "--until", "yesterday"),
        ("replay", "--until", "2026-09-23", "--check"),
        ("log", "verify", "--head", "abc"),
        ("log", "tail", "--type", "NoSuchType"),
        ("log", "tail", "--from", "x"),
        ("log", "export"),
    ],
)
def test_a_mistake_in_the_use_is_told_apart(story: Story, run: Run, words: tuple[str, ...]) -> None:
    assert run(*words).exit_code == 2


@pytest.mark.parametrize("words", [("replay",), ("replay", "--check"), ("log", "verify"), ("log", "tail")])
def test_a_folder_without_a_log(run: Run, words: tuple[str, ...]) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert "holds no log" in result.stderr
