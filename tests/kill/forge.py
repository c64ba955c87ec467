"""Starts the ``tocsin`` command again and again without loading its libraries each time: a process that forks itself.

The child runs the very entry point of the installed command, in an environment and with a log file of its own, and is
killed like any other process. Run as a module it is the process that forks; ``Forge`` speaks to it.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

LIBRARIES = ("tocsin.server", "tocsin.cli.app", "consumers.audit.check", "consumers.audit.verify")
"""What the commands of the embedded engine load."""
FLEET = (
    "tocsin.cli.app", "tocsin.cli.with_fleet", "tocsin.fleet.roles", "tocsin.fleet.streams", "tocsin.fleet.delivery",
    "tocsin.fleet.faces", "consumers.audit.fleet_check",
)  # fmt: skip
"""What the commands of the distributed engine load."""
_POLL = 0.01


class Forge:
    """Makes processes. Use it as a context manager; what still runs at its end is killed.

    ``libraries`` are modules to load once and for all.
    """

    def __init__(self, libraries: Sequence[str] = LIBRARIES) -> None:
        self._libraries = libraries

    def __enter__(self) -> Self:
        self._lock = threading.Lock()
        self._running: set[int] = set()
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.kill.forge", *self._libraries],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for pid in list(self._running):
            Forged(self, pid).kill()
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()

    def spawn(self, command: Sequence[str | Path], environment: Mapping[str, str], log: Path) -> "Forged":
        """Start ``command`` (a ``tests.parts.tocsin.Spawn``)."""
        pid = self._ask("spawn", [str(word) for word in command], dict(environment), str(log))
        self._running.add(pid)
        return Forged(self, pid)

    def code_of(self, pid: int) -> int | None:
        """Return the exit code of a process that ended, negative for a signal."""
        code: int | None = self._ask("poll", pid)
        if code is not None:
            self._running.discard(pid)
        return code

    def _ask(self, *words: Any) -> Any:
        with self._lock:
            assert self._server.stdin is not None
            assert self._server.stdout is not None
            self._server.stdin.write(f"{json.dumps(words)}\n")
            self._server.stdin.flush()
            return json.loads(self._server.stdout.readline())


class Forged:
    """A process that was made: a ``tests.parts.tocsin.Program``."""

    def __init__(self, forge: Forge, pid: int) -> None:
        self._forge = forge
        self._pid = pid
        self._code: int | None = None

    def poll(self) -> int | None:
        if self._code is None:
            self._code = self._forge.code_of(self._pid)
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        end = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if end is not None and time.monotonic() > end:
                raise subprocess.TimeoutExpired("tocsin", timeout or 0)
            time.sleep(_POLL)
        return code

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self._pid, sig)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)
        self.wait()


def serve() -> None:
    """Answer requests, a line of JSON each, until the input ends: then whoever asked is gone, and what was made goes too."""
    _load()
    ended: dict[int, int] = {}
    made: list[int] = []
    for line in sys.stdin:
        match json.loads(line):
            case ["spawn", command, environment, log]:
                made.append(_fork(command, environment, log))
                print(made[-1], flush=True)
            case ["poll", pid]:
                if pid not in ended:
                    done, status = os.waitpid(pid, os.WNOHANG)
                    if done:
                        ended[pid] = os.waitstatus_to_exitcode(status)
                print(json.dumps(ended.get(pid)), flush=True)
            case strange:
                raise ValueError(strange)
    for pid in set(made) - ended.keys():
        os.kill(pid, signal.SIGKILL)  # not yet waited for, so the number is still its own


def _load() -> None:
    for name in sys.argv[1:]:
        importlib.import_module(name)


def _fork(command: list[str], environment: dict[str, str], log: str) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = command
        code = _main()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _main() -> int:
    from tocsin.cli.app import main

    try:
        main()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0


if __name__ == "__main__":
    serve()
