"""What docker-compose.yml says of Kafka, Redis and the registry, done by the real programs in the images' own way."""

import os
import shlex
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from deploy.child import HOST, Child, free_port
from deploy.kafka import jars
from deploy.kafka.broker import java
from deploy.redis.server import SETTINGS
from deploy.registry import archive
from tests.deploy.test_compose import SERVICES
from tests.parts.kafka import new_broker
from tests.parts.need import need
from tests.parts.registry import new_registry

START = "kafka.docker.KafkaDockerWrapper"
"""What the image's entrypoint runs: it joins the mounted file and the environment and formats the data folder."""

INFRASTRUCTURE_NAMES = ("kafka", "redis", "0.0.0.0")


def here(text: str, ports: dict[str, int]) -> str:
    """Return ``text`` as it must read on this machine: the services' names are its loopback address."""
    for name in INFRASTRUCTURE_NAMES:
        text = text.replace(f"{name}:", f"{HOST}:")
    for inside, port in ports.items():
        text = text.replace(f":{inside}", f":{port}")
    return text


def kafka_environment(folder: Path, port: int) -> dict[str, str]:
    ports = {"9092": port, "9093": free_port()}
    given = {name: here(value, ports) for name, value in SERVICES["kafka"]["environment"].items()}
    return given | {"KAFKA_LOG_DIRS": str(folder / "data")}


def set_up(folder: Path, environment: dict[str, str]) -> Path:
    """Do what the image does before it starts Kafka; return the settings that come of it."""
    ways = ("default", "mounted", "final")
    for way in ways:
        (folder / way).mkdir()
    shutil.copy(jars.HERE / "server.properties", folder / "mounted")
    command = java(jars.fetch(), START, "setup", *(f"--{way}-configs-dir={folder / way}" for way in ways))
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "final" / "server.properties"


def test_the_names_of_services_are_replaced_in_addresses_only() -> None:
    assert here("PLAINTEXT://kafka:9092", {"9092": 1}) == f"PLAINTEXT://{HOST}:1"
    assert here("kafkasql", {}) == "kafkasql"


@pytest.mark.kafka
@pytest.mark.slow
def test_kafka_starts_as_composed_and_the_registry_keeps_its_schemas_there(tmp_path: Path) -> None:
    new_broker(tmp_path)
    new_registry(tmp_path)
    port = free_port()
    settings = set_up(tmp_path, kafka_environment(tmp_path, port))
    assert "auto.create.topics.enable=false" in settings.read_text("utf-8")
    assert "heap" not in settings.read_text("utf-8").lower()

    kafka = Child("Kafka", port, tmp_path / "kafka.log")
    kafka.start(java(jars.fetch(), "kafka.Kafka", str(settings)))
    try:
        registry_is_healthy_in_its_own_words(tmp_path, port)
    finally:
        kafka.end(signal.SIGKILL)
    topics = {path.name.rsplit("-", 1)[0] for path in (tmp_path / "data").glob("kafkasql-*")}
    assert "kafkasql-journal" in topics


def registry_is_healthy_in_its_own_words(folder: Path, kafka: int) -> None:
    """Start the registry with what is composed, and run its health check as it stands there, until it says yes."""
    service, port = SERVICES["registry"], free_port()
    given = {name: here(value, {"9092": kafka}) for name, value in service["environment"].items()}
    given["QUARKUS_HTTP_PORT"] = str(port)
    check = [word.replace("/8080", f"/{port}") for word in service["healthcheck"]["test"][1:]]

    def healthy() -> bool:
        return subprocess.run(check, capture_output=True, check=False).returncode == 0

    assert not healthy()
    words = [f"{name}={shlex.quote(value)}" for name, value in given.items()]
    command = " ".join(["exec", "env", *words, "java", "-Xmx384m", "-jar", shlex.quote(str(archive.fetch()))])
    registry = Child("Apicurio Registry", port, folder / "registry.log", healthy)
    try:
        registry.start(["sh", "-c", command])
    finally:
        registry.end(signal.SIGKILL)


@pytest.mark.redis
def test_redis_starts_as_composed(tmp_path: Path) -> None:
    program, port = need("redis-server"), free_port()
    [_, settings, *words] = SERVICES["redis"]["command"]
    moved = {settings: str(SETTINGS), "/data": str(tmp_path), "6379": str(port), "0.0.0.0": HOST}
    redis = Child("Redis", port, tmp_path / "redis.log")
    redis.start([str(program), *(moved.get(word, word) for word in (settings, *words))])
    try:
        with socket.create_connection((HOST, port)) as connection:
            connection.sendall(b"set bell tocsin\r\n")
            assert connection.recv(64) == b"+OK\r\n"
        assert any((tmp_path / "appendonlydir").iterdir())
    finally:
        redis.end(signal.SIGKILL)
