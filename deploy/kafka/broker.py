"""Runs one real Kafka node on this machine; it knows nothing of topics."""

import os
import signal
import subprocess
from base64 import urlsafe_b64encode
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

from deploy.child import HOST, Child, free_port
from deploy.errors import PartFailedError
from deploy.kafka import jars

# The first-tier compiler only: a broker for tests lives for a minute, and its cores are shared.
_JAVA = ("-Xms192m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true")
_LOGGING = ("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dlog4j2.level=OFF")


def java(libs: Path, main: str, *arguments: str) -> list[str]:
    """Return the command that runs a class of the jars in ``libs``."""
    return ["java", *_JAVA, *_LOGGING, "-cp", f"{libs}{os.sep}*", main, *arguments]


class Broker:
    """One Kafka node whose data lies in ``folder``; the same object can be stopped and started again."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self._folder = folder
        self.port = port or free_port()
        self._controller = free_port()
        self._libs = jars.fetch()
        self._child = Child("Kafka", self.port, self.log_file)

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
        self._child.start(java(self._libs, "kafka.Kafka", str(self._properties)))
        return self

    def stop(self) -> None:
        """Stop the node in good order, by force if it does not."""
        self._child.end(signal.SIGTERM)

    def kill(self) -> None:
        """End the node at once (SIGKILL)."""
        self._child.end(signal.SIGKILL)

    def wait(self) -> int:
        """Wait until the node ends and return its exit code."""
        return self._child.wait()

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

    def _format(self) -> None:
        cluster = urlsafe_b64encode(uuid4().bytes).decode().rstrip("=")
        # One word: an id may begin with a dash, and as a word of its own it would be read as an option.
        settings = [f"--cluster-id={cluster}", f"--config={self._properties}"]
        command = java(self._libs, "kafka.tools.StorageTool", "format", *settings)
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=self._folder)
        if done.returncode:
            raise PartFailedError(f"the storage tool failed:\n{done.stdout}{done.stderr}")
