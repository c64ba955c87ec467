"""The programs that are measured, as real processes in a folder of their own: Tocsin's and Alertmanager."""

import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.resources import files
from pathlib import Path

from deploy.debian import program
from deploy.kafka.broker import Broker
from deploy.redis.server import Redis
from tests.parts.processes import free_port, running

TOKEN = "prom-secret"  # the example page's
_QUIET = """
route: {receiver: nobody, group_by: [alertname], group_wait: 1h, group_interval: 1h, repeat_interval: 24h}
receivers: [{name: nobody}]
"""


@contextmanager
def folder() -> Iterator[Path]:
    """Make a folder beside this checkout's parts: on a disk, where a sync means something, as ``/tmp`` may not be."""
    parent = Path(__file__).parents[1] / ".parts" / "bench"
    parent.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(dir=parent))
    try:
        yield path
    finally:
        shutil.rmtree(path)


@contextmanager
def tocsin(place: Path, ready: str = "/readyz", page: str | None = None) -> Iterator[int]:
    """Run ``tocsin up`` with ``page`` (None: the example) on ``place``/data; yield its port once ``ready`` is answered."""
    config = place / "tocsin.yaml"
    config.write_text(page or (files("tocsin") / "data" / "example.yaml").read_text("utf-8"), "utf-8")
    port = free_port()
    command: list[str | Path] = [Path(sys.executable).with_name("tocsin"), "up"]
    command += ["--config", config, "--data", place / "data", "--port", str(port)]
    with running(command, ready=f"http://127.0.0.1:{port}{ready}", log=place / "tocsin.log"):
        yield port


@contextmanager
def cluster(place: Path) -> Iterator[tuple[Broker, Redis]]:
    """Run a Kafka node and a Redis, each with the settings of ``deploy`` and its data in ``place``."""
    with Broker(place / "kafka") as broker, Redis(place / "redis") as redis:
        yield broker, redis


@contextmanager
def fleet(place: Path, page: str, roles: Sequence[Sequence[str]]) -> Iterator[int]:
    """Run a Kafka, a Redis and a worker of each role, "api" among them; yield its port once all of them are ready."""
    config = place / "tocsin.yaml"
    config.write_text(page, "utf-8")
    with cluster(place) as (broker, redis), ExitStack() as workers:
        environment = {
            "TOCSIN_KAFKA": broker.servers,
            "TOCSIN_REDIS": redis.url,
            "TOCSIN_MASTER_KEY": secrets.token_hex(32),
        }
        ports = {}
        for role in roles:
            name = "-".join(role)
            ports[name] = free_port()
            command: list[str | Path] = [Path(sys.executable).with_name("tocsin"), "worker", *role]
            command += ["--config", config, "--port", str(ports[name])]
            ready, log = f"http://127.0.0.1:{ports[name]}/readyz", place / f"{name}.log"
            workers.enter_context(running(command, ready=ready, log=log, environment=environment))
        yield ports["api"]


@contextmanager
def alertmanager(place: Path, routes: str = _QUIET) -> Iterator[int]:
    """Run Alertmanager, by default with nobody to notify; yield its port."""
    config = place / "alertmanager.yml"
    config.write_text(routes, "utf-8")
    port = free_port()
    command: list[str | Path] = [program("prometheus-alertmanager"), f"--config.file={config}"]
    command += [f"--storage.path={place / 'alertmanager'}", f"--web.listen-address=127.0.0.1:{port}"]
    command += ["--cluster.listen-address="]
    with running(command, ready=f"http://127.0.0.1:{port}/-/ready", log=place / "alertmanager.log"):
        yield port
