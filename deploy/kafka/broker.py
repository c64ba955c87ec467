"""Runs one real Kafka node as a child process on this machine: starts, stops and kills it by its own pid."""

import os
import signal
import socket
import subprocess
from base64 import urlsafe_b64encode
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

from deploy.kafka import jars

HOST = "127.0.0.1"
_START_SECONDS = 90
_STOP_SECONDS = 30
# The first-tier compiler only: a broker for tests lives for a minute, and its cores are shared.
_JAVA = ("-Xms192m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true")
_LOGGING = ("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dlog4j2.level=OFF")


class BrokerError(RuntimeError):
    """The node did not start or died; the message holds the end of its log."""


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


class Broker:
    """One Kafka node whose data lies in ``folder``; the same object can be stopped and started again."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self._folder = folder
        self.port = port or free_port()
        self._controller = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._libs = jars.fetch()

    @property
    def servers(self) -> str:
        """The bootstrap address for clients."""
        return f"{HOST}:{self.port}"

    @property
    def log_file(self) -> Path:
        """What the node printed."""
        return self._folder / "server.log"

    def start(self) -> Self:
        """Format the data folder if it is new, start the node, and return when it takes connections."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._properties.write_text(self._render(), "utf-8")
        if not (self._folder / "data" / "meta.properties").exists():
            self._format()
        with self.log_file.open("ab") as out:
            command = self._java("kafka.Kafka", str(self._properties))
            self._process = subprocess.Popen(command, stdout=out, stderr=out, cwd=self._folder)
        self._wait_until_open()
        return self

    def stop(self) -> None:
        """Stop the node in good order, by force if it does not."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the node at once (SIGKILL)."""
        self._end(signal.SIGKILL)

    def wait(self) -> int:
        """Wait until the node ends and return its exit code."""
        return 0 if self._process is None else self._process.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def _properties(self) -> Path:
        return self._folder / "server.properties"

    def _render(self) -> str:
        ports = {
            "listeners": f"PLAINTEXT://{self.servers},CONTROLLER://{HOST}:{self._controller}",
            "advertised.listeners": f"PLAINTEXT://{self.servers}",
            "controller.quorum.voters": f"1@{HOST}:{self._controller}",
            "log.dirs": str(self._folder / "data"),
        }
        lines = [f"{name}={value}" for name, value in ports.items()]
        return (jars.HERE / "server.properties").read_text("utf-8") + "\n".join(lines) + "\n"

    def _java(self, main: str, *arguments: str) -> list[str]:
        return ["java", *_JAVA, *_LOGGING, "-cp", f"{self._libs}{os.sep}*", main, *arguments]

    def _format(self) -> None:
        cluster = urlsafe_b64encode(uuid4().bytes).decode().rstrip("=")
        command = self._java("kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self._properties))
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=self._folder)
        if done.returncode:
            raise BrokerError(f"the storage tool failed:\n{done.stdout}{done.stderr}")

    def _wait_until_open(self) -> None:
        assert self._process is not None
        for _ in range(_START_SECONDS * 10):
            try:
                code = self._process.wait(timeout=0.1)
            except subprocess.TimeoutExpired:
                if self._is_open():
                    return
            else:
                raise BrokerError(f"Kafka ended with {code}:\n{self._tail()}")
        self.kill()
        raise BrokerError(f"Kafka did not open its port in {_START_SECONDS} s:\n{self._tail()}")

    def _is_open(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((HOST, self.port)) == 0

    def _tail(self) -> str:
        return self.log_file.read_text("utf-8", "replace")[-3000:]

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(how)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
