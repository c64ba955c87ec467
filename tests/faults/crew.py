"""The workers of one installation as processes, and the supervisor that starts again whatever ends.

It knows how to end, pause and replace them; why that is done is the scheduler's matter.
"""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.parts.processes import answers, free_port, wait_for
from tests.parts.tocsin import COMMAND, Program, Spawn

CHANNELS = ("email", "webhook")
STREAMS = tuple(f"streams-{number}" for number in range(3))
SENDERS = {channel: tuple(f"{channel}-{number}" for number in range(2)) for channel in CHANNELS}
API = "api"
_WATCH_SECONDS = 0.1
_AGAIN_SECONDS = 1.0
_STOP_SECONDS = 60.0
_KILLED = -signal.SIGKILL


@dataclass
class Worker:
    """One place that is to be filled with a process while it is ``wanted``; ``doomed`` says that we end that process."""

    name: str
    words: tuple[str, ...]
    port: int = field(default_factory=free_port)
    wanted: bool = False
    doomed: bool = False
    lives: int = 0
    not_before: float = 0.0
    environment: Mapping[str, str] = field(default_factory=dict)
    process: Program | None = None

    @property
    def is_alive(self) -> bool:
        """Whether its process runs, or is paused."""
        return self.process is not None and self.process.poll() is None

    @property
    def is_ready(self) -> bool:
        """Whether it says so itself."""
        return self.is_alive and answers(f"http://127.0.0.1:{self.port}/readyz")


class Crew:
    """All workers of an installation. Use it as a context manager; at its end all are killed.

    ``ended`` counts by kind and exit code those that ended without being made to.
    """

    def __init__(self, folder: Path, configuration: Path, environment: Mapping[str, str], spawned: Spawn) -> None:
        self.ended: Counter[tuple[str, int]] = Counter()
        self.faults: list[str] = []
        self._folder = folder
        self._configuration = configuration
        self.environment = {**os.environ, **environment}
        self._spawn = spawned
        self._workers = {worker.name: worker for worker in _places()}
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, name="supervisor", daemon=True)

    def __enter__(self) -> "Crew":
        self._supervisor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._supervisor.join()
        for worker in self._workers.values():
            if worker.process is not None:
                worker.process.kill()

    def __getitem__(self, name: str) -> Worker:
        return self._workers[name]

    @property
    def api(self) -> str:
        """Where requests go."""
        return f"http://127.0.0.1:{self._workers[API].port}"

    @property
    def at_work(self) -> list[str]:
        """The names of those that are wanted."""
        return [worker.name for worker in self._workers.values() if worker.wanted]

    # --- as an operator ---

    def want(self, names: Sequence[str]) -> None:
        """Have these at work; the supervisor starts them."""
        for name in names:
            self._workers[name].wanted = True

    def wait_until_ready(self, names: Sequence[str]) -> None:
        """Return when all of these are ready."""
        for name in names:
            wait_for(f"{name} is ready", lambda name=name: self._workers[name].is_ready)  # type: ignore[misc]

    def dismiss(self, name: str) -> int:
        """Tell one to stop, as a deployment does, and return its exit code."""
        worker = self._workers[name]
        with self._lock:
            worker.wanted, process = False, worker.process
        if process is None:
            return 0
        process.send_signal(signal.SIGTERM)
        code = process.wait(_STOP_SECONDS)
        worker.process = None  # it did as it was told: nothing to note
        return code

    # --- as misfortune ---

    def kill(self, name: str) -> None:
        """End one with SIGKILL, wherever it is; the supervisor starts another."""
        worker = self._workers[name]
        with self._lock:
            worker.doomed, process = True, worker.process
        if process is not None:
            process.kill()

    def doom(self, name: str, environment: Mapping[str, str]) -> Program:
        """Replace one by a process that will end with SIGKILL by itself; it is started with ``environment``."""
        worker = self._workers[name]
        with self._lock:
            self.kill(name)
            self._start(worker, environment, doomed=True)
            assert worker.process is not None
            return worker.process

    def pause(self, name: str) -> None:
        """Take all processor time from one."""
        self._send(name, signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """Let it go on."""
        self._send(name, signal.SIGCONT)

    # --- what is known ---

    def printed(self, name: str, lines: int = 30) -> str:
        """Return the end of what the last processes of a worker printed."""
        logs = [self._log(name, life) for life in range(1, self._workers[name].lives + 1)][-2:]
        return "\n".join(
            f"--- {log.name}\n" + "\n".join(log.read_text("utf-8", "replace").splitlines()[-lines:]) for log in logs
        )

    # --- inside ---

    def _supervise(self) -> None:
        while not self._over.wait(_WATCH_SECONDS):
            for worker in self._workers.values():
                with self._lock:
                    self._look_after(worker)

    def _look_after(self, worker: Worker) -> None:
        if not worker.wanted or worker.is_alive:
            return
        if worker.process is not None:
            self._note(worker, worker.process.poll())
            worker.process, worker.not_before = None, time.monotonic() + _AGAIN_SECONDS
        if time.monotonic() >= worker.not_before:
            self._start(worker, {}, doomed=False)

    def _note(self, worker: Worker, code: int | None) -> None:
        if worker.doomed and code == _KILLED:
            return
        self.ended[worker.words[0], code or 0] += 1
        if code not in (1, 70):  # it could not begin, or met a fault: both are for a supervisor to mend
            self.faults.append(f"{worker.name} ended with {code}:\n{self.printed(worker.name)}")

    def _start(self, worker: Worker, environment: Mapping[str, str], *, doomed: bool) -> None:
        worker.lives += 1
        worker.doomed = doomed
        place = ("--config", self._configuration, "--port", str(worker.port))
        worker.process = self._spawn(
            [COMMAND, "worker", *worker.words, *place],
            {**self.environment, **environment},
            self._log(worker.name, worker.lives),
        )

    def _log(self, name: str, life: int) -> Path:
        return self._folder / f"{name}.{life}.log"

    def _send(self, name: str, what: signal.Signals) -> None:
        process = self._workers[name].process
        if process is not None:
            process.send_signal(what)


def _places() -> list[Worker]:
    senders = [Worker(name, ("delivery", channel)) for channel, names in SENDERS.items() for name in names]
    return [*(Worker(name, ("streams",)) for name in STREAMS), *senders, Worker(API, ("api",))]
