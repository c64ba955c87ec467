"""The PagerDuty channel: an incident or maintenance becomes an alert at the subscriber's own service, and ends with it.

Events API v2 (https://developer.pagerduty.com/docs/send-alert-event). Its ``dedup_key`` makes everything about one subject one alert,
so that sending a message again does no harm.
"""

import re
import ssl
from datetime import timedelta
from typing import Annotated, Any

import httpx
import msgspec
import orjson

from consumers.delivery.channel import AddressError, Capabilities, ConfirmBy, Message
from consumers.delivery.classify import classify_http
from consumers.delivery.context import ChannelContext
from consumers.delivery.net.post import TIMEOUT, Answer, Poster, trusting
from consumers.delivery.net.url import checked_base
from consumers.delivery.outcome import InDoubt, Outcome, Rejected, Retry, Scope, Sent
from consumers.delivery.render.card import card_of, is_over
from consumers.delivery.render.text import cut_to
from consumers.delivery.render.words import moment, one_line
from consumers.delivery.settings import ChannelSettings, setting
from schemas.vocabulary import Impact, IncidentStatus, Kind

SUMMARY_LIMIT = 1024
CONNECTIONS = 32
PATIENCE = timedelta(minutes=2)
"""After a 429 that names no time: PagerDuty asks for a few minutes."""
_SEVERITIES = {Impact.NONE: "info", Impact.MINOR: "warning", Impact.MAJOR: "error", Impact.CRITICAL: "critical"}
_UNDERWAY = {IncidentStatus.IDENTIFIED, IncidentStatus.MONITORING}


class PagerDutySettings(ChannelSettings, frozen=True):
    """``channels.pagerduty``."""

    api: Annotated[
        str,
        setting(
            "an http or https URL without query",
            "Where the Events API is; https://events.eu.pagerduty.com for accounts in Europe.",
            check=checked_base,
        ),
    ] = "https://events.pagerduty.com"
    acknowledge: Annotated[
        bool,
        setting(
            None, "Whether updates that say that we work on it acknowledge the alert, so that it pages no further."
        ),
    ] = False


class _Taken(msgspec.Struct):
    dedup_key: str


class _Refused(msgspec.Struct):
    errors: list[str] = []


class PagerDutyChannel:
    """Events to PagerDuty. The address is the routing key of a service and as secret as a password."""

    capabilities = Capabilities(
        name="pagerduty",
        title="PagerDuty",
        address_field="pagerduty",
        address_hint="0123456789abcdef0123456789abcdef",
        idempotent=True,
        confirm_by=ConfirmBy.OPERATOR,
        claim=CONNECTIONS,
        threads=True,
    )

    def __init__(
        self,
        settings: PagerDutySettings,
        context: ChannelContext,
        *,
        timeout: float = TIMEOUT,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._now = context.now
        self._acknowledges = settings.acknowledge
        self._url = httpx.URL(f"{settings.api.rstrip('/')}/v2/enqueue")
        self._poster = Poster(trusting(), connections=CONNECTIONS, timeout=timeout, tls=tls)

    def validate(self, address: str) -> str:
        if not re.fullmatch(r"[0-9A-Za-z]{32}", address):
            raise AddressError("this is not a routing key: it has 32 letters and digits")
        return address

    def mask(self, address: str) -> str:
        return "PagerDuty: …"

    async def send(self, message: Message) -> Outcome:
        if message.notice.kind in (Kind.CONFIRMATION, Kind.REMINDER):
            return Rejected(Scope.MESSAGE, "nothing that pages people")
        event = _event(message, self._action(message))
        answer = await self._poster.post_json(self._url, orjson.dumps(event))
        return self._judged(answer) if isinstance(answer, Answer) else answer

    async def close(self) -> None:
        await self._poster.close()

    def _action(self, message: Message) -> str:
        """Return what the message means for the alert. Only one that exists can be acknowledged."""
        if message.over or is_over(message):
            return "resolve"
        known = bool(message.earlier)
        return "acknowledge" if self._acknowledges and known and message.notice.status in _UNDERWAY else "trigger"

    def _judged(self, answer: Answer) -> Outcome:
        refused = answer.read(_Refused) if answer.status == 400 else None
        if refused is not None and any("routing" in error.lower() for error in refused.errors):
            return Rejected(Scope.RECIPIENT, "answered 400: the routing key is not one")
        outcome = classify_http(answer.status, now=self._now(), retry_after=answer.retry_after, address=Scope.CHANNEL)
        match outcome:
            case Sent():
                taken = answer.read(_Taken)
                return InDoubt("answered, and not in PagerDuty's words") if taken is None else Sent(taken.dedup_key)
            case Retry(reason, None) if answer.status == 429:
                return Retry(reason, PATIENCE)
            case _:
                return outcome


def _event(message: Message, action: str) -> dict[str, Any]:
    notice = message.notice
    event: dict[str, Any] = {
        "routing_key": message.endpoint.address,
        "event_action": action,
        "dedup_key": notice.subject_id[:255],
    }
    if action != "trigger":
        return event
    card = card_of(message)
    maintenance = notice.kind is Kind.MAINTENANCE
    quiet = message.drill or maintenance
    return event | {
        "client": card.page,
        "client_url": notice.page_url,
        "links": [{"href": card.link, "text": card.label}],
        "payload": {
            "summary": cut_to(f"[{card.page}] {card.headline}", SUMMARY_LIMIT),
            "source": httpx.URL(notice.page_url).host or card.page,
            "severity": "info" if quiet else _SEVERITIES[notice.impact],
            "timestamp": moment(notice.published_at).isoformat(timespec="milliseconds"),
            "class": "maintenance" if maintenance else "incident",
            "group": card.page,
            "component": next((one_line(name) for name in notice.components), card.page),
            "custom_details": {
                "body": card.body,
                "affected": list(card.cells),
                "status": notice.status,
                "impact": notice.impact,
                "promise": card.promise,
            },
        },
    }


def pagerduty_channel(settings: PagerDutySettings, context: ChannelContext) -> PagerDutyChannel:
    """Make the channel from its settings."""
    return PagerDutyChannel(settings, context)
