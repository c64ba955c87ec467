"""``tocsin replay`` and ``tocsin log`` on the distributed engine, after a move to a real Kafka and Redis."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis
from typer.testing import CliRunner, Result

from consumers.audit.fleet_check import PROCESSORS
from schemas import codec
from schemas.events import AlertReceived, Event
from schemas.ids import derive, random_id
from schemas.topics import TOPICS
from schemas.vocabulary import AlertStatus, Severity
from streams.domain.episodes import episode_id
from streams.log.kafka import KafkaEventLog
from streams.log.port import record_of
from streams.log.sqlite import FILE_NAME
from streams.runtime.partition_fold import PartitionFold
from streams.runtime.partition_steps import Message
from streams.runtime.redis_store import RedisStateStore
from tests.builders.history import PAGE, Story, tell
from tests.parts.kafka import shared_broker
from tests.parts.redis import redis_server
from tocsin.cli import app

pytestmark = [pytest.mark.kafka, pytest.mark.redis]


class Moved:
    """A folder that was carried over, and the workers' folds of it, run here."""

    def __init__(self, folder: Path, redis_port: int) -> None:
        self.folder = folder
        self.redis_port = redis_port
        self.namespace = f"{random_id()}."
        self.engine = f"kafka://{shared_broker().servers}/{self.namespace}"
        self.redis = f"redis://127.0.0.1:{redis_port}/0"

    def open(self) -> None:
        """Connect, once the topics exist."""
        self.log = KafkaEventLog([shared_broker().servers], namespace=self.namespace, chained=False)
        self.store = RedisStateStore(self.redis, self.namespace)

    def fold(self) -> None:
        """Let workers fold all that the log holds, and what follows from it."""
        before = None
        while before != (before := self.ends()):
            for processor in PROCESSORS:
                fold = PartitionFold(processor, self.log, self.store)
                fold.assigned(range(8))
                for topic in processor.topics:
                    for partition in range(8):
                        fold.fold((topic, partition), self._messages(topic, partition))

    def _messages(self, topic: str, partition: int) -> list[Message]:
        return [
            Message(
                each.offset,
                each.record.type,
                codec.frame(each.record.fingerprint, each.record.body),
                each.record.origin,
            )
            for each in self.log.read(topic, partition, 0, 100_000)
        ]

    def ends(self) -> dict[str, dict[int, int]]:
        return {topic.name: self.log.end(topic.name) for topic in TOPICS}

    def alert(self, number: int) -> None:
        """Let a monitor say something new, past the move."""
        labels = {"service": "api", "region": "us", "alertname": "Errors"}
        at = 1_795_000_000_000_000 + number
        data = AlertReceived(
            "prom", f"api-new-{number}", episode_id(PAGE, "prom", f"api-new-{number}", at), AlertStatus.FIRING,
            Severity.CRITICAL, at, None, None, "api fails", labels, {}, "", "0" * 64, False, False,
        )  # fmt: skip
        event = Event(derive("test", str(number)), PAGE, at, at, "source:prom", None, None, False, data)
        self.log.append([record_of(event)])

    def close(self) -> None:
        self.log.close()
        self.store.close()


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moved]:
    folder = tmp_path_factory.mktemp("moved")
    story = Story(folder)
    tell(story)
    story.close()
    with ExitStack() as stack:
        port = stack.enter_context(redis_server(tmp_path_factory.mktemp("redis")))
        made = Moved(folder, port)
        done(run("migrate", "--from", f"sqlite:{folder}", "--to", made.engine, "--redis", made.redis))
        made.open()
        stack.callback(made.close)
        yield made


@contextmanager
def connected(moved: Moved) -> Iterator[Any]:
    with closing(redis.Redis(port=moved.redis_port)) as client:
        yield client


def run(*words: str) -> Result:
    return CliRunner(env={"COLUMNS": "300", "TOCSIN_REDIS": ""}).invoke(app, [*words])


