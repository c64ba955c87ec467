"""From the webhook to the durable event, over HTTP, with every projection caught up when the clock is stopped.

Bare loop, Tocsin and Alertmanager take turns, round by round, because machines are not equally quick all the time;
what is reported is the median of the rounds.
"""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from statistics import median

from bench import bare
from bench.measure import Metric, at_least, noted
from bench.programs import TOKEN, alertmanager, folder, tocsin
from bench.webhooks import BATCH, batches, postable, webhook
from streams.log.sqlite import FILE_NAME

ROUNDS = 5
BODIES = 60
"""Bodies in a round."""
CONNECTIONS = 4
SINGLES = 1_000
"""Posts of one alert each: how Alertmanager's 2,100 alerts a second over one connection came about."""
_BEHIND = "select min(position) <= (select max(seq) from log) from positions where place = 0"


def run() -> Iterator[Metric]:
    """Measure."""
    with folder() as place, tocsin(place) as port, alertmanager(place) as other:
        rounds = [_round(place, port, other, turn) for turn in range(ROUNDS + 1)][1:]  # the first warms up
    loop, table, one, many, theirs, singly = (median(rates) for rates in zip(*rounds, strict=True))
    durable = "alerts durable and folded"
    yield at_least("ingest", f"{durable}, {CONNECTIONS} connections", many, "alerts/s", loop, 0.5)
    yield noted("ingest", f"{durable}, 1 connection", one, "alerts/s", loop)
    yield noted("ingest", f"{durable}, 1 connection, to the bare loop into SQLite", one, "alerts/s", table)
    yield at_least("ingest", f"{durable}, 1 connection, to Alertmanager's one a post", one, "alerts/s", singly, 4)
    yield noted("ingest", f"{durable}, 1 connection, to Alertmanager's {BATCH} a post", one, "alerts/s", theirs)


def _round(place: Path, port: int, other: int, turn: int) -> tuple[float, ...]:
    """Return alerts a second: the bare loop into a file and into a table, Tocsin with one and with many connections, Alertmanager in both manners."""
    bodies = [webhook(numbers) for numbers in batches(2 * turn * BODIES, 2 * BODIES)]
    singly = [postable(range(number, number + 1)) for number in range(turn * SINGLES, (turn + 1) * SINGLES)]
    grouped = [postable(numbers) for numbers in batches(turn * BODIES + 1_000, BODIES)]
    seconds = (
        bare.ingest(bodies[:BODIES], place / "bare"),
        bare.ingest_table(bodies[:BODIES], place / "bare.db"),
        _ours(place, port, bodies[:BODIES], 1),
        _ours(place, port, bodies[BODIES:], CONNECTIONS),
        _theirs(other, grouped),
    )
    return (*(BODIES * BATCH / each for each in seconds), SINGLES / _theirs(other, singly))


def _ours(place: Path, port: int, bodies: Sequence[bytes], connections: int) -> float:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    shares = [bodies[start::connections] for start in range(connections)]
    file = sqlite3.connect(f"{(place / 'data' / FILE_NAME).as_uri()}?mode=ro", uri=True)
    start = time.perf_counter()
    with ThreadPoolExecutor(connections) as pool:
        for done in [pool.submit(_post, port, "/ingest/acme/prom", headers, share) for share in shares]:
            done.result()
    while file.execute(_BEHIND).fetchone()[0]:
        time.sleep(0.002)
    spent = time.perf_counter() - start
    file.close()
    return spent


def _theirs(port: int, bodies: Sequence[bytes]) -> float:
    start = time.perf_counter()
    _post(port, "/api/v2/alerts", {"Content-Type": "application/json"}, bodies)
    return time.perf_counter() - start


def _post(port: int, path: str, headers: dict[str, str], bodies: Sequence[bytes]) -> None:
    connection = HTTPConnection("127.0.0.1", port)
    for body in bodies:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        said = answer.read()
        if answer.status not in {200, 202}:
            raise RuntimeError(f"{path} answered {answer.status}: {said[:200]!r}")
    connection.close()
