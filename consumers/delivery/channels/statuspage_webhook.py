"""The webhook channel for receivers that were written for Atlassian Statuspage: its body, our road.

It sends as ``webhook`` does, but unsigned, and nobody is asked for a challenge, since Statuspage knows neither. The notification's id
stands in the header ``webhook-id``, the update's in the body; both are the same over all attempts.
"""

import ssl

from consumers.delivery.channel import Capabilities, ConfirmBy, Message
from consumers.delivery.channels.webhook import CLAIM, WebhookChannel, WebhookSettings, guard_of
from consumers.delivery.context import ChannelContext
from consumers.delivery.net.guard import Guard
from consumers.delivery.outcome import Outcome, Rejected, Scope
from consumers.delivery.rates import Destination, Limits
from consumers.delivery.render.statuspage import body_of
from schemas.vocabulary import Kind

TIMEOUT = 30.0
"""Seconds: what Statuspage gives its receivers."""


class StatuspageWebhookSettings(WebhookSettings, frozen=True):
    """``channels.statuspage_webhook``."""


class StatuspageWebhookChannel(WebhookChannel):
    """Statuspage's JSON over HTTP. A receiver knows a repetition by the update's id."""

    capabilities = Capabilities(
        name="statuspage_webhook",
        title="Webhook in Statuspage's format",
        address_field="statuspage_webhook",
        address_hint="https://example.com/hooks/statuspage",
        idempotent=True,
        own_servers=True,
        confirm_by=ConfirmBy.OPERATOR,
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
        super().__init__(guard, context, timeout=timeout, tls=tls)
        self._page = context.page

    async def send(self, message: Message) -> Outcome:
        if message.notice.kind not in (Kind.INCIDENT, Kind.MAINTENANCE):
            return Rejected(Scope.MESSAGE, "Statuspage's webhooks have no words for this")
        return await super().send(message)

    def _request(self, message: Message) -> tuple[dict[str, str], bytes]:
        headers = {"content-type": "application/json", "webhook-id": message.notification}
        return headers, body_of(message, self._page)


def statuspage_webhook_channel(
    settings: StatuspageWebhookSettings, context: ChannelContext
) -> StatuspageWebhookChannel:
    """Make the channel from its settings."""
    return StatuspageWebhookChannel(guard_of(settings), context)
