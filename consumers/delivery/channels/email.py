"""The email channel: its settings and addresses, and mail over SMTP; mail by SendGrid is ``email_sendgrid``'s.

It hands over composed mails; what an answer means is ``classify``'s.
"""

import ssl
from base64 import b64decode
from collections.abc import Mapping, Sequence
from datetime import timedelta
from email.headerregistry import Address
from email.utils import parseaddr
from typing import Annotated
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key
from email_validator import EmailNotValidError, ValidatedEmail
from msgspec.structs import replace

from consumers.delivery.channel import AddressError, Capabilities, Channel, ConfirmBy, Message
from consumers.delivery.channels.email_activity import SendGridActivity
from consumers.delivery.channels.email_sendgrid import MOST, SendGridMails
from consumers.delivery.channels.failover import FailoverChannel, Provider
from consumers.delivery.context import ChannelContext
from consumers.delivery.net.mail_addresses import ascii_of, checked
from consumers.delivery.net.sendgrid import SendGridApi
from consumers.delivery.net.smtp import Envelope, SmtpServer, SmtpTransport, Timeouts
from consumers.delivery.outcome import Finding, Outcome, Rejected, Scope, Unknown
from consumers.delivery.render.mail import MailComposer
from consumers.delivery.settings import ChannelSettings, Secret, setting

SENDGRID_TIMEOUT = 10.0
"""Seconds to connect, and again to wait for bytes of the answer."""


def _sender(text: str) -> tuple[Address, ValidatedEmail]:
    """Read ``Name <address>``; raises ValueError."""
    name, address = parseaddr(text)
    try:
        found = checked(address)
    except EmailNotValidError as error:
        raise ValueError(f"from is not an email address: {error}") from None
    if found.ascii_email is None:
        raise ValueError("the name before @ in from must be ASCII")
    return Address(display_name=name, addr_spec=found.ascii_email), found


def _api(url: str) -> None:
    parts = urlsplit(url)
    if not parts.hostname or parts.path.strip("/") or parts.query or parts.username is not None:
        raise ValueError("not the address of an API")
    if parts.scheme != "https" and (parts.scheme != "http" or parts.hostname not in {"127.0.0.1", "::1", "localhost"}):
        raise ValueError("the key goes over TLS only")


def _public_key(text: str) -> None:
    try:
        key = load_der_public_key(b64decode(text, validate=True))
    except UnsupportedAlgorithm as error:
        raise ValueError("no key of a kind that is known") from error
    if not isinstance(key, EllipticCurvePublicKey):
        raise ValueError("a key of another kind")  # noqa: TRY004 -- a wrong value, like all others here


class SendGridSettings(ChannelSettings, frozen=True):
    """``channels.email.sendgrid``."""

    api_key: Annotated[Secret, setting("an API key", "Opens SendGrid's API; it needs Mail Send and nothing else.")]
    event_key: (
        Annotated[
            str,
            setting(
                "a public key in base64, as SendGrid shows it",
                "Proves that events are SendGrid's (Signed Event Webhook); without it none are taken.",
                check=_public_key,
            ),
        ]
        | None
    ) = None
    api: Annotated[
        str,
        setting(
            "an https URL", "Where the API is: https://api.eu.sendgrid.com for mail that stays in the EU.", check=_api
        ),
    ] = "https://api.sendgrid.com"
    ask_after: (
        Annotated[
            int,
            setting(
                "a whole number of seconds from 60 to 86400",
                "How long after an attempt in doubt SendGrid's Email Activity is asked whether it has the mail; it must show it by then.",
                ge=60,
                le=86_400,
            ),
        ]
        | None
    ) = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.ask_after is not None and "api.eu." in self.api:
            raise ValueError("ask_after: expected only without api.eu.sendgrid.com, which keeps no activity")


class EmailSettings(ChannelSettings, frozen=True, kw_only=True, rename={"sender": "from"}):
    """``channels.email``. ``via`` or ``sendgrid`` is given; where both are, SendGrid sends and the mail server stands in."""

    via: (
        Annotated[
            Secret,
            setting(
                "a URL: smtp://host[:port], smtps:// or smtp+starttls://[user:password@]host[:port]",
                "The mail server; beside SendGrid it stands in for it. It is secret, because it may hold a password.",
                check=SmtpServer.of_url,
            ),
        ]
        | None
    ) = None
    sendgrid: (
        Annotated[
            SendGridSettings,
            setting("the settings of SendGrid", "Sends by SendGrid; a mail server, if there is one too, stands in."),
        ]
        | None
    ) = None
    sender: Annotated[
        str,
        setting(
            "an email address, with a name if you like: Acme <status@acme.example>",
            "Who the mail is from.",
            check=_sender,
        ),
    ]
    connections: Annotated[
        int,
        setting(
            "a whole number from 1 to 1000",
            "How many connections to the server, or to SendGrid, are used at once.",
            ge=1,
            le=1000,
        ),
    ] = 4
    resend_in_doubt: Annotated[
        bool,
        setting(None, "Whether a mail that may have been sent is sent again, under the same Message-ID."),
    ] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.via is None and self.sendgrid is None:
            raise ValueError("via: expected this, a mail server, or sendgrid, or both")

    def receipts(self) -> Mapping[str, Mapping[str, str]]:
        if self.sendgrid is None or self.sendgrid.event_key is None:
            return {}
        return {"sendgrid": {"event_key": self.sendgrid.event_key}}


