"""``tocsin migrate`` from a real folder to a real Kafka and Redis, killed on the way, refused where it must be."""

import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from schemas.ids import random_id
from schemas.topics import TOPICS
from streams.keys.master import MASTER_VARIABLE, open_distributed_vault, open_vault
from streams.keys.vault import Vault
from streams.log.port import Record, Stored
from streams.log.sqlite import SqliteEventLog
from tests.builders.history import Story, tell
from tests.parts.kafka import shared_broker
from tests.parts.processes import PATIENCE, wait_for
from tests.parts.redis import redis_server
from tests.parts.tocsin import COMMAND
from tocsin.cli import app
from tocsin.migration import EMITTING

pytestmark = [pytest.mark.kafka, pytest.mark.redis]
SUBSCRIBERS = 40
MANY = 40_000


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("redis")) as port:
        yield f"redis://127.0.0.1:{port}/0"


@pytest.fixture
def namespace() -> str:
    return f"{random_id()}."


@pytest.fixture
def target(namespace: str) -> str:
    return f"kafka://{shared_broker().servers}/{namespace}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a history and keys, left in good order."""
    folder = tmp_path / "data"
    story = Story(folder)
    tell(story)
    for number in range(SUBSCRIBERS):
        story.backend.vault.create(f"s{number}", f"{number % 30}@example.com")
    story.close()
    return folder


def migrate(folder: Path, target: str, *words: str) -> Result:
    return CliRunner(env={"COLUMNS": "300"}).invoke(
        app, ["migrate", "--from", f"sqlite:{folder}", "--to", target, *words]
    )


