"""The SMS channel: text messages by Twilio, in few segments. What Twilio's answers mean is ``net/twilio``'s.

A message to an expensive number costs us and pays others, so strangers do not sign up here: an operator adds, or somebody
whose mail address is confirmed types the code that their number was sent.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from consumers.delivery.channel import Message
from consumers.delivery.channels.phone import PhoneChannel
from consumers.delivery.context import ChannelContext
from consumers.delivery.net.twilio import TIMEOUT, TwilioSettings
from consumers.delivery.net.twilio_records import Record, text_among
from consumers.delivery.outcome import Finding, InDoubt, Outcome, Rejected, Sent, Unknown
from consumers.delivery.rates import Limits
from consumers.delivery.render.sms import sms_text
from consumers.delivery.render.words import moment
from consumers.delivery.settings import setting
from schemas.events import Notice
from schemas.vocabulary import IncidentStatus, Kind, MaintenanceStatus
from streams.runtime.links import CODE_SECONDS

_FINAL = {IncidentStatus.RESOLVED, IncidentStatus.POSTMORTEM, MaintenanceStatus.COMPLETED}
_SENDER = re.compile(r"\+[1-9]\d{6,14}|\d{3,8}|(?=.*[A-Za-z])[A-Za-z0-9 +_&-]{1,11}", re.ASCII)


def _sender(text: str) -> None:
    if not _SENDER.fullmatch(text):
        raise ValueError("not a sender")


class SmsSettings(TwilioSettings, frozen=True, kw_only=True, rename={"sender": "from"}):
    """``channels.sms``."""

    sender: (
        Annotated[
            str,
            setting("a phone number such as +15005550006, a short code, or a name", "Who it is from.", check=_sender),
        ]
        | None
    ) = None
    messaging_service_sid: (
        Annotated[
            str,
            setting(
                "an id of MG and 32 digits from 0 to f",
                "The messaging service that chooses the sender.",
                pattern="^MG[0-9a-fA-F]{32}$",
            ),
        ]
        | None
    ) = None
    segments: Annotated[
        int,
        setting(
            "a whole number from 1 to 10", "How many segments, which are paid for, a message may take.", ge=1, le=10
        ),
    ] = 2
    link: Annotated[bool, setting(None, "Whether the address of the incident on the page is in it.")] = True
    stop_hint: Annotated[
        bool, setting(None, "Whether it says how to unsubscribe; a sender that is a name takes no answers.")
    ] = True
    validity: Annotated[
        int,
        setting(
            "a whole number of seconds from 6 to 36000",
            "How long an update that is not the last may wait at Twilio before it is dropped.",
            ge=6,
            le=36_000,
        ),
    ] = 600
    codes_a_day: Annotated[
        int,
        setting(
            "a whole number from 0 to 100000",
            "How many codes a day are sent to people who add their number by themselves; 0: only operators add numbers.",
            ge=0,
            le=100_000,
        ),
    ] = 200

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sender is None and self.messaging_service_sid is None:
            raise ValueError("from: expected a sender, unless messaging_service_sid is given")

    def receipts(self) -> Mapping[str, Mapping[str, str]]:
        return {"twilio": proofs} if (proofs := self.proofs()) else {}


def _limits(sender: str | None) -> Limits:
    """Return what Twilio takes of one sender, https://www.twilio.com/docs/api/errors/21611; a service has many senders."""
    if sender is None:
        return Limits()
    if sender.isdecimal():
        return Limits(sender="100/s")
    return Limits(sender="1/s") if sender.startswith("+") else Limits()


class SmsChannel(PhoneChannel):
    """Text messages."""

    def __init__(self, settings: SmsSettings, context: ChannelContext, *, timeout: float = TIMEOUT) -> None:
        limits, codes = _limits(settings.sender), settings.codes_a_day
        super().__init__("sms", "SMS", "TEXT", settings, context, timeout, limits, codes_a_day=codes)
        self._settings = settings

    async def send(self, message: Message) -> Outcome:
        number = self._number(message.endpoint.address)
        if isinstance(number, Rejected):
            return number
        outcome: Outcome = await self._twilio.text(self._fields(message, number))
        return outcome

    async def _found(self, message: Message, number: str) -> Finding:
        # With a service it may have come from any of its senders.
        sender = None if self._settings.messaging_service_sid else self._settings.sender
        listed = await self._twilio.texts_to(number, sender)
        if isinstance(listed, Unknown):
            return listed
        text, published = self._fields(message, number)["body"], moment(message.notice.published_at)
        found = text_among(listed, text, published, combinable=message.combinable, others=message.others)
        if not isinstance(found, Record):
            return found
        settled: Outcome = self._twilio.settled(found) or Sent(found.sid)
        return Unknown(settled.reason) if isinstance(settled, InDoubt) else settled

    def _fields(self, message: Message, number: str) -> dict[str, Any]:
        settings = self._settings
        text = sms_text(message, settings.segments, link=settings.link, stop_hint=settings.stop_hint)
        given = {
            "from_": settings.sender,
            "messaging_service_sid": settings.messaging_service_sid,
            "status_callback": settings.callback_url(message.notification),
            "validity_period": self._validity(message),
        }
        return {"to": number, "body": text} | {name: value for name, value in given.items() if value is not None}

    def _validity(self, message: Message) -> int | None:
        """Return after how many seconds Twilio is to drop what it could not send; None for what is worth any wait."""
        if message.code:
            return CODE_SECONDS
        return self._settings.validity if _is_passing(message.notice) else None


def _is_passing(notice: Notice) -> bool:
    """Whether a notice is worth less the older it is: what ends a matter, or asks for something, is not."""
    return notice.kind is not Kind.CONFIRMATION and notice.status not in _FINAL


def sms_channel(settings: SmsSettings, context: ChannelContext) -> SmsChannel:
    """Make the channel from its settings."""
    return SmsChannel(settings, context)