class _Email:
    """What mail is, whoever carries it."""

    def validate(self, address: str) -> str:
        """Return the address with its domain in lower case and Unicode normalised; raises AddressError."""
        try:
            return checked(address).normalized
        except EmailNotValidError:
            raise AddressError("this is not an email address that mail can be sent to") from None

    def mask(self, address: str) -> str:
        local, _, domain = address.rpartition("@")
        return f"{local[:1]}***@{domain}"


class EmailChannel(_Email):
    """Mail over SMTP."""

    def __init__(
        self,
        settings: EmailSettings,
        *,
        timeouts: Timeouts | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        assert settings.via is not None, "the factory knows which of the two it is"
        # A kill leaves a claim's unrecorded mails in doubt, so one claim is no more than a few rounds of connections.
        self.capabilities = _capabilities(settings, claim=min(8 * settings.connections, 1000))
        sender, written = _sender(settings.sender)
        self._envelope_sender = written.ascii_email or written.normalized
        self._composer = MailComposer(sender, written.ascii_domain)
        self._transport = SmtpTransport(
            SmtpServer.of_url(settings.via.reveal()),
            connections=settings.connections,
            timeouts=timeouts,
            context=context,
        )

    async def send(self, message: Message) -> Outcome:
        try:
            recipient = checked(message.endpoint.address)
        except EmailNotValidError:
            return Rejected(Scope.RECIPIENT, "not an email address")
        # The ASCII form where there is one: only a non-ASCII mailbox name needs SMTPUTF8, a domain never does.
        written = recipient.ascii_email or recipient.normalized
        try:
            content = self._composer.compose(message, written)
        except ValueError as error:  # a link or an id that fits into no header
            return Rejected(Scope.MESSAGE, str(error))
        envelope = Envelope(self._envelope_sender, written, utf8=recipient.ascii_email is None)
        return await self._transport.send(envelope, content)

    async def close(self) -> None:
        await self._transport.close()


class SendGridEmailChannel(_Email):
    """Mail by SendGrid, which takes a thousand at once. ``timeout`` is in seconds, for connecting and for each read."""

    def __init__(self, settings: EmailSettings, context: ChannelContext, *, timeout: float = SENDGRID_TIMEOUT) -> None:
        provider = settings.sendgrid
        assert provider is not None, "the factory knows which of the two it is"
        # While some are on their way the next are prepared. What a kill leaves in doubt is settled by SendGrid's events.
        asked_after = None if provider.ask_after is None else timedelta(seconds=provider.ask_after)
        self.capabilities = replace(
            _capabilities(settings, claim=MOST, batch=MOST, claims=settings.connections), asked_after=asked_after
        )
        sender, written = _sender(settings.sender)
        api = SendGridApi(provider.api_key.reveal(), provider.api.rstrip("/"), timeout, context.now)
        self._activity = SendGridActivity(api)
        self._mails = SendGridMails(
            api, sender, written.ascii_domain, connections=settings.connections, timeout=timeout
        )

    async def send(self, message: Message) -> Outcome:
        [outcome] = await self.send_all([message])
        return outcome

    async def send_all(self, messages: Sequence[Message]) -> Sequence[Outcome]:
        """Send messages with as few requests as there are notices (``BatchChannel``)."""
        refused: dict[int, Outcome] = {}
        mails: list[tuple[Message, str]] = []
        for index, message in enumerate(messages):
            written = _ascii(message.endpoint.address)
            if isinstance(written, Rejected):
                refused[index] = written
            else:
                mails.append((message, written))
        sent = iter(await self._mails.send(mails))
        return [refused[index] if index in refused else next(sent) for index in range(len(messages))]

    async def find(self, messages: Sequence[Message]) -> Sequence[Finding]:
        """Look for messages in SendGrid's activity (``AskableChannel``)."""
        written = [(message, _ascii(message.endpoint.address)) for message in messages]
        mails = [(message, to) for message, to in written if not isinstance(to, Rejected)]
        found = iter(await self._activity.find(mails))
        return [Unknown(to.reason, final=True) if isinstance(to, Rejected) else next(found) for _, to in written]

    async def close(self) -> None:
        await self._mails.close()


def _ascii(address: str) -> str | Rejected:
    """Return an address as SendGrid takes it: it knows no international mailbox names."""
    try:
        written = ascii_of(address)
    except EmailNotValidError:
        return Rejected(Scope.RECIPIENT, "not an email address")
    return written or Rejected(Scope.RECIPIENT, "SendGrid takes only mailbox names in ASCII")


def _capabilities(settings: EmailSettings, *, claim: int, batch: int = 1, claims: int = 1) -> Capabilities:
    return Capabilities(
        name="email",
        title="Email",
        address_field="email",
        address_hint="you@example.com",
        idempotent=settings.resend_in_doubt,
        confirm_by=ConfirmBy.LINK,
        combines=True,
        waits_together=settings.sendgrid is not None,  # a mail server says "later" of one mailbox as well
        claim=claim,
        batch=batch,
        claims=claims,
    )


def email_channel(settings: EmailSettings, context: ChannelContext) -> Channel:
    """Make the channel from its settings."""
    if settings.sendgrid is None:
        return EmailChannel(settings)
    sendgrid = SendGridEmailChannel(settings, context)
    if settings.via is None:
        return sendgrid
    return FailoverChannel([Provider("sendgrid", sendgrid), Provider("smtp", EmailChannel(settings))], context)
