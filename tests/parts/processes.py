"""Programs run beside the tests: started, waited for, stopped. It must not know which programs they are."""

import os
import signal
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx

from deploy import child

T = TypeVar("T")

PATIENCE = 120.0
"""Seconds after which a condition is taken to be never true. Far more than is needed: it ends a hang, it measures nothing."""


def free_port() -> int:
    """Return a TCP port of the loopback interface that nobody listens on at the moment, and no connection will take."""
    return child.free_port()


def rest(waited: float) -> None:
    """Pause between two looks, the longer the more seconds were ``waited``: looking takes time from what is waited for."""
    time.sleep(min(max(waited / 10, 0.02), 0.5))


def wait_for(what: str, look: Callable[[], T | None], *, patience: float = PATIENCE) -> T:
    """Return what ``look`` finds, asking until it is neither None nor False; fails naming ``what`` after ``patience`` s."""
    begun = time.monotonic()
    while (waited := time.monotonic() - begun) < patience:
        found = look()
        if found is not None and found is not False:
            return found
        rest(waited)
    raise AssertionError(f"{what}: not within {patience:.0f} s")


# One client, for no TLS and without connections that outlive an answer: a client for each question, with the world's
# certificates, costs more than what is asked, and whoever waits asks again and again.
_asking = httpx.Client(
    verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
)


def ask(url: str, **options: Any) -> httpx.Response:
    """Return the answer of a server on this machine to a GET; takes what ``httpx.get`` takes and raises what it raises."""
    return _asking.get(url, **options)


def answers(url: str) -> bool:
    """Whether a GET of ``url`` is answered with 200."""
    try:
        return ask(url).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def running(
    command: Sequence[str | Path], *, ready: str, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block ends; the block begins once a GET of the URL ``ready`` is answered with 200.

    What the program prints goes to the file ``log``, whose end is part of the error if the program does not come up.
    It is asked to stop with SIGTERM, together with what it started, and killed if it does not.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_until_ready(process, ready, log)
        yield process
    finally:
        _stop(process)


def _wait_until_ready(process: subprocess.Popen[bytes], ready: str, log: Path) -> None:
    def look() -> bool:
        if process.poll() is not None:
            raise AssertionError(f"it ended with {process.returncode} before it was ready:\n{_end_of(log)}")
        return answers(ready)

    try:
        wait_for(f"an answer from {ready}", look)
    except AssertionError as error:
        raise AssertionError(f"{process.args!r}: {error}\n{_end_of(log)}") from None


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _end_of(log: Path) -> str:
    return "\n".join(log.read_text("utf-8", "replace").splitlines()[-40:])
