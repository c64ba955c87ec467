"""The webhook channel: signs a JSON body after Standard Webhooks and posts it to a guarded address, once.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md: the id is constant over all
attempts, the timestamp is the attempt's, only 2xx is success, redirects are not followed, 410 ends the subscription.
"""

import asyncio
import base64
import hmac
import json
import secrets
import ssl
from collections.abc import Mapping
from contextlib import aclosing
from ipaddress import ip_network
from typing import Annotated, Any

import httpx
from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError

from consumers.delivery.channel import AddressError, Capabilities, ConfirmBy, Message
from consumers.delivery.classify import classify_http
from consumers.delivery.context import ChannelContext
from consumers.delivery.net.guard import Guard, RefusedAddressError
from consumers.delivery.net.http import guarded_client
from consumers.delivery.net.url import UrlError, checked_url
from consumers.delivery.outcome import InDoubt, Outcome, Rejected, Retry, Scope, Sent
from consumers.delivery.render.payload import payload_of
from consumers.delivery.settings import ChannelSettings, setting
from schemas.vocabulary import Kind

TIMEOUT = 15.0
"""Seconds for one attempt, from resolving the name to the end of the answer."""
ANSWER_LIMIT = 64 * 1024
"""Bytes of an answer that are read."""
CONNECTIONS = 100
_SECRET_BYTES = 32


class WebhookSettings(ChannelSettings, frozen=True):
    """``channels.webhook``. Its own networks may be reached on any port."""

    allow_networks: Annotated[
        tuple[Annotated[str, setting("an IP network such as 10.0.0.0/8", check=ip_network)], ...],
        setting(None, "Private networks that webhooks may reach; public addresses are always allowed."),
    ] = ()


class _Attempt:
    """What is known of one request while it is under way."""

    def __init__(self) -> None:
        self.left = False
        self.status: int | None = None
        self.retry_after: str | None = None
        self.reply = b""

    async def trace(self, event: str, _info: Mapping[str, Any]) -> None:
        """Note (httpcore's trace extension) that the body began to leave: before that no server can act on it."""
        if event == "http11.send_request_body.started":
            self.left = True


class WebhookChannel:
    """Signed JSON over HTTP. The id of a notification is its idempotency key."""

    capabilities = Capabilities(
        name="webhook",
        title="Webhook",
        address_field="webhook",
        address_hint="https://example.com/hooks/status",
        idempotent=True,
        confirm_by=ConfirmBy.CHALLENGE,
        claim=CONNECTIONS,
    )

    def __init__(
        self,
        guard: Guard,
        context: ChannelContext,
        *,
        timeout: float = TIMEOUT,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._guard = guard
        self._now = context.now
        self._timeout = timeout
        self._client = guarded_client(guard, connections=CONNECTIONS, context=tls)

    def validate(self, address: str) -> str:
        """Return the URL in its normal form; raises AddressError. Names are resolved, and checked, at each sending."""
        try:
            return str(checked_url(address, self._guard))
        except UrlError as error:
            raise AddressError(str(error)) from None

    def mask(self, address: str) -> str:
        """Show the host only: paths and queries of webhooks are secrets."""
        url = httpx.URL(address)
        return f"{url.scheme}://{url.netloc.decode('ascii').rpartition('@')[2]}/…"

    async def send(self, message: Message) -> Outcome:
        try:
            url = checked_url(message.endpoint.address, self._guard)
            headers, body = self._signed(message)
        except UrlError as error:
            return Rejected(Scope.RECIPIENT, str(error))
        except (ValueError, EmptyWebhookSecretError):  # not base64, or nothing at all
            return Rejected(Scope.RECIPIENT, "the signing secret is not usable")
        attempt = _Attempt()
        failure = await self._post(attempt, url, headers, body)
        return failure if failure is not None else self._judged(message, attempt)

    async def close(self) -> None:
        await self._client.aclose()

    def _signed(self, message: Message) -> tuple[dict[str, str], bytes]:
        body = payload_of(message)
        now = self._now()
        # The library replaces a datetime's zone instead of converting it: it must be given UTC.
        signature = Webhook(message.endpoint.secret).sign(message.notification, now, body.decode())
        return {
            "accept-encoding": "identity",
            "content-type": "application/json",
            "user-agent": "Tocsin",
            "webhook-id": message.notification,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signature,
        }, body

    async def _post(self, attempt: _Attempt, url: httpx.URL, headers: dict[str, str], body: bytes) -> Outcome | None:
        """Post once and fill ``attempt``; return an outcome only if there was no answer."""
        try:
            async with asyncio.timeout(self._timeout):
                await self._exchange(attempt, url, headers, body)
        except RefusedAddressError as error:
            return Rejected(Scope.RECIPIENT, str(error))
        except (httpx.HTTPError, httpx.StreamError, TimeoutError) as error:
            if attempt.status is not None:
                return None  # the verdict came, the rest of the answer did not
            what = "no answer" if isinstance(error, TimeoutError) else "the connection broke"
            return InDoubt(f"{what} after the request had left") if attempt.left else Retry("no connection")
        return None

    async def _exchange(self, attempt: _Attempt, url: httpx.URL, headers: dict[str, str], body: bytes) -> None:
        request = self._client.build_request(
            "POST", url, headers=headers, content=body, timeout=self._timeout, extensions={"trace": attempt.trace}
        )
        response = await self._client.send(request, stream=True)
        async with aclosing(response):
            attempt.status = response.status_code
            attempt.retry_after = response.headers.get("retry-after")
            async for part in response.aiter_raw():
                attempt.reply += part[: ANSWER_LIMIT - len(attempt.reply)]
                if len(attempt.reply) >= ANSWER_LIMIT:
                    return

    def _judged(self, message: Message, attempt: _Attempt) -> Outcome:
        assert attempt.status is not None
        outcome = classify_http(
            attempt.status,
            now=self._now(),
            retry_after=attempt.retry_after,
            # A subscriber's own server refuses this message; it has no say over the channel of all others.
            access=Scope.MESSAGE,
        )
        if not isinstance(outcome, Sent):
            return outcome
        if message.notice.kind is Kind.CONFIRMATION and not _echoed(attempt.reply, message.token):
            return Rejected(Scope.RECIPIENT, "the challenge was not echoed")
        return Sent(reply=attempt.reply)


def new_secret() -> str:
    """Return a new signing secret: ``whsec_`` and 32 random bytes in base64 (the standard asks for 24 to 64)."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode("ascii")


def _echoed(reply: bytes, token: str) -> bool:
    """Whether the answer is the token, plain or as ``{"challenge": token}``; an empty token is never echoed."""
    try:
        text = reply.decode().strip()
        said = json.loads(text) if text[:1] in {"{", '"'} else text
    except (ValueError, RecursionError):
        return False
    if isinstance(said, dict):
        said = said.get("challenge")
    return bool(token) and isinstance(said, str) and hmac.compare_digest(said.encode(errors="replace"), token.encode())


def webhook_channel(settings: WebhookSettings, context: ChannelContext) -> WebhookChannel:
    """Make the channel from its settings."""
    return WebhookChannel(Guard([ip_network(network) for network in settings.allow_networks]), context)
