"""Runs one real Redis on this machine, with the settings that Tocsin needs; it knows nothing of keys."""

import signal
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.child import HOST, Child, free_port
from deploy.debian import program

SETTINGS = Path(__file__).parent / "redis.conf"


class Redis:
    """One Redis whose data lies in ``folder``; the same object can be stopped and started again."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        """Raises PartUnavailableError where there is no redis-server and none can be fetched."""
        self._folder = folder
        self.port = port or free_port()
        self._program = program("redis-server")
        self._child = Child("Redis", self.port, folder / "redis.log", self._answers)

    @property
    def url(self) -> str:
        """The address for clients."""
        return f"redis://{HOST}:{self.port}/0"

    def start(self) -> Self:
        """Start it and return when it has read its data; raises PartFailedError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        where = ["--bind", HOST, "--port", str(self.port), "--dir", str(self._folder)]
        self._child.start([str(self._program), str(SETTINGS), *where])
        return self

    def stop(self) -> None:
        """Stop it in good order, by force if it does not."""
        self._child.end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        self._child.end(signal.SIGKILL)

    def wait(self) -> int:
        """Wait until it ends and return its exit code."""
        return self._child.wait()

    def _answers(self) -> bool:
        # While it reads its data it takes connections and answers LOADING.
        with socket.create_connection((HOST, self.port)) as asked:
            asked.sendall(b"PING\r\n")
            return asked.recv(64).startswith(b"+PONG")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
