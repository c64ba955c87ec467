"""The webhook channel: signs a JSON body after Standard Webhooks and posts it to a guarded address, once.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md: the id is constant over all
attempts, the timestamp is the attempt's, only 2xx is success, redirects are not followed, 410 ends the subscription.
"""

import base64
import hmac
import json
import secrets
import ssl
from ipaddress import ip_network
from typing import Annotated

import httpx
from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError

from consumers.delivery.channel import AddressError, Capabilities, ConfirmBy, Message
from consumers.delivery.classify import classify_http
from consumers.delivery.context import ChannelContext
from consumers.delivery.net.guard import Guard
from consumers.delivery.net.post import TIMEOUT, Answer, Poster
from consumers.delivery.net.url import UrlError, checked_url
from consumers.delivery.outcome import Outcome, Rejected, Scope, Sent
from consumers.delivery.rates import Destination, Limits
from consumers.delivery.render.payload import payload_of
from consumers.delivery.settings import ChannelSettings, setting
from consumers.delivery.slots import most_in_hand
from schemas.vocabulary import Kind

CLAIM = 100
_SECRET_BYTES = 32


class WebhookSettings(ChannelSettings, frozen=True):
    """``channels.webhook``. Its own networks may be reached on any port."""

    allow_networks: Annotated[
        tuple[Annotated[str, setting("an IP network such as 10.0.0.0/8", check=ip_network)], ...],
        setting(None, "Private networks that webhooks may reach; public addresses are always allowed."),
    ] = ()


class WebhookChannel:
    """Signed JSON over HTTP. The id of a notification is its idempotency key."""

    capabilities = Capabilities(
        name="webhook",
        title="Webhook",
        address_field="webhook",
        address_hint="https://example.com/hooks/status",
        idempotent=True,
        own_servers=True,
        confirm_by=ConfirmBy.CHALLENGE,
        claim=CLAIM,
        limits=Limits(counts_by=Destination.HOST),
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
        self._poster = Poster(guard, connections=most_in_hand(CLAIM), timeout=timeout, tls=tls)

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
            headers, body = self._request(message)
        except UrlError as error:
            return Rejected(Scope.RECIPIENT, str(error))
        except (ValueError, EmptyWebhookSecretError):  # not base64, or nothing at all
            return Rejected(Scope.RECIPIENT, "the signing secret is not usable")
        answer = await self._poster.post(url, headers, body)
        return self._judged(message, answer) if isinstance(answer, Answer) else answer

    async def close(self) -> None:
        await self._poster.close()

    def _request(self, message: Message) -> tuple[dict[str, str], bytes]:
        """Return headers and body; raises ValueError and EmptyWebhookSecretError for a secret that signs nothing."""
        body = payload_of(message)
        now = self._now()
        # The library replaces a datetime's zone instead of converting it: it must be given UTC.
        signature = Webhook(message.endpoint.secret).sign(message.notification, now, body.decode())
        return {
            "content-type": "application/json",
            "webhook-id": message.notification,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signature,
        }, body

    def _judged(self, message: Message, answer: Answer) -> Outcome:
        outcome = classify_http(
            answer.status,
            now=self._now(),
            retry_after=answer.retry_after,
            # A subscriber's own server refuses this message; it has no say over the channel of all others.
            access=Scope.MESSAGE,
        )
        if not isinstance(outcome, Sent):
            return outcome
        if message.notice.kind is Kind.CONFIRMATION and not _echoed(answer.body, message.token):
            return Rejected(Scope.RECIPIENT, "the challenge was not echoed")
        return Sent(reply=answer.body)


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


def guard_of(settings: WebhookSettings) -> Guard:
    """Return the guard that lets through what the settings allow."""
    return Guard([ip_network(network) for network in settings.allow_networks])


def webhook_channel(settings: WebhookSettings, context: ChannelContext) -> WebhookChannel:
    """Make the channel from its settings."""
    return WebhookChannel(guard_of(settings), context)
