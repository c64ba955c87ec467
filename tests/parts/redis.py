"""A real Redis of a test's own; its port is the system's choice, its data the test's folder."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.parts.need import need


@contextmanager
def redis_server(folder: Path) -> Iterator[int]:
    """Run a Redis that takes connections, and give its port."""
    program = need("redis-server")
    port = _free_port()
    command = [str(program), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    with (folder / "redis.log").open("ab") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        _wait_until_open(process, port)
        yield port
    finally:
        process.terminate()
        process.wait()


def _wait_until_open(process: "subprocess.Popen[bytes]", port: int) -> None:
    for _ in range(300):
        try:
            raise AssertionError(f"redis-server ended with {process.wait(timeout=0.05)}")
        except subprocess.TimeoutExpired:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
    raise AssertionError("redis-server did not open its port")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