def done(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(result: Result, said: str) -> None:
    assert (result.exit_code, said in result.stderr) == (1, True), result.output


def events(folder: Path) -> int:
    with closing(SqliteEventLog(folder, read_only=True)) as log:
        return len(log.read_all(0, 100_000))


def lines(read: Callable[[str, int], list[Stored]]) -> dict[tuple[str, int], list[tuple[object, ...]]]:
    return {
        (topic.name, partition): [_said(stored.record) for stored in read(topic.name, partition)]
        for topic in TOPICS
        for partition in range(topic.partitions)
        if topic.retention_days is None
    }


def _said(record: Record) -> tuple[object, ...]:
    return record.key, record.id, record.type, record.recorded_at, record.fingerprint, record.body


def require_same(folder: Path, namespace: str) -> None:
    from streams.log.kafka import KafkaEventLog

    servers = [shared_broker().servers]
    with (
        closing(SqliteEventLog(folder, read_only=True)) as source,
        closing(KafkaEventLog(servers, namespace=namespace, chained=False)) as log,
    ):
        assert lines(lambda topic, partition: log.read(topic, partition, 0, 100_000)) == lines(
            lambda topic, partition: source.read(topic, partition, 0, 100_000)
        )


def vaults(folder: Path, namespace: str, redis_url: str) -> tuple[Vault, Vault]:
    master = (folder / "master.key").read_text("ascii")
    servers = [shared_broker().servers]
    environment = {MASTER_VARIABLE: master}
    return open_vault(folder, {}), open_distributed_vault(servers, redis_url, environment, namespace=namespace)


def test_a_folder_moves_whole(folder: Path, target: str, namespace: str, redis_url: str) -> None:
    said = done(migrate(folder, target, "--dry-run", "--redis", redis_url))
    assert said.startswith(f"would carry over {events(folder)} events and what is missing of ")
    said = done(migrate(folder, target, "--redis", redis_url))
    assert f"both logs hold the same {events(folder) - 1} events" in said, "all but a dead letter that is too old"
    assert "1 dead letters were older" in said
    require_same(folder, namespace)
    here, there = vaults(folder, namespace, redis_url)
    with closing(here), closing(there):
        sealed = here.seal("s7", b"somebody@example.com")
        assert there.open("s7", sealed) == b"somebody@example.com"
        assert there.find("3@example.com") == ["s3", "s33"]
        assert set(there.owners()) == set(here.owners())


def test_again_it_finds_everything_there(folder: Path, target: str, namespace: str, redis_url: str) -> None:
    first = done(migrate(folder, target))
    assert f"{events(folder) - 1} events arrived in an earlier run" in done(migrate(folder, target, "--dry-run"))
    assert done(migrate(folder, target)) == first
    require_same(folder, namespace)


def test_a_folder_that_was_used_in_between_is_carried_on(
    folder: Path, target: str, namespace: str, redis_url: str
) -> None:
    done(migrate(folder, target, "--redis", redis_url))
    story = Story(folder)
    story.now += 100 * 3_600_000_000
    story.alert("api", "us", started_at=story.now)
    story.backend.vault.erase("s3")
    story.backend.vault.create("late", "late@example.com")
    story.close()
    done(migrate(folder, target, "--redis", redis_url))
    require_same(folder, namespace)
    here, there = vaults(folder, namespace, redis_url)
    with closing(here), closing(there):
        assert there.find("late@example.com") == ["late"]
        assert there.find("3@example.com") == ["s33"], "erased here, erased there"


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A folder with many records that every stage has passed; what they say does not matter to whoever carries them."""
    folder = tmp_path / "large"
    with closing(SqliteEventLog(folder)) as log:
        for start in range(0, MANY, 2_000):
            log.append([_any(number) for number in range(start, start + 2_000)])
        log.submit(
            lambda connection: connection.executemany(
                'insert into positions ("group", place, position) values (?, 0, ?)',
                [(name, MANY + 1) for name in EMITTING],
            )
        ).result()
    with closing(open_vault(folder, {})) as vault:
        for number in range(300):
            vault.create(f"s{number}")
    return folder


def _any(number: int) -> Record:
    topic = TOPICS[number % 5].name
    return Record(topic, f"acme/{number % 101}", f"{number:032x}", "Any", number, bytes(8), b"%d" % number * 50)


@pytest.mark.slow
def test_killed_on_the_way_it_goes_on(large: Path, target: str, namespace: str) -> None:
    from streams.log.kafka import KafkaEventLog

    command: list[str | Path] = [COMMAND, "migrate", "--from", f"sqlite:{large}", "--to", target]
    with closing(KafkaEventLog([shared_broker().servers], namespace=namespace, chained=False)) as log:

        def arrived() -> int:
            return sum(sum(log.end(topic.name).values()) for topic in TOPICS)

        before = -1
        for share in (0.0, 0.2, 0.5, 0.8):
            with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
                wait_for("more has arrived", lambda: arrived() > max(before, share * MANY), patience=PATIENCE)  # noqa: B023
                process.kill()
            assert process.returncode == -signal.SIGKILL, "it was not done yet"
            before = arrived()
    finished = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert finished.returncode == 0, finished.stderr
    assert f"the same {MANY} events" in finished.stdout
    require_same(large, namespace)


def test_another_log_is_refused(folder: Path, tmp_path: Path, target: str, namespace: str, redis_url: str) -> None:
    done(migrate(folder, target))
    other = tmp_path / "other"
    story = Story(other)
    story.alert("api", "eu")
    story.close()
    refused(migrate(other, target), "another log")
    refused(migrate(other, target, "--dry-run"), "another log")
    require_same(folder, namespace)


def test_a_target_with_events_of_its_own_is_refused(folder: Path, target: str, namespace: str) -> None:
    from streams.log.kafka import KafkaEventLog

    with closing(KafkaEventLog([shared_broker().servers], namespace=namespace, chained=False)) as log:
        log.append([Record("tocsin.pages", "acme", random_id(), "PageDefined", 1, bytes(8), b"x")])
    refused(migrate(folder, target), "was not carried over")


def test_a_folder_in_use_is_refused(folder: Path, target: str) -> None:
    story = Story(folder)
    try:
        refused(migrate(folder, target), "is in use by another process")
        assert "would carry over" in done(migrate(folder, target, "--dry-run")), "that only reads"
    finally:
        story.close()


def test_a_folder_that_was_killed_must_be_started_once_more(folder: Path, target: str) -> None:
    with closing(SqliteEventLog(folder)) as log:
        log.append([Record("tocsin.pages", "acme", random_id(), "PageDefined", 1, bytes(8), b"x")])
    refused(migrate(folder, target), "start the server on this folder once")


def test_a_redis_with_the_state_of_another_log_is_refused(
    folder: Path, target: str, namespace: str, redis_url: str
) -> None:
    from streams.runtime.redis_store import RedisStateStore
    from streams.runtime.state_store import Changes

    with closing(RedisStateStore(redis_url, namespace)) as store:
        store.commit("pages", ("tocsin.pages", 3), 0, 17, Changes())
    refused(migrate(folder, target, "--redis", redis_url), "Redis holds what pages folded")


def test_nobody_listens(folder: Path) -> None:
    refused(migrate(folder, "kafka://127.0.0.1:1/", "--dry-run"), "the same command goes on where this one stopped")


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("tocsin-data", "kafka://127.0.0.1:9092/"),
        ("sqlite:nowhere", "kafka://127.0.0.1:9092/"),
        ("sqlite:{folder}", "127.0.0.1:9092"),
        ("sqlite:{folder}", "kafka://127.0.0.1/"),
        ("sqlite:{folder}", "kafka://127.0.0.1:9092/a b"),
        ("sqlite:{folder}", "kafka://127.0.0.1:9092/" + "x" * 65),
    ],
)
def test_mistakes_in_its_use(folder: Path, source: str, target: str) -> None:
    words = ["migrate", "--from", source.format(folder=folder), "--to", target]
    assert CliRunner().invoke(app, words).exit_code == 2
