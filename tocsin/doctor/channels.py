"""How the channels stand: whether each sends, and what to do about what is in its way. Only those who send know it.

The embedded engine's senders are in the running server, which is asked; a fleet's say it in Redis.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from consumers.delivery.conditions import ChannelState
from consumers.web.ports import ChannelRow
from schemas.events import Micros
from tocsin.client import ApiClient, ClientError, UnreachableError, path_of
from tocsin.doctor.report import Finding, Found, Unseen

_PATIENCE: Micros = 60_000_000
"""What has waited for so long should have had a sender."""
_READ = "docs/operations.md, `At two in the morning`"
_ADVICE = {
    ChannelState.RESTING: f"mend what it was refused for; it is tried again by itself ({_READ})",
    ChannelState.PROBING: f"wait for the next attempt, which is one message ({_READ})",
    ChannelState.FAILOVER: f"nobody waits, but mend the provider that rests: the next has none behind it ({_READ})",
    ChannelState.HELD_BACK: f"wait, or raise delivery.limits where the vendor allows more ({_READ})",
}


class Asked(NamedTuple):
    """The server that is asked, and an operator's token."""

    server: str
    token: str | None


def channels_of_server(page: str, asked: Asked) -> Found:
    """Ask a running server. Whether there should be one is not known here, so that none answers is no finding."""
    if not asked.token:
        return Unseen("only the running server knows; give an operator's token (TOCSIN_TOKEN or --token)")
    try:
        with ApiClient(asked.server, asked.token) as client:
            rows = client.get(path_of("pages", page, "channels"))["channels"]
            return [found for row in rows for found in _findings(_row(row))]
    except UnreachableError as error:
        return Unseen(f"only the running server knows, and {error}; --server says where it is")
    except (ClientError, KeyError, TypeError, ValueError) as error:
        return Unseen(f"the server at {asked.server} did not tell: {error}")


def findings_of_channels(rows: Sequence[ChannelRow], now: Micros) -> list[Finding]:
    """Return what is in the way of each channel; that nobody sends is a finding where something has waited for it."""
    return [
        found
        for row in rows
        for found in _findings(_Row(row.name, row.state, row.summary, _waits(row.waiting_since, now)))
    ]


class _Row(NamedTuple):
    name: str
    state: str
    summary: str
    waits: bool


def _row(document: Any) -> _Row:
    # The server is one process: a channel that it does not send on is one that its configuration does not name.
    return _Row(str(document["name"]), str(document["state"]), str(document["summary"]), waits=True)


def _waits(since: Micros | None, now: Micros) -> bool:
    return since is not None and since + _PATIENCE < now


def _findings(row: _Row) -> list[Finding]:
    if row.state == ChannelState.UNATTENDED:
        advice = f"start `tocsin worker delivery {row.name}`"
        return [Finding(f"{row.summary}, and something waits for it", advice)] if row.waits else []
    state = next((state for state in _ADVICE if state == row.state), None)
    return [] if state is None else [Finding(row.summary, _ADVICE[state])]
