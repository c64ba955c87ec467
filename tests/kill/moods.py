"""A mail server and a receiver of webhooks that are slow and out of sorts, each by a seed of its own."""

from random import Random
from typing import Any, Protocol

import h11

from tests.fakes import smtp, webhook
from tests.kill.evidence import Receipt

_SHORTEST, _LONGEST = 0.05, 0.5


class Outside(Protocol):
    """Those who are told, as they see it."""

    def endpoint(self, number: int) -> dict[str, str]:
        """Return the address of a subscriber, as a sign-up names it."""

    def receipts(self) -> list[Receipt]:
        """Return what reached them, in order."""

    def complaints(self) -> list[str]:
        """Return what was wrong with it."""

    def calm_down(self) -> None:
        """Be quick and friendly from now on."""


class MoodyMailServer(smtp.FakeSmtpServer):
    """Takes 50 to 500 ms for a mail, now and then refuses for the moment, and drops connections after DATA."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._mood = Random(seed)
        self._calm = False

    def next_action(self, phase: str) -> smtp.Action | None:
        if self._calm:
            return None
        chance, seconds = self._mood.random(), self._mood.uniform(_SHORTEST, _LONGEST)
        match phase:
            case "RCPT" if chance < 0.04:
                return smtp.Refuse("451 4.3.0 try again later")
            case "CONTENT" if chance < 0.02:
                return smtp.Drop()
            case "END" if chance < 0.04:
                return smtp.Refuse("452 4.3.1 out of space for now")
            case "END" if chance < 0.08:
                return smtp.Drop(keep=chance < 0.06)
            case "END":
                # Half of them are accepted long before the answer: who dies in between cannot know.
                return smtp.Delay(seconds, keep=chance < 0.54)
            case _:
                return None

    def endpoint(self, number: int) -> dict[str, str]:
        return {"email": f"reader-{number}@example.com"}

    def receipts(self) -> list[Receipt]:
        return [Receipt(mail.notification, mail.recipients[0]) for mail in list(self.mails)]

    def complaints(self) -> list[str]:
        return list(self.violations)

    def calm_down(self) -> None:
        self._calm = True


class MoodyReceiver(webhook.FakeWebhookReceiver):
    """Takes 50 to 500 ms for a request, now and then says 503, and resets connections when it has read all."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._mood = Random(seed)
        self._calm = False
        self._swallowed: set[int] = set()

    def _received(self, request: h11.Request, body: bytes) -> webhook.Action:
        if not self._calm:
            self.script(self._next(), times=1)
        action = super()._received(request, body)
        if isinstance(action, webhook.Reset):
            # It acted on what it read, though its answer never arrives.
            self._swallowed.add(len(self.deliveries) - 1)
        return action

    def _next(self) -> webhook.Action:
        chance, seconds = self._mood.random(), self._mood.uniform(_SHORTEST, _LONGEST)
        if chance < 0.05:
            return webhook.Reply(503, {"Retry-After": "1"})
        if chance < 0.1:
            return webhook.Reset()
        return webhook.Reply(204, delay=seconds)

    def endpoint(self, number: int) -> dict[str, str]:
        return {"webhook": f"{self.url}/{number}"}

    def receipts(self) -> list[Receipt]:
        return [
            Receipt(delivery.id, delivery.target)
            for number, delivery in enumerate(list(self.deliveries))
            if delivery.accepted or number in self._swallowed
        ]

    def complaints(self) -> list[str]:
        return list(self.violations)

    def calm_down(self) -> None:
        self._calm = True


def outside_for(channel: str, seed: int) -> Any:
    """Return those who are told by this channel."""
    return MoodyMailServer(seed) if channel == "email" else MoodyReceiver(seed)
