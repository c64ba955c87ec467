"""The doctor before a real Kafka and a real Redis, with something wrong in each."""

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import redis
import yaml
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from consumers.delivery.conditions import Condition, Rest
from consumers.delivery.fleet_conditions import Crier
from schemas.ids import random_id
from streams.log.kafka.clients import settings
from streams.runtime.clock import system_clock
from streams.runtime.redis_bulletins import RedisBulletins
from streams.runtime.redis_client import redis_client
from tests.fakes.smtp import FakeSmtpServer
from tests.parts.kafka import shared_broker
from tests.parts.redis import new_redis
from tests.parts.tocsin import COMMAND, example

pytestmark = [pytest.mark.kafka, pytest.mark.redis, pytest.mark.slow]


class House:
    """A configuration, and the commands that are run with it."""

    def __init__(self, folder: Path, redis_url: str, smtp_url: str, **engine: Any) -> None:
        self.namespace = f"{random_id()}."
        self.servers = shared_broker().servers
        self._file = folder / "tocsin.yaml"
        page = yaml.safe_load(example())
        page["engine"] = {"kafka": self.servers, "redis": redis_url, "namespace": self.namespace, **engine}
        self._file.write_text(yaml.safe_dump(page), "utf-8")
        self.environment = {"TOCSIN_MASTER_KEY": random_id() + random_id(), "SMTP_URL": smtp_url}

    def run(self, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        command: list[str | Path] = [COMMAND, *words, "--config", self._file]
        everything = {**os.environ, **self.environment, **environment}
        return subprocess.run(command, env=everything, capture_output=True, text=True, check=False)

    def findings(self, **environment: str) -> dict[str, Any]:
        """Return the states of the checks, and all problems under ``problems``."""
        done = self.run("doctor", "--json", **environment)
        report = json.loads(done.stdout)
        assert done.returncode == (0 if report["ok"] else 1), done.stderr
        states = {check["check"]: check["state"] for check in report["checks"] if check["state"] != "ok"}
        return states | {"problems": [found["problem"] for check in report["checks"] for found in check["findings"]]}


class Says(NamedTuple):
    """A sender's word on how it stands."""

    said: Sequence[Condition]

    def all(self) -> Sequence[Condition]:
        return self.said


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with new_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server.url


@pytest.fixture
def house(tmp_path: Path, redis_url: str) -> Iterator[House]:
    with FakeSmtpServer() as mailbox:
        yield House(tmp_path, redis_url, mailbox.url)


def test_a_house_in_order_before_its_first_start_and_after(house: House) -> None:
    assert house.findings() == {"problems": []}
    applied = house.run("apply")
    assert (applied.returncode, applied.stdout.count("\n") > 5) == (0, True), applied.stderr
    assert house.run("apply").stdout == "nothing to change\n"
    assert house.findings() == {"problems": []}


def test_a_topic_that_forgets_and_a_redis_that_may(house: House, redis_url: str) -> None:
    assert house.run("apply").returncode == 0
    name = f"{house.namespace}tocsin.pages"
    with closing(KafkaAdminClient(**settings([house.servers]))) as admin:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, configs={"retention.ms": "3600000"})])
    with redis.Redis.from_url(redis_url) as client:
        client.config_set("appendfsync", "everysec")
        try:
            found = house.findings()
        finally:
            client.config_set("appendfsync", "always")
    assert found["topics"] == found["redis"] == "wrong"
    assert f"{name} has retention.ms 3600000; it must be -1" in found["problems"]
    assert any("appendfsync everysec" in problem for problem in found["problems"])
    assert (found["state"], found["keys"], found["clocks"]) == ("skipped",) * 3


def test_a_sender_that_says_that_its_channel_rests(house: House, redis_url: str) -> None:
    assert house.run("apply").returncode == 0
    now = system_clock()
    rest = Rest(now, now + 60_000_000, 2, "535 the password is wrong")
    with closing(redis_client(redis_url)) as client:
        bulletins = RedisBulletins(client, house.namespace)
        crier = Crier(bulletins, Says([Condition("email", now, (rest,)), Condition("webhook", now)]))
        crier.cry()
        found = house.findings()
        crier.leave()
    assert found["channels"] == "wrong"
    [problem] = found["problems"]
    assert problem.startswith("email rests; refused since")
    assert problem.endswith("535 the password is wrong")
    assert house.findings() == {"problems": []}


def test_another_master_key_and_too_few_brokers(tmp_path: Path, house: House, redis_url: str) -> None:
    assert house.run("apply").returncode == 0
    found = house.findings(TOCSIN_MASTER_KEY=random_id() + random_id())
    assert found == {"keys": "wrong", "problems": ["the master key does not open this key store"]}
    (tmp_path / "three").mkdir()
    three = House(tmp_path / "three", redis_url, house.environment["SMTP_URL"], replication=3)
    assert three.findings()["kafka"] == "wrong"


@pytest.mark.parametrize(
    ("words", "environment", "said"),
    [
        (("up",), {}, "has an engine section"),
        (("worker", "streams"), {"TOCSIN_MASTER_KEY": ""}, "TOCSIN_MASTER_KEY is not set"),
        (("worker", "delivery", "pigeon"), {}, "there is no channel 'pigeon'"),
        (("worker", "web"), {"TOCSIN_REDIS": "redis://:hidden@127.0.0.1:1/0"}, "engine.redis"),
    ],
)
def test_what_cannot_start_says_why(
    house: House, words: tuple[str, ...], environment: dict[str, str], said: str
) -> None:
    done = house.run(*words, **environment)
    assert done.returncode == 1
    assert said in done.stderr
    assert "hidden" not in done.stderr
    assert "Traceback" not in done.stderr
