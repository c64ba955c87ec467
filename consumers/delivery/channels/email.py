"""The email channel: validates addresses, composes a mail and hands it to an SMTP server. Its failures are ``classify``'s."""

import ssl
from email.headerregistry import Address
from email.utils import parseaddr
from typing import Annotated

from email_validator import EmailNotValidError, ValidatedEmail, validate_email

from consumers.delivery.channel import AddressError, Capabilities, ConfirmBy, Message
from consumers.delivery.context import ChannelContext
from consumers.delivery.net.smtp import Envelope, SmtpServer, SmtpTransport, Timeouts
from consumers.delivery.outcome import Outcome, Rejected, Scope
from consumers.delivery.render.mail import MailComposer
from consumers.delivery.settings import ChannelSettings, Secret, setting


def _checked(address: str) -> ValidatedEmail:
    # Names of test networks (.test, localhost) are for the operator to use; a stranger gains nothing by them.
    return validate_email(address, check_deliverability=False, test_environment=True)


def _sender(text: str) -> tuple[Address, ValidatedEmail]:
    """Read ``Name <address>``; raises ValueError."""
    name, address = parseaddr(text)
    try:
        checked = _checked(address)
    except EmailNotValidError as error:
        raise ValueError(f"from is not an email address: {error}") from None
    if checked.ascii_email is None:
        raise ValueError("the name before @ in from must be ASCII")
    return Address(display_name=name, addr_spec=checked.ascii_email), checked


class EmailSettings(ChannelSettings, frozen=True, rename={"sender": "from"}):
    """``channels.email``."""

    via: Annotated[
        Secret,
        setting(
            "a URL: smtp://host[:port], smtps:// or smtp+starttls://[user:password@]host[:port]",
            "The mail server; it is secret, because it may hold a password.",
            check=SmtpServer.of_url,
        ),
    ]
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
        setting("a whole number from 1 to 1000", "How many connections to the server are used at once.", ge=1, le=1000),
    ] = 4
    resend_in_doubt: Annotated[
        bool,
        setting(None, "Whether a mail that may have been sent is sent again, under the same Message-ID."),
    ] = False


class EmailChannel:
    """Mail over SMTP."""

    def __init__(
        self,
        settings: EmailSettings,
        *,
        timeouts: Timeouts | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.capabilities = Capabilities(
            name="email",
            title="Email",
            address_field="email",
            address_hint="you@example.com",
            idempotent=settings.resend_in_doubt,
            confirm_by=ConfirmBy.LINK,
            # A kill leaves a claim's unrecorded mails in doubt, so one claim is no more than a few rounds of connections.
            claim=min(8 * settings.connections, 1000),
        )
        sender, checked = _sender(settings.sender)
        self._envelope_sender = checked.ascii_email or checked.normalized
        self._composer = MailComposer(sender, checked.ascii_domain)
        self._transport = SmtpTransport(
            SmtpServer.of_url(settings.via.reveal()),
            connections=settings.connections,
            timeouts=timeouts,
            context=context,
        )

    def validate(self, address: str) -> str:
        """Return the address with its domain in lower case and Unicode normalised; raises AddressError."""
        try:
            return _checked(address).normalized
        except EmailNotValidError:
            raise AddressError("this is not an email address that mail can be sent to") from None

    def mask(self, address: str) -> str:
        local, _, domain = address.rpartition("@")
        return f"{local[:1]}***@{domain}"

    async def send(self, message: Message) -> Outcome:
        try:
            recipient = _checked(message.endpoint.address)
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


def email_channel(settings: EmailSettings, _context: ChannelContext) -> EmailChannel:
    """Make the channel from its settings."""
    return EmailChannel(settings)
