"""Runs one real Apicurio Registry on this machine; it knows nothing of schemas."""

import signal
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from deploy.child import HOST, Child, free_port
from deploy.registry.archive import fetch

# The first-tier compiler only: a registry for tests lives for a minute, and its cores are shared.
_JAVA = ("-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true")


class Registry:
    """One registry whose data lies in ``folder``; the same object can be stopped and started again."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        """Raises PartUnavailableError where there is no Java, or no Maven to fetch the registry with."""
        self._folder = folder
        self.port = port or free_port()
        self._jar = fetch()
        self._child = Child("Apicurio Registry", self.port, folder / "registry.log", self._answers)

    @property
    def url(self) -> str:
        """The address of its Confluent-compatible API."""
        return f"http://{HOST}:{self.port}/apis/ccompat/v7"

    def start(self) -> Self:
        """Start it and return when it answers; raises PartFailedError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        settings = {
            "quarkus.http.host": HOST,
            "quarkus.http.port": str(self.port),
            "quarkus.log.level": "WARN",
            "apicurio.datasource.url": f"jdbc:h2:file:{self._folder.resolve()}/schemas",
        }
        given = [f"-D{name}={value}" for name, value in settings.items()]
        self._child.start(["java", *_JAVA, *given, "-jar", str(self._jar)])
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
        try:
            return httpx.get(f"{self.url}/subjects").status_code == 200
        except httpx.TransportError:
            return False

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
