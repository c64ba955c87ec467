"""What SendGrid has of mails in doubt, by its Email Activity API: which are asked about together, and how often. It sends nothing.

https://www.twilio.com/docs/sendgrid/for-developers/sending-email/getting-started-email-activity-api: a paid addition, six requests
a minute. A mail is found by the argument that it was given (``notification``); the answer names addresses and no arguments, so
that no address is asked about twice with one request.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta
from time import monotonic
from typing import Any

from consumers.delivery.channel import Message
from consumers.delivery.net.sendgrid import SendGridApi
from consumers.delivery.outcome import Finding, Rejected, Retry, Scope, Sent, Unknown

TOGETHER = 25
"""Mails that one request asks about: a query of some two thousand characters."""
_REQUESTS, _SPAN = 6, 60.0
_NOT_THERE = Retry("SendGrid does not have it")
_LIMIT = 1_000
_FAILED = "not_delivered"


class SendGridActivity:
    """Asks for one process; ``clock`` is monotonic, in seconds."""

    def __init__(self, api: SendGridApi, clock: Callable[[], float] = monotonic) -> None:
        self._api = api
        self._clock = clock
        self._asked: deque[float] = deque(maxlen=_REQUESTS)

    async def find(self, mails: Sequence[tuple[Message, str]]) -> list[Finding]:
        """Return what became of messages, each to an address in ASCII, in their order; what is too much for now is put off."""
        found: dict[str, Finding] = {}
        waits = 0
        for group in _groups(mails):
            if self._may_ask():
                answer = await asyncio.to_thread(self._api.activity, _query(group), _LIMIT)
                found |= {message.notification: _finding(answer, message, to) for message, to in group}
                continue
            waits += 1
            after = timedelta(seconds=_SPAN / _REQUESTS * waits)
            found |= dict.fromkeys(
                (message.notification for message, _ in group), Unknown("SendGrid is asked six times a minute", after)
            )
        return [found[message.notification] for message, _ in mails]

    def _may_ask(self) -> bool:
        now = self._clock()
        if len(self._asked) == _REQUESTS and now - self._asked[0] < _SPAN:
            return False
        self._asked.append(now)
        return True


def _groups(mails: Sequence[tuple[Message, str]]) -> list[list[tuple[Message, str]]]:
    groups: list[tuple[list[tuple[Message, str]], set[str]]] = []
    for message, to in mails:
        address = to.lower()
        for group, addresses in groups:
            if len(group) < TOGETHER and address not in addresses:
                break
        else:
            group, addresses = [], set()
            groups.append((group, addresses))
        group.append((message, to))
        addresses.add(address)
    return [group for group, _ in groups]


def _query(group: Sequence[tuple[Message, str]]) -> str:
    """Return a query for these; ids are letters and digits, so that nothing in it need be escaped."""
    return " OR ".join(f"(unique_args['notification']=\"{message.notification}\")" for message, _ in group)


def _finding(answer: list[dict[str, Any]] | Unknown, message: Message, to: str) -> Finding:
    if isinstance(answer, Unknown):
        return answer
    mine = [one for one in answer if str(one.get("to_email", "")).lower() == to.lower()]
    if not mine and message.combinable:
        return Unknown("SendGrid may have it under another's id", final=True)
    if not mine:
        return _NOT_THERE
    if all(one.get("status") == _FAILED for one in mine):
        return Rejected(Scope.MESSAGE, "SendGrid could not deliver it")
    receipt = str(mine[0].get("msg_id", "")).partition(".")[0]
    return Sent(receipt if receipt.isascii() and receipt.isprintable() else "")
