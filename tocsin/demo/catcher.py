"""A mail server that delivers to nobody: it keeps what it is handed, in memory, to be read in the mailbox."""

import asyncio
import email
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import default
from functools import cached_property
from itertools import count

from aiosmtpd.smtp import SMTP, Envelope, Session

KEPT = 1_000
"""Mails that are kept; older ones are forgotten."""
_LARGEST = 5 * 1024 * 1024


@dataclass(frozen=True)
class Mail:
    """One mail that was handed in; ``number`` counts from 1."""

    number: int
    arrived: datetime
    recipients: tuple[str, ...]
    raw: bytes

    @cached_property
    def message(self) -> EmailMessage:
        """The mail, parsed."""
        return email.message_from_bytes(self.raw, policy=default)

    @property
    def subject(self) -> str:
        """What it is about."""
        return self.header("Subject") or "(no subject)"

    def header(self, name: str) -> str:
        """Return a header's decoded text, empty where there is none."""
        value = self.message.get(name)
        return "" if value is None else str(value)

    def text(self, subtype: str) -> str:
        """Return the decoded ``plain`` or ``html`` text, empty where there is none."""
        part = self.message.get_body((subtype,))
        return str(part.get_content()) if isinstance(part, EmailMessage) else ""


class Mailbox:
    """The mails of all recipients, newest last. May be used from any thread."""

    def __init__(self) -> None:
        self._mails: deque[Mail] = deque(maxlen=KEPT)
        self._counts: Counter[str] = Counter()
        self._numbers = count(1)
        self._changed = threading.Condition()

    def keep(self, recipients: tuple[str, ...], raw: bytes) -> Mail:
        """Take a mail."""
        with self._changed:
            mail = Mail(next(self._numbers), datetime.now(UTC), recipients, raw)
            self._mails.append(mail)
            self._counts.update(recipients)
            self._changed.notify_all()
        return mail

    def mails(self, recipient: str | None = None) -> list[Mail]:
        """Return the mails, or those of one recipient."""
        with self._changed:
            return [mail for mail in self._mails if recipient is None or recipient in mail.recipients]

    def find(self, number: int) -> Mail | None:
        """Return the mail with this number, None where it was never there or is forgotten."""
        return next((mail for mail in self.mails() if mail.number == number), None)

    def counts(self) -> dict[str, int]:
        """Return how many mails each recipient has had."""
        with self._changed:
            return dict(self._counts)

    def wait(self, enough: Callable[[dict[str, int]], bool], timeout: float) -> bool:
        """Wait until ``enough`` says so of the counts; False if it does not within ``timeout`` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: enough(dict(self._counts)), timeout)


class Catcher:
    """Hands what SMTP clients send to a mailbox."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    def session(self) -> SMTP:
        """Return the protocol of one connection; to be called within the event loop."""
        return SMTP(
            self,
            hostname="mailbox.example",
            ident="Tocsin demo mailbox",
            enable_SMTPUTF8=True,
            data_size_limit=_LARGEST,
            loop=asyncio.get_running_loop(),
        )

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 -- aiosmtpd's name
        """Keep the mail."""
        mail = self._mailbox.keep(tuple(envelope.rcpt_tos), envelope.original_content or b"")
        return f"250 2.0.0 kept as {mail.number}"
