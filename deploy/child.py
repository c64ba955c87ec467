"""Runs one server as a child process on this machine, and ends it by its own pid; it knows no particular server."""

import atexit
import secrets
import signal
import socket
import subprocess
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from deploy.errors import PartFailedError

HOST = "127.0.0.1"
_PORTS = range(10_000, 32_768)
"""None that a system gives to connections by itself (Linux from 32768 on): one might, before a server binds its port again."""
_MOST_MARKS = 200
_marks: deque[socket.socket] = deque()
_START_SECONDS = 90
_STOP_SECONDS = 30


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on, and that no other process is given by this.

    A server takes seconds until it listens, and whoever looks meanwhile finds its port free. So each is marked by a UDP
    socket of the same number, as long as this process lives or until it has been given many others.
    """
    while True:
        port = secrets.choice(_PORTS)
        with suppress(OSError), socket.socket() as probe, ExitStack() as undo:
            mark = undo.enter_context(socket.socket(type=socket.SOCK_DGRAM))
            mark.bind((HOST, port))
            probe.bind((HOST, port))
            undo.pop_all()
            _keep(mark)
            return port


def _keep(mark: socket.socket) -> None:
    _marks.append(mark)
    if len(_marks) > _MOST_MARKS:
        _marks.popleft().close()


@atexit.register
def _unmark() -> None:
    while _marks:
        _marks.popleft().close()


class Child:
    """A server that listens on one port of the loopback interface and prints into ``log``.

    ``ready`` says whether it does its work, where an open port does not say so yet.
    """

    def __init__(self, name: str, port: int, log: Path, ready: Callable[[], bool] = lambda: True) -> None:
        self._name = name
        self._port = port
        self._log = log
        self._ready = ready
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, command: Sequence[str]) -> None:
        """Start the server in the folder of its log and return when it is ready; raises PartFailedError."""
        if self._is_open():
            raise PartFailedError(f"{self._name} cannot start: something listens on {HOST}:{self._port} already")
        with self._log.open("ab") as out:
            self._process = subprocess.Popen(command, stdout=out, stderr=out, cwd=self._log.parent)
        self._wait_until_ready(self._process)

    def wait(self) -> int:
        """Wait until the server ends and return its exit code."""
        return 0 if self._process is None else self._process.wait()

    def end(self, how: signal.Signals) -> None:
        """Send the signal and wait; what does not end within half a minute is killed."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(how)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def send(self, what: signal.Signals) -> None:
        """Send a signal that does not end it (SIGSTOP, SIGCONT)."""
        assert self._process is not None, f"{self._name} does not run"
        self._process.send_signal(what)

    def _wait_until_ready(self, process: "subprocess.Popen[bytes]") -> None:
        for _ in range(_START_SECONDS * 10):
            try:
                code = process.wait(timeout=0.1)
            except subprocess.TimeoutExpired:
                if self._is_open() and self._ready():
                    return
            else:
                raise PartFailedError(f"{self._name} ended with {code}:\n{self._tail()}")
        self.end(signal.SIGKILL)
        raise PartFailedError(f"{self._name} was not ready within {_START_SECONDS} s:\n{self._tail()}")

    def _is_open(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((HOST, self._port)) == 0

    def _tail(self) -> str:
        return self._log.read_text("utf-8", "replace")[-3000:]
