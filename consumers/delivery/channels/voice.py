"""The voice channel: calls by Twilio that read a message out, twice. What Twilio's answers mean is ``net/twilio``'s.

As with text messages an operator adds the numbers: a call costs, and cannot ask to be confirmed.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from consumers.delivery.channel import Message
from consumers.delivery.channels.phone import PhoneChannel
from consumers.delivery.context import ChannelContext
from consumers.delivery.net.twilio import TIMEOUT, Caller, TwilioSettings
from consumers.delivery.net.twilio_records import call_among
from consumers.delivery.outcome import Finding, Outcome, Rejected, Scope, Unknown
from consumers.delivery.rates import Limits
from consumers.delivery.render.text import Parts, fitted, parts_of
from consumers.delivery.render.words import moment, one_line, words_of
from consumers.delivery.settings import setting
from schemas.vocabulary import Kind

_TWIML_LIMIT = 4_000
"""Characters that Twilio takes in a request for a call."""
_LINK = re.compile(r"\(?(?:https?://|mailto:)[^\s<>)]+\)?", re.IGNORECASE)
_MARK = re.compile(r"^\s*-\s")
_NOT_XML = re.compile("[\ufffe\uffff]")
"""What is left of those that XML does not know once control characters and halves of others are gone."""
_GAP = re.compile(r"\s+([,.;:!?])")
_LIMITS = Limits(sender="1/s")
"""Calls that an account may begin, unless it has been given more; text messages count otherwise: https://www.twilio.com/docs/voice/api/call-resource."""
_EVENTS = ["initiated", "completed"]
"""The first proves that Twilio has the call, the second says how it ended."""


class VoiceSettings(TwilioSettings, frozen=True, kw_only=True, rename={"sender": "from"}):
    """``channels.voice``."""

    sender: Annotated[Caller, setting("a phone number such as +15005550006", "Who calls.")]
    language: Annotated[
        str,
        setting(
            "a language such as en-US", "The language of the voice that reads.", pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]+)*$"
        ),
    ] = "en-US"
    ring: Annotated[int, setting("a whole number of seconds from 5 to 600", "How long it rings.", ge=5, le=600)] = 45
    characters: Annotated[
        int, setting("a whole number from 100 to 1500", "How long a text may be that is read out.", ge=100, le=1_500)
    ] = 500

    def receipts(self) -> Mapping[str, Mapping[str, str]]:
        return {"twilio-voice": proofs} if (proofs := self.proofs()) else {}


class VoiceChannel(PhoneChannel):
    """Calls."""

    def __init__(self, settings: VoiceSettings, context: ChannelContext, *, timeout: float = TIMEOUT) -> None:
        super().__init__("voice", "Phone call", "VOICE", settings, context, timeout, _LIMITS)
        self._settings = settings

    async def send(self, message: Message) -> Outcome:
        if message.notice.kind is Kind.CONFIRMATION:
            return Rejected(Scope.MESSAGE, "a call cannot ask for a confirmation")
        number = self._number(message.endpoint.address)
        if isinstance(number, Rejected):
            return number
        outcome: Outcome = await self._twilio.call(self._fields(message, number))
        return outcome

    async def _found(self, message: Message, number: str) -> Finding:
        listed = await self._twilio.calls_to(number, self._settings.sender)
        return (
            listed
            if isinstance(listed, Unknown)
            else call_among(listed, moment(message.notice.published_at), message.others)
        )

    def _fields(self, message: Message, number: str) -> dict[str, Any]:
        settings = self._settings
        fields = {
            "to": number,
            "from_": settings.sender,
            "twiml": twiml_of(spoken(message, settings.characters), settings.language),
            "timeout": settings.ring,
        }
        callback = settings.callback_url(message.notification)
        if callback is not None:
            fields |= {"status_callback": callback, "status_callback_event": _EVENTS}
        return fields


def spoken(message: Message, limit: int) -> str:
    """Return what is read out, at most ``limit`` characters: no addresses of pages, which nobody can note down."""
    words, parts = words_of(message), parts_of(message, link=False)
    headline = parts.headline
    if message.notice.kind is not Kind.REMINDER:
        headline = f"{words.page}. {headline}"
    sentences = Parts(
        _ended(headline.replace("[DRILL]", "This is a drill.")), _ended(_said(parts.body)), parts.promise, ""
    )
    return one_line(_NOT_XML.sub("", fitted(sentences, limit)))


def _said(body: str) -> str:
    """Return the lines of a body as sentences: a voice reads neither line breaks nor the marks of lists."""
    lines = (_MARK.sub("", line).strip() for line in _LINK.sub("", body).splitlines())
    return _GAP.sub(r"\1", " ".join(_ended(line) for line in lines if line))


def _ended(text: str) -> str:
    return text if not text or text[-1] in ".!?:;" else f"{text}."


def twiml_of(text: str, language: str) -> str:
    """Return TwiML that reads a text out twice, with as much of it as Twilio takes."""
    from twilio.twiml.voice_response import VoiceResponse  # noqa: PLC0415 -- as above

    while True:
        response = VoiceResponse()
        response.pause(length=1)
        response.say(text, language=language)
        response.pause(length=1)
        response.say(text, language=language)
        written = str(response)
        if len(written) <= _TWIML_LIMIT:
            return written
        text = text[: -max(1, (len(written) - _TWIML_LIMIT) // 2)]


def voice_channel(settings: VoiceSettings, context: ChannelContext) -> VoiceChannel:
    """Make the channel from its settings."""
    return VoiceChannel(settings, context)
