"""From an alert to its first notification at the receiver: 100 alerts a second, each its own cell and incident.

Tocsin runs as a real process; the baseline is a real Alertmanager, told to group nothing and to wait for nothing, with
the same receiver. The time counts from when an alert was due to be posted until the whole notification has arrived.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import httpx
import orjson
import yaml

from bench.measure import Metric, at_most, noted, percentile
from bench.programs import alertmanager, folder, tocsin
from bench.receiver import Arrivals, Posting, Receiver, pace, probe

RATE = 100
SECONDS = 20
WARM_UP = 100
"""Alerts that are sent and not counted."""
COUNT = RATE * SECONDS + WARM_UP
_PATIENCE = 15.0
_GROUPS = 20
_TOKEN = "probe-source"
_OPERATOR = "probe-operator"


def run() -> Iterator[Metric]:
    """Measure."""
    with folder() as place:
        theirs = asyncio.run(_alertmanager(place))
        ours = asyncio.run(_tocsin(place))
    of = f"{RATE} alerts/s to the first notification"
    yield at_most("latency", f"{of}, p50", percentile(ours, 0.5), "ms", 20, percentile(theirs, 0.5))
    yield at_most("latency", f"{of}, p99", percentile(ours, 0.99), "ms", 75, percentile(theirs, 0.99))
    yield noted("latency", f"{of}, worst", max(ours), "ms", max(theirs))


async def _tocsin(place: Path) -> list[float]:
    with tocsin(place, page=yaml.safe_dump(page())) as port:
        return await probed(port)


async def probed(port: int) -> list[float]:
    """Post the alerts to a Tocsin that has ``page``; return the milliseconds of each behind the warm-up."""
    arrivals = Arrivals(COUNT)
    server = await asyncio.get_running_loop().create_server(lambda: Receiver(arrivals), "127.0.0.1", 0)
    _subscribe(port, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook")
    headers = ["Content-Type: application/json", f"Authorization: Bearer {_TOKEN}"]
    return await _measure(arrivals, Posting(port, "/ingest/probe/prom", headers), [_webhook(n) for n in range(COUNT)])


async def _alertmanager(place: Path) -> list[float]:
    arrivals = Arrivals(COUNT)
    server = await asyncio.get_running_loop().create_server(lambda: Receiver(arrivals), "127.0.0.1", 0)
    hook = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    route = {
        "receiver": "hook",
        "group_by": ["..."],
        "group_wait": "0s",
        "group_interval": "1h",
        "repeat_interval": "24h",
    }
    routes = {"route": route, "receivers": [{"name": "hook", "webhook_configs": [{"url": hook}]}]}
    with alertmanager(place, yaml.safe_dump(routes)) as port:
        posting = Posting(port, "/api/v2/alerts", ["Content-Type: application/json"])
        return await _measure(arrivals, posting, [orjson.dumps([_alert(n)]) for n in range(COUNT)])


async def _measure(arrivals: Arrivals, posting: Posting, bodies: Sequence[bytes]) -> list[float]:
    """Return the milliseconds of each alert behind the warm-up."""
    due = await pace(posting, bodies, RATE)
    with suppress(TimeoutError):
        await asyncio.wait_for(arrivals.all_came.wait(), _PATIENCE)
    posting.close()
    if missing := len(bodies) - len(arrivals.first):
        raise RuntimeError(f"{missing} of {len(bodies)} notifications did not come within {_PATIENCE:.0f} s")
    return [(arrivals.first[number] - due[number]) * 1_000 for number in range(WARM_UP, len(bodies))]


def _subscribe(port: int, hook: str) -> None:
    answer = httpx.post(
        f"http://127.0.0.1:{port}/api/v1/pages/probe/subscribers",
        json={"webhook": hook, "confirmed": True},
        headers={"Authorization": f"Bearer {_OPERATOR}"},
    )
    answer.raise_for_status()


def _alert(number: int) -> dict[str, object]:
    return {
        "labels": {"alertname": "Probe", "service": probe(number), "severity": "critical"},
        "annotations": {"summary": "Requests fail"},
        "generatorURL": "http://prometheus.example.com/graph",
    }


def _webhook(number: int) -> bytes:
    """Return what Alertmanager posts (webhook version 4)."""
    alert = _alert(number) | {
        "status": "firing", "startsAt": "2026-11-22T02:47:26.123Z", "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": f"{number:016x}",
    }  # fmt: skip
    return orjson.dumps({"version": "4", "groupKey": "{}", "status": "firing", "receiver": "t", "alerts": [alert]})


def page() -> dict[str, object]:
    """Return a configuration in which each probe has a component and a rule of its own."""
    groups = [
        {
            "id": f"group-{group}",
            "name": f"Group {group}",
            "components": [{"id": probe(n), "name": probe(n)} for n in range(group, COUNT, _GROUPS)],
        }
        for group in range(_GROUPS)
    ]
    rules = [
        {
            "id": probe(number),
            "match": {"labels": {"service": probe(number)}},
            "affects": {"component": probe(number)},
            "status": "partial_outage",
            "publish": "auto",
            "template": "probe",
        }
        for number in range(COUNT)
    ]
    return {
        "page": {"id": "probe", "name": "Probe", "url": "http://127.0.0.1:8080"},
        "components": groups,
        "sources": [{"id": "prom", "kind": "alertmanager", "token": _TOKEN}],
        "rules": rules,
        "templates": {
            "probe": {
                "title": "{{ component.name }} fails",
                "investigating": "Some requests fail. We will write again by {{ next_update }}.",
                "resolved": "It works again.",
            }
        },
        "channels": {"webhook": {"allow_networks": ["127.0.0.0/8"]}},
        "operators": [{"name": "probe", "role": "operator", "token": _OPERATOR}],
    }
