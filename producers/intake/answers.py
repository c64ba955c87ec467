"""How a receipt is said in each protocol that senders speak."""

from typing import Any

import orjson
from starlette.responses import Response

from producers.intake.intake import Receipt
from producers.sources.pagerduty_events import Reply

_JSON = "application/json"


def counts(receipt: Receipt) -> Response:
    """Answer 202 with Tocsin's own counts."""
    return Response(orjson.dumps(_counts(receipt)), 202, media_type=_JSON)


def alertmanager_api(_receipt: Receipt) -> Response:
    """Answer as Alertmanager's API v2 does: 200 and nothing. Its 400 would make Prometheus drop the whole batch."""
    return Response(status_code=200)


def pagerduty(receipt: Receipt, reply: Reply | None) -> Response:
    """Answer as the Events API v2 does. What was botched is kept, and its sender told so with a 202."""
    return Response(orjson.dumps(_pagerduty(receipt, reply)), 202, media_type=_JSON)


def pagerduty_counts(receipt: Receipt, reply: Reply | None) -> Response:
    """Answer with our counts beside the protocol's members, for the Events API v2 below an ingest URL."""
    return Response(orjson.dumps({**_counts(receipt), **_pagerduty(receipt, reply)}), 202, media_type=_JSON)


def _counts(receipt: Receipt) -> dict[str, Any]:
    return {
        "accepted": receipt.accepted,
        "ignored": receipt.ignored,
        "deadlettered": receipt.deadlettered,
        "events": receipt.events,
    }


def _pagerduty(receipt: Receipt, reply: Reply | None) -> dict[str, Any]:
    if reply is not None and not receipt.deadlettered:
        members: dict[str, Any] = orjson.loads(reply.body)
        return members
    reasons = "; ".join(receipt.problems)
    return {"status": "success", "message": f"Not understood, kept as a dead letter: {reasons}", "dedup_key": ""}
