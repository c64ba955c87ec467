"""The installed ``tocsin`` command on a folder and a port of its own: started, asked, stopped, killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, TypeAlias

import httpx
import yaml

from tests.parts.processes import PATIENCE, answers, free_port, wait_for

COMMAND = Path(sys.executable).with_name("tocsin")
PAGE = "acme"
TOKENS = {"ops": "ops-secret", "lead": "lead-secret"}
EXAMPLE = "example.yaml"


def example() -> str:
    """Return the packaged example configuration."""
    return (files("tocsin") / "data" / EXAMPLE).read_text("utf-8")


def example_with(**changes: Any) -> str:
    """Return the example with some of its top-level keys changed: a mapping is merged, all else is replaced."""
    page = yaml.safe_load(example())
    for key, value in changes.items():
        page[key] = {**page[key], **value} if isinstance(value, dict) else value
    return yaml.safe_dump(page)


class Program(Protocol):
    """A running process, as ``subprocess`` has it."""

    def poll(self) -> int | None:
        """Return its exit code, None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return its exit code."""

    def send_signal(self, sig: int) -> None:
        """Send it a signal."""

    def kill(self) -> None:
        """End it with SIGKILL."""


Spawn: TypeAlias = Callable[[Sequence[str | Path], Mapping[str, str], Path], Program]
"""Starts a command in an environment; what it prints goes to a file."""


def spawn(command: Sequence[str | Path], environment: Mapping[str, str], log: Path) -> Program:
    """Start a command as anybody would."""
    with log.open("wb") as output:
        return subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )


class Tocsin:
    """One installation. Use it as a context manager; it may be stopped, killed and started again within."""

    def __init__(
        self,
        folder: Path,
        configuration: str,
        environment: Mapping[str, str] | None = None,
        spawned: Spawn = spawn,
    ) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._config = folder / "tocsin.yaml"
        self._config.write_text(configuration, "utf-8")
        self._environment = {**os.environ, "PAGE_URL": self.url, **(environment or {})}
        self._spawn = spawned
        self._process: Program | None = None
        self._lives = 0
        self.http = httpx.Client(base_url=self.url, timeout=30)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
        self.http.close()

    # --- its life ---

    def launch(self, **environment: str) -> None:
        """Start the process and do not wait for it."""
        self._lives += 1
        folder: Sequence[str | Path] = ["--config", self._config, "--data", self.data]
        command = [COMMAND, "up", *folder, "--port", str(self.port)]
        self._process = self._spawn(command, self._environment | environment, self.log)

    def start(self, **environment: str) -> None:
        """Start the process and wait until it is ready."""
        self.launch(**environment)
        wait_for(f"{self.url}/readyz", self._is_ready)

    def _is_ready(self) -> bool:
        if not self.is_alive:
            raise AssertionError(f"tocsin ended before it was ready:\n{self.printed()}")
        return answers(f"{self.url}/readyz")

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The present process, where it was started as usual."""
        assert isinstance(self._process, subprocess.Popen), "there is one, and nobody forged it"
        return self._process.pid

    @property
    def log(self) -> Path:
        """What the present process prints."""
        return self.folder / f"tocsin.{self._lives}.log"

    def printed(self) -> str:
        """Return the end of what the present process printed."""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-40:])

    def stop(self) -> int:
        """Ask it to stop, as a service manager does, and return its exit code."""
        if self._process is None:
            return 0
        if self.is_alive:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(PATIENCE)
        finally:
            self.kill()

    def kill(self) -> None:
        """End it with no chance to clean up."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def restart(self) -> None:
        """Stop it and start it again on the same folder."""
        assert self.stop() == 0, self.printed()
        self.start()

    # --- what is asked of it ---

    def post(self, path: str, document: Any = None, *, by: str | None = None, **headers: str) -> httpx.Response:
        """POST JSON to a path of the page's API, as an operator or as anybody."""
        return self.http.post(self._path(path), json=document, headers=self._headers(by) | headers)

    def get(self, path: str, *, by: str | None = "ops", **params: str | int) -> Any:
        """Return the JSON of a path of the page's API."""
        answer = self.http.get(self._path(path), params=params, headers=self._headers(by))
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def ingest(self, source: str, document: Any, token: str) -> httpx.Response:
        """POST what a monitor posts."""
        headers = {"Authorization": f"Bearer {token}"}
        return self.http.post(f"/ingest/{PAGE}/{source}", json=document, headers=headers)

    def events(self) -> list[dict[str, Any]]:
        """Return the whole audit log."""
        return self._pages("events", "events")

    def deliveries(self, incident: str) -> list[dict[str, Any]]:
        """Return what became of an incident's or maintenance's notifications."""
        return self._pages(f"incidents/{incident}/deliveries", "deliveries")

    def incidents(self) -> list[dict[str, Any]]:
        """Return all incidents, as the public sees them."""
        return self._pages("incidents", "incidents", by=None)

    def run(self, *words: str | Path) -> tuple[int, str]:
        """Run another command of the installation to its end; return its exit code and what it printed."""
        log = self.folder / "command.log"
        code = self._spawn([COMMAND, *words], self._environment, log).wait(PATIENCE)
        return code, log.read_text("utf-8", "replace")

    def _pages(self, path: str, name: str, by: str | None = "ops") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            answer = self.get(path, by=by, after=cursor, limit=1000 if name == "events" else 100)
            found += answer[name]
            cursor = answer["next"]
        return found

    @staticmethod
    def _path(path: str) -> str:
        return f"/api/v1/pages/{PAGE}/{path}"

    @staticmethod
    def _headers(by: str | None) -> dict[str, str]:
        return {} if by is None else {"Authorization": f"Bearer {TOKENS[by]}"}
