"""Bodies as Alertmanager posts them: distinct alerts of one service in three regions. It sends nothing."""

from collections.abc import Iterator
from typing import Any

import orjson

BATCH = 100
"""Alerts in a body."""
_REGIONS = ("eu", "us", "ap")
_ENDLESS = "0001-01-01T00:00:00Z"


def alert(number: int, *, ends_at: str = _ENDLESS) -> dict[str, Any]:
    """Return one alert; each number is another instance."""
    return {
        "status": "firing" if ends_at == _ENDLESS else "resolved",
        "labels": {
            "alertname": "HighErrorRate",
            "service": "api",
            "region": _REGIONS[number % len(_REGIONS)],
            "severity": "critical",
            "cluster": "prod-1",
            "job": "api-gateway",
            "instance": f"10.0.{number // 256 % 256}.{number % 256}:9100",
            "shard": str(number),
        },
        "annotations": {
            "summary": f"Error rate above 5 % on shard {number}",
            "description": "More than 5 % of the requests failed over the last five minutes.",
            "runbook_url": "https://runbooks.example.com/api/error-rate",
        },
        "startsAt": "2026-11-22T02:47:26.123Z",
        "endsAt": ends_at,
        "generatorURL": "http://prometheus.example.com/graph?g0.expr=errors",
        "fingerprint": f"{number:016x}",
    }


def webhook(numbers: range, *, ends_at: str = _ENDLESS) -> bytes:
    """Return the body of one webhook (version 4)."""
    return orjson.dumps(
        {
            "version": "4",
            "groupKey": '{}:{alertname="HighErrorRate"}',
            "truncatedAlerts": 0,
            "status": "firing" if ends_at == _ENDLESS else "resolved",
            "receiver": "tocsin",
            "groupLabels": {"alertname": "HighErrorRate"},
            "commonLabels": {},
            "commonAnnotations": {},
            "externalURL": "http://alertmanager.example.com",
            "alerts": [alert(number, ends_at=ends_at) for number in numbers],
        }
    )


def postable(numbers: range) -> bytes:
    """Return the same alerts as Alertmanager's own API takes them (v2)."""
    kept = ("labels", "annotations", "generatorURL")
    return orjson.dumps([{name: alert(number)[name] for name in kept} for number in numbers])


def batches(first: int, count: int) -> Iterator[range]:
    """Yield the numbers of ``count`` bodies."""
    for index in range(first, first + count):
        yield range(index * BATCH, (index + 1) * BATCH)
