"""The same installation on Kafka and Redis: an api, a streams worker and a sender for each channel, as processes.

It looks like ``Tocsin`` to a test. The distributed engine answers a monitor before the folds have seen its alert, so a
write here returns once all of them have: what a test reads next is what it would read of the embedded engine.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import yaml

from schemas.ids import random_id
from tests.parts.processes import PATIENCE, answers, ask, free_port, wait_for
from tests.parts.tocsin import COMMAND, Program, Spawn, Tocsin, spawn

Role: TypeAlias = tuple[str, ...]
API: Role = ("api",)
STREAMS: Role = ("streams",)
CHANNELS: tuple[Role, ...] = (("delivery", "email"), ("delivery", "webhook"))
ROLES: tuple[Role, ...] = (STREAMS, *CHANNELS, API)
_LAG = re.compile(r'^tocsin_stage_lag_records\{stage="[^"]*"\} (\S+)$', re.MULTILINE)


class Fleet(Tocsin):
    """One installation of several processes over a Kafka and a Redis that are there already."""

    def __init__(
        self,
        folder: Path,
        configuration: str,
        environment: Mapping[str, str] | None,
        servers: str,
        redis: str,
        roles: Sequence[Role] = ROLES,
        spawned: Spawn = spawn,
    ) -> None:
        page = yaml.safe_load(configuration)
        page["engine"] = {"kafka": servers, "redis": redis, "namespace": f"{random_id()}."}
        secret = {"TOCSIN_MASTER_KEY": random_id() + random_id()}
        super().__init__(folder, yaml.safe_dump(page), {**(environment or {}), **secret}, spawned)
        self._ports: dict[Role, int] = {role: self.port if role == API else free_port() for role in roles}
        self._workers: dict[Role, Program] = {}

    # --- its life ---

    def launch(self, **environment: str) -> None:
        self._lives += 1
        for role in self._ports:
            self._workers[role] = self._start(role, environment)
        self._process = self._workers[API]

    def start(self, **environment: str) -> None:
        self.launch(**environment)
        for role, port in self._ports.items():
            wait_for(f"{role} is ready", lambda role=role, port=port: self._role_is_ready(role, port))  # type: ignore[misc]
        self.settle()

    def _start(self, role: Role, environment: Mapping[str, str]) -> Program:
        command: Sequence[str | Path] = [
            COMMAND,
            "worker",
            *role,
            "--config",
            self._config,
            "--port",
            str(self._ports[role]),
        ]
        return self._spawn(command, {**self._environment, **environment}, self._log_of(role))

    def _role_is_ready(self, role: Role, port: int) -> bool:
        if self._workers[role].poll() is not None:
            raise AssertionError(f"{role} ended before it was ready:\n{self._tail(role)}")
        return answers(f"http://127.0.0.1:{port}/readyz")

    def _log_of(self, role: Role) -> Path:
        return self.folder / f"{'-'.join(role)}.{self._lives}.log"

    def _tail(self, role: Role) -> str:
        return "\n".join(self._log_of(role).read_text("utf-8", "replace").splitlines()[-40:])

    def printed(self) -> str:
        return "\n".join(f"--- {role}\n{self._tail(role)}" for role in self._ports)

    def stop(self) -> int:
        codes = []
        for worker in self._workers.values():
            if worker.poll() is None:
                worker.send_signal(15)
        try:
            codes = [worker.wait(PATIENCE) for worker in self._workers.values()]
        finally:
            self.kill()
        return max(codes, key=abs, default=0)

    def kill(self) -> None:
        for worker in self._workers.values():
            worker.kill()
            worker.wait()

    # --- what is asked of it ---

    def settle(self) -> None:
        """Return when everything on the log is folded, by the workers and by what the api follows."""
        wait_for("every fold to come to the end of the log", self._is_settled)

    def _is_settled(self) -> bool:
        for role, worker in self._workers.items():
            assert worker.poll() is None, f"{role} ended with {worker.poll()}:\n{self._tail(role)}"
        ports = (self._ports[STREAMS], self._ports[API])
        texts = [ask(f"http://127.0.0.1:{port}/metrics", timeout=30).text for port in ports]
        lags = [[float(lag) for lag in _LAG.findall(text)] for text in texts]
        return all(lags) and not any(map(sum, lags))

    def run(self, *words: str | Path) -> tuple[int, str]:
        """Run a command that reads a data folder: here the configuration says where the log lies."""
        named: dict[str | Path, str | Path] = {"--data": "--config", self.data: self._config}
        return super().run(*(named.get(word, word) for word in words))

    def post(self, path: str, document: Any = None, *, by: str | None = None, **headers: str) -> httpx.Response:
        answer = super().post(path, document, by=by, **headers)
        self.settle()
        return answer

    def ingest(self, source: str, document: Any, token: str) -> httpx.Response:
        answer = super().ingest(source, document, token)
        self.settle()
        return answer
