"""The programs that are measured, as real processes in a folder of their own: ``tocsin up`` and Alertmanager."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from deploy.debian import program
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
