"""The rate of ``summary.json`` and of the page, from prepared bytes, beside the same server's rate for fixed bytes.

wrk loads both over kept-alive connections. They take turns, the one first and then the other, and the best rounds of
each count: what else runs on a machine can only slow a server down, here by half, and not always both of them.
"""

import base64
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean

import httpx
import msgspec

from bench.fixed import Answer
from bench.measure import Metric, at_least
from bench.programs import folder, tocsin
from deploy.debian import program
from tests.parts.processes import free_port, running

PATHS = {"/api/v2/summary.json": "summary.json", "/": "the page"}
ROUNDS = 10
BEST = 3
SECONDS = 1
CONNECTIONS = 16
_OF_THE_SERVER = {"date"}
"""Headers that the server adds to every answer by itself."""


def run() -> Iterator[Metric]:
    """Measure."""
    with folder() as place, tocsin(place) as port:
        answers = {path: _answer(port, path) for path in PATHS}
        with _fixed(place, answers) as bare:
            for path, name in PATHS.items():
                yield _compare(path, name, port, bare)


def _compare(path: str, name: str, port: int, bare: int) -> Metric:
    rounds = [_round(path, port, bare, turn) for turn in range(ROUNDS + 1)][1:]  # the first warms up
    ours, theirs = (fmean(sorted(rates)[-BEST:]) for rates in zip(*rounds, strict=True))
    return at_least("read", f"{name}, to fixed bytes", ours, "/s", theirs, 0.9)


def _round(path: str, port: int, bare: int, turn: int) -> tuple[float, float]:
    if turn % 2:
        theirs = _rate(bare, path)
        return _rate(port, path), theirs
    return _rate(port, path), _rate(bare, path)


def _answer(port: int, path: str) -> Answer:
    answer = httpx.get(f"http://127.0.0.1:{port}{path}", headers={"Accept-Encoding": "identity"})
    answer.raise_for_status()
    headers = [(key, value) for key, value in answer.headers.items() if key not in _OF_THE_SERVER]
    return Answer(headers, base64.b64encode(answer.content).decode())


@contextmanager
def _fixed(place: Path, answers: Mapping[str, Answer]) -> Iterator[int]:
    file, port = place / "answers.json", free_port()
    file.write_bytes(msgspec.json.encode(answers))
    command = [sys.executable, "-m", "bench.fixed", str(port), str(file)]
    with running(command, ready=f"http://127.0.0.1:{port}/", log=place / "fixed.log"):
        yield port


def _rate(port: int, path: str) -> float:
    """Return the answers a second that wrk counts; raises RuntimeError where some were not a 2xx."""
    load = ["-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", f"http://127.0.0.1:{port}{path}"]
    said = subprocess.run([program("wrk"), *load], capture_output=True, text=True, check=True).stdout
    found = re.search(r"Requests/sec: +([0-9.]+)", said)
    if found is None or "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(said)
    return float(found[1])
