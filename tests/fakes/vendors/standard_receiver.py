"""A customer's receiver of webhooks as Standard Webhooks wants it: it verifies with the standard's own library, and knows an id again.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md. What else a receiver may do to us
(challenges, floods, TLS) is ``tests.fakes.webhook``'s.
"""

from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

from tests.fakes.vendors.http import Reply, Request

HOOK = "/hooks/status"
_MOST_BYTES = 20_000


class StandardReceiver:
    """Takes ``messages``, by their ids: one that comes again under an id is there once."""

    def __init__(self, secret: str) -> None:
        self.messages: dict[str, dict[str, Any]] = {}
        self._webhook = Webhook(secret)

    def complaint(self, request: Request) -> str | None:
        if (request.method, request.target) != ("POST", HOOK):
            return "there is nothing at this address"
        if request.headers.get("content-type") != "application/json" or len(request.raw) > _MOST_BYTES:
            return "expected application/json of at most 20 kB"
        try:
            self._webhook.verify(request.raw, request.headers)
        except WebhookVerificationError as error:
            return str(error)
        return None if set(request.json) == {"type", "timestamp", "data"} else "expected type, timestamp, data"

    def invalid(self, request: Request, complaint: str) -> Reply:
        return Reply(400, body=complaint.encode())

    def accept(self, request: Request) -> Reply:
        self.messages[request.headers["webhook-id"]] = request.json
        return Reply(200, body=b"taken")
