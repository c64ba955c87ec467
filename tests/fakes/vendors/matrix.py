"""Every way in which a vendor can fail, tried on a channel and compared with a table of how each attempt must end.

>>> async with closing(SmokeChannel(...)) as channel:
...     await try_all(channel, message(address="..."), vendor, PROVIDER | {"410": "recipient"})

Two things are checked whatever the table says: one call of ``send`` is one request (an SDK that repeats by itself sends
twice), and what is called certainly not sent was not accepted, but for the ``risks`` that the test names.
"""

from collections.abc import Collection, Mapping
from contextlib import nullcontext
from datetime import timedelta
from typing import Any, assert_never

from consumers.delivery.channel import Channel, Message
from consumers.delivery.outcome import InDoubt, Outcome, Rejected, Retry, Sent
from tests.fakes.vendors.http import Hang, Misbehaviour, Reply, Reset, Truncate
from tests.fakes.vendors.server import VendorServer

_STATUSES = (400, 401, 402, 403, 404, 405, 408, 409, 410, 413, 415, 422, 429, 500, 501, 502, 503, 504)
REFUSED = "connection refused"
MISBEHAVIOURS: Mapping[str, Misbehaviour] = {
    **{str(status): Reply(status) for status in _STATUSES},
    "429 for 7 s": Reply(429, {"Retry-After": "7"}),
    "503 for 7 s": Reply(503, {"Retry-After": "7"}),
    "redirect": Reply(307, {"Location": "/elsewhere"}),
    "accepted, 500": Reply(500, accepts=True),
    "accepted, silence": Hang(),
    "accepted, reset": Reset(),
    "accepted, reset within the head": Reset(after=20),
    "accepted, closed": Reset(hard=False),
    "accepted, closed within the head": Reset(after=20, hard=False),
    "accepted, body cut": Truncate(),
    "silence": Hang(accepts=False),
    "reset": Reset(accepts=False),
    "another's page": Reply(200, {"content-type": "text/html"}, b"<html>Please log in to the network</html>"),
}
"""Each is done once. What is not said to be accepted is not."""

PROVIDER: dict[str, str] = {
    "well": "sent",
    # the message
    "400": "message", "413": "message", "415": "message", "422": "message", "501": "message",
    # our account, or our idea of where the provider is: no recipient must suffer for it
    "401": "channel", "402": "channel", "403": "channel", "404": "channel", "405": "channel", "410": "channel",
    "redirect": "channel",
    # not now
    "408": "retry", "409": "retry", "429": "retry", "429 for 7 s": "retry after 7 s",
    "500": "retry", "502": "retry", "503": "retry", "503 for 7 s": "retry after 7 s", "504": "retry",
    REFUSED: "retry",
    # nobody knows
    "accepted, 500": "retry", "accepted, silence": "in doubt", "accepted, reset": "in doubt",
    "accepted, reset within the head": "in doubt", "accepted, closed": "in doubt",
    "accepted, closed within the head": "in doubt", "accepted, body cut": "in doubt", "silence": "in doubt",
    "reset": "in doubt", "another's page": "in doubt",
}  # fmt: skip
"""How attempts at a provider's one address for all end, where there is no key that makes repeating harmless."""

HOOK: dict[str, str] = PROVIDER | {
    "401": "recipient", "403": "recipient", "404": "recipient", "405": "recipient", "410": "recipient",
    "402": "message", "redirect": "recipient",
}  # fmt: skip
"""The same where the address is a subscriber's own (an incoming webhook of a chat): what is wrong is wrong with it alone."""


async def try_all(
    channel: Channel,
    message: Message,
    vendor: VendorServer[Any],
    expected: Mapping[str, str] = PROVIDER,
    *,
    risks: Collection[str] = ("accepted, 500",),
    requests: Mapping[str, int] = {},
) -> None:
    """Send once well and once for each misbehaviour; AssertionError with every difference from ``expected``.

    The channel's timeout should be short, for it is waited for twice. ``risks`` are those at which it is known that a
    message may be sent twice, because the provider's answer cannot be told from a refusal. ``requests`` says how many come
    where it is not one (a session that is over asks for a new one).
    """
    differences = []
    for name in ("well", *MISBEHAVIOURS, REFUSED):
        differences += [
            f"{name}: {each}" for each in await _tried(channel, message, vendor, name, expected, risks, requests)
        ]
    unknown = set(expected) - {"well", *MISBEHAVIOURS, REFUSED}
    assert not unknown, f"there are no such misbehaviours: {unknown}"
    assert not differences, "\n".join(differences)


async def _tried(
    channel: Channel,
    message: Message,
    vendor: VendorServer[Any],
    name: str,
    expected: Mapping[str, str],
    risks: Collection[str],
    requests: Mapping[str, int],
) -> list[str]:
    came, accepted = len(vendor.requests), len(vendor.accepted)
    if name in MISBEHAVIOURS:
        vendor.misbehave(MISBEHAVIOURS[name])
    with vendor.refusing() if name == REFUSED else nullcontext():
        outcome = await channel.send(message)
    vendor.calm()
    found = []
    if word_of(outcome) != expected[name]:
        found.append(f"expected {expected[name]}, got {word_of(outcome)} ({outcome})")
    if len(vendor.requests) - came != requests.get(name, name != REFUSED):
        found.append(f"{len(vendor.requests) - came} requests came")
    if len(vendor.accepted) - accepted and isinstance(outcome, Retry | Rejected) and name not in risks:
        found.append("it was accepted and is called certainly not sent")
    if name not in risks and len(vendor.accepted) == accepted and isinstance(outcome, Sent):
        found.append("it was not accepted and is called sent")
    return found


def word_of(outcome: Outcome) -> str:
    """Return the word for an outcome in a table: a rejection is named by its scope, a wait in whole seconds."""
    match outcome:
        case Sent():
            return "sent"
        case Retry(after=None):
            return "retry"
        case Retry(after=after):
            assert after is not None
            return f"retry after {after // timedelta(seconds=1)} s"
        case Rejected(scope=scope):
            return str(scope.value)
        case InDoubt():
            return "in doubt"
        case _ as unreachable:
            assert_never(unreachable)