def done(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.stdout


def check(moved: Moved) -> Result:
    return run("replay", "--check", "--engine", moved.engine, "--redis", moved.redis)


def test_after_the_move_check_agrees_on_both_sides_and_nothing_is_said_twice(moved: Moved) -> None:
    before = moved.ends()
    moved.fold()
    assert moved.ends() == before, "what follows from what was carried over was carried over with it"
    assert done(run("replay", "--check", "--data", str(moved.folder))).startswith("replay agrees: ")
    assert done(check(moved)).startswith("replay agrees: ")
    with closing(sqlite3.connect(moved.folder / FILE_NAME)) as file:
        for processor in PROCESSORS:
            if processor.name != "ledger":  # whose rows have another shape here
                tables = [spec.name for spec in processor.tables]
                rows = [row for part in range(8) for row in moved.store.rows(processor.name, part, tables)]
                state = file.execute("select tbl, page, key, value from state where stage = ?", (processor.name,))
                assert dict(rows) == {(table, page, key): value for table, page, key, value in state}


def test_the_pages_are_the_same_on_both_sides(moved: Moved) -> None:
    here = json.loads(done(run("replay", "--json", "--data", str(moved.folder))))
    there = json.loads(done(run("replay", "--json", "--engine", moved.engine)))
    assert here["pages"] == there["pages"]
    until = ["--until", "2026-09-23T12:30:00Z", "--json"]
    here = json.loads(done(run("replay", *until, "--data", str(moved.folder))))
    there = json.loads(done(run("replay", *until, "--engine", moved.engine)))
    assert here["pages"] == there["pages"]


def test_the_log_goes_on_after_the_move_and_check_agrees(moved: Moved) -> None:
    head = done(run("log", "verify", "--engine", moved.engine)).split()[-1]
    before = sum(sum(ends.values()) for ends in moved.ends().values())
    moved.alert(1)
    moved.fold()
    assert sum(sum(ends.values()) for ends in moved.ends().values()) > before + 1, "an episode followed, and more"
    assert done(check(moved)).startswith("replay agrees: ")
    assert done(run("log", "verify", "--engine", moved.engine, "--head", head)).split()[-1] != head


@pytest.mark.parametrize(
    ("key", "change", "said"),
    [
        ("{{status/{part}}}/rows/settings/acme", b"", "status/settings/acme"),
        ("{{pages/{part}}}/rows/incidents/acme", b'{"title":"another"}', "pages/incidents/acme"),
    ],
)
def test_a_row_that_was_changed_is_found(moved: Moved, key: str, change: bytes, said: str) -> None:
    moved.fold()
    with connected(moved) as client:
        name = next(name for part in range(8) if client.exists(name := moved.namespace + key.format(part=part)))
        before = client.hgetall(name)
        field = min(before)
        client.hset(name, field, change or before[field] + b" ")
        try:
            found = check(moved)
            assert found.exit_code == 1, found.output
            assert found.stdout.startswith(f"replay differs: {said}")
            assert not json.loads(
                run("replay", "--check", "--json", "--engine", moved.engine, "--redis", moved.redis).stdout
            )["agrees"]
        finally:
            client.hset(name, field, before[field])
    assert done(check(moved)).startswith("replay agrees: ")


def test_a_wish_and_a_rank_that_were_changed_are_found(moved: Moved) -> None:
    moved.fold()
    with connected(moved) as client:
        for pattern, said in (("*/wishes", "/timers/"), ("*ledger/*/ranks/subject/*", "ledger/subject/")):
            name = next(iter(client.scan_iter(match=moved.namespace + pattern)))
            ((member, score),) = client.zrange(name, 0, 0, withscores=True)
            client.zadd(name, {member: score + 1})
            found = check(moved)
            assert (found.exit_code, said in found.stdout) == (1, True), found.output
            client.zadd(name, {member: score})
    assert done(check(moved)).startswith("replay agrees: ")


def test_a_position_beyond_the_log_is_found(moved: Moved) -> None:
    moved.fold()
    with connected(moved) as client:
        name = next(iter(client.scan_iter(match=f"{moved.namespace}{{reliability/*/positions")))
        before = client.hget(name, "tocsin.pages")
        client.hset(name, "tocsin.pages", 10_000)
        found = check(moved)
        client.hset(name, "tocsin.pages", before)
    assert (found.exit_code, "at most" in found.stdout) == (1, True), found.output


def test_an_empty_redis_agrees_as_far_as_it_goes(moved: Moved, tmp_path: Path) -> None:
    with redis_server(tmp_path) as port:
        assert done(
            run("replay", "--check", "--engine", moved.engine, "--redis", f"redis://127.0.0.1:{port}/0")
        ).startswith("replay agrees: 0 events, 0 rows")


def test_a_head_that_the_log_never_had(moved: Moved) -> None:
    head = done(run("log", "verify", "--engine", moved.engine)).split()[-1]
    cursor, digits = head[:-65], head[-64:]
    done(run("log", "verify", "--engine", moved.engine, "--head", digits))
    other = "0" * 64
    for noted in (other, f"{cursor}-{other}"):
        found = run("log", "verify", "--engine", moved.engine, "--head", noted)
        assert (found.exit_code, "was noted" in found.stderr) == (1, True), found.output
    assert run("log", "verify", "--engine", moved.engine, "--head", "12-abc").exit_code == 2


def test_what_is_no_event_does_not_verify(moved: Moved) -> None:
    namespace = f"{random_id()}."
    with closing(KafkaEventLog([shared_broker().servers], namespace=namespace, chained=False)) as log:
        records = [each.record for part in range(8) for each in moved.log.read("tocsin.pages", part, 0, 5)]
        log.append(records)
        engine = moved.engine.replace(moved.namespace, namespace)
        assert f"verified {len(records)} events in " in done(run("log", "verify", "--engine", engine))
        log.append([msgspec.structs.replace(records[0], type="PageDefined", recorded_at=1)])
    found = run("log", "verify", "--engine", engine)
    assert (found.exit_code, "the column recorded_at says 1" in found.stderr) == (1, True), found.output


def test_the_log_is_shown_and_cursors_go_on(moved: Moved) -> None:
    everything = _shown(moved, "--from", "0")
    assert len(everything) == sum(sum(ends.values()) for ends in moved.ends().values())
    assert [line["id"] for line in _shown(moved, "--from", everything[40]["cursor"])] == [
        line["id"] for line in everything[41:]
    ]
    newest = _shown(moved, "--lines", "7")
    assert len(newest) == 7
    assert {line["id"] for line in _shown(moved, "--from", newest[3]["cursor"])} == {line["id"] for line in newest[4:]}
    wanted = [line["id"] for line in everything if line["type"] == "IncidentUpdated"]
    assert wanted
    assert {line["id"] for line in _shown(moved, "--type", "IncidentUpdated", "--lines", "1000")} == set(wanted)


def _shown(moved: Moved, *words: str) -> list[dict[str, str]]:
    return [
        json.loads(line) for line in done(run("log", "tail", "--json", "--engine", moved.engine, *words)).splitlines()
    ]


def test_the_export_of_one_engine_is_imported_by_the_other(moved: Moved, tmp_path: Path) -> None:
    file, folder = tmp_path / "log.avro", tmp_path / "imported"
    done(run("log", "export", str(file), "--engine", moved.engine))
    assert "0 were there" in done(run("log", "import", str(file), "--data", str(folder)))
    assert "verified" in done(run("log", "verify", "--data", str(folder)))


def test_a_cluster_without_a_log_is_not_given_one(moved: Moved) -> None:
    engine = f"{moved.engine}nothing."
    calls: list[Callable[[], Result]] = [
        lambda: run("log", "tail", "--engine", engine),
        lambda: run("log", "verify", "--engine", engine),
        lambda: run("replay", "--engine", engine),
    ]
    for call in calls:
        found = call()
        assert (found.exit_code, "holds no log here" in found.stderr) == (1, True), found.output


def test_mistakes_in_their_use(moved: Moved, tmp_path: Path) -> None:
    assert run("replay", "--check", "--engine", moved.engine).exit_code == 2, "Redis is not given"
    assert run("replay", "--engine", "kafka://nowhere").exit_code == 2
    assert run("log", "tail", "--engine", moved.engine, "--config", str(tmp_path / "tocsin.yaml")).exit_code == 2
    assert run("log", "tail", "--engine", moved.engine, "--from", "12").exit_code == 2
