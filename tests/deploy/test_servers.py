"""``make kafka`` and ``make redis`` run real servers whose data outlives them, and the lack of a part is loud."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest

from deploy.child import free_port
from deploy.debian import program
from deploy.errors import PartFailedError, PartUnavailableError
from deploy.kafka import jars
from deploy.redis.server import Redis
from tests.parts.kafka import new_broker
from tests.parts.redis import new_redis

ROOT = Path(__file__).parents[2]


def ask(port: int, command: str) -> str:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(f"{command}\r\n".encode())
        return connection.recv(4096).decode()


def start(server: str, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", f"deploy.{server}", *arguments]
    return subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def end(process: "subprocess.Popen[str]", how: signal.Signals) -> int:
    process.send_signal(how)
    process.communicate(timeout=60)
    return process.returncode


@pytest.mark.redis
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_redis_in_the_foreground_keeps_what_it_was_told(tmp_path: Path, how: signal.Signals) -> None:
    new_redis(tmp_path)
    port = free_port()
    answers = []
    for command in ("set bell tocsin", "get bell"):
        process = start("redis", "--port", str(port), "--data", str(tmp_path / "data"))
        assert f"127.0.0.1:{port}" in first_line(process)
        answers.append(ask(port, command))
        assert end(process, how) == 0
    assert answers == ["+OK\r\n", "$6\r\ntocsin\r\n"]


@pytest.mark.redis
def test_what_redis_answered_survives_its_being_killed(tmp_path: Path) -> None:
    with new_redis(tmp_path) as redis:
        assert ask(redis.port, "set bell tocsin") == "+OK\r\n"
        redis.kill()
        redis.start()
        assert ask(redis.port, "get bell") == "$6\r\ntocsin\r\n"


@pytest.mark.redis
def test_redis_runs_with_the_settings_that_a_commit_needs(tmp_path: Path) -> None:
    with new_redis(tmp_path) as redis:
        found = [ask(redis.port, f"config get {name}").split()[-1] for name in ("appendonly", "appendfsync")]
        assert found == ["yes", "always"]
        assert "noeviction" in ask(redis.port, "config get maxmemory-policy")


@pytest.mark.redis
def test_a_port_that_is_taken_is_said_and_not_shared(tmp_path: Path) -> None:
    with (
        new_redis(tmp_path / "one") as first,
        pytest.raises(PartFailedError, match=f"listens on 127.0.0.1:{first.port}"),
    ):
        Redis(tmp_path / "two", first.port).start()


@pytest.mark.kafka
def test_a_kafka_in_the_foreground_is_the_same_cluster_after_a_restart(tmp_path: Path) -> None:
    new_broker(tmp_path)
    port = free_port()
    clusters = []
    for _ in range(2):
        process = start("kafka", "--port", str(port), "--data", str(tmp_path / "data"))
        assert f"127.0.0.1:{port}" in first_line(process)
        clusters.append((tmp_path / "data" / "data" / "meta.properties").read_text("utf-8"))
        assert end(process, signal.SIGTERM) == 0
    assert clusters[0] == clusters[1]


@pytest.mark.kafka
def test_a_cluster_id_that_begins_with_a_dash_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.kafka.broker.uuid4", lambda: UUID(bytes=b"\xfb" * 16))
    with new_broker(tmp_path) as broker:
        assert broker.servers
    assert "cluster.id=-" in (tmp_path / "data" / "meta.properties").read_text("utf-8")


@pytest.mark.kafka
@pytest.mark.parametrize(("missing", "present"), [("java", ("mvn",)), ("mvn", ("java",))])
def test_without_java_or_maven_it_says_which_is_missing(
    missing: str, present: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in present:
        (tmp_path / name).write_text("#!/bin/sh\nexit 1\n", "utf-8")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PartUnavailableError, match=f"no {missing}"):
        jars.fetch(tmp_path / "kafka" / "libs")


ASKS_FOR_KAFKA = """
from pathlib import Path
from tests.parts.kafka import new_broker

def test_something_with_a_broker(tmp_path: Path) -> None:
    new_broker(tmp_path)
"""


@pytest.mark.parametrize(("ci", "code"), [("", 0), ("true", 1)])
def test_a_run_without_java_says_loudly_what_it_left_out_and_ci_fails(tmp_path: Path, ci: str, code: int) -> None:
    written = tmp_path / "test_asks.py"
    written.write_text(ASKS_FOR_KAFKA, "utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "tests.conftest", str(written)]
    command += [f"--rootdir={tmp_path}", "-c", os.devnull]
    environment = {"PATH": str(tmp_path), "PYTHONPATH": str(ROOT), "CI": ci}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout
    assert "it needs Java 17 and Maven, and there is no java" in done.stdout
    assert ("1 TESTS DID NOT RUN" in done.stdout) == (code == 0)


def test_a_program_on_the_path_is_taken_from_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy("/bin/true", tmp_path / "promtool")
    monkeypatch.setenv("PATH", str(tmp_path))
    program.cache_clear()
    assert program("promtool") == tmp_path / "promtool"
    program.cache_clear()
