"""Composes whole mails: what all recipients of a notice share is made once, the rest is filled in as bytes. No I/O.

A notice becomes one MIME message (stdlib ``EmailMessage``) with marks where each recipient's own links go. Both texts
are quoted-printable, so a link can be put in place of its mark behind a soft line break (RFC 2045 6.7), and the mail
is 7-bit whatever the server can do. Filling in a recipient costs some ten microseconds.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formataddr

from consumers.delivery.channel import Message
from consumers.delivery.render.mail_texts import MailTexts, Prepared, own_headers, require_fitting, shared_headers
from consumers.delivery.render.words import moment, words_of

_QUOTED_LINE = re.compile(r".{1,70}(?<!=)(?<!=.)")
"""A line's worth of quoted-printable that does not end within an escape."""


@dataclass(frozen=True)
class _Shared:
    """What all mails of a notice share, as bytes; the content holds marks."""

    headers: bytes
    content: bytes


class MailComposer:
    """Composes the mails of one sender. ``domain`` is that of the sender's address, in ASCII."""

    def __init__(self, sender: Address, domain: str) -> None:
        self._sender = formataddr((sender.display_name, sender.addr_spec))
        self._domain = domain
        self._texts = MailTexts()
        self._prepared: Prepared[_Shared] = Prepared()

    def compose(self, message: Message, to: str) -> bytes:
        """Return the whole mail for ``to`` (an address as it is written in a header), with CRLF line ends."""
        shared = self._prepared.get(message, lambda: self._shared(message))
        own = b"\r\n".join((f"To: {to}".encode(), *_lines(own_headers(message, self._domain)), b""))
        return shared.headers + own + self._filled(shared.content, message)

    def _filled(self, content: bytes, message: Message) -> bytes:
        for mark, link in self._texts.links(message).items():
            content = content.replace(mark.encode(), _soft_broken(link))
        return content

    def _shared(self, message: Message) -> _Shared:
        headers = [
            _encoded_line("Subject", words_of(message).headline),
            *_lines({"From": self._sender, **shared_headers(message, self._domain)}),
            b"",
        ]
        return _Shared(b"\r\n".join(headers), self._content(message))

    def _content(self, message: Message) -> bytes:
        """Return the rest: the headers of MIME, and the body."""
        plain, rich = self._texts.render(message)
        mail = EmailMessage(policy=SMTP)
        mail["Date"] = moment(message.notice.published_at)
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(plain, cte="quoted-printable")
        mail.add_alternative(rich, subtype="html", cte="quoted-printable")
        return mail.as_bytes()


def _lines(headers: Mapping[str, str]) -> list[bytes]:
    """Return header lines of printable ASCII that are never folded; raises ValueError for anything else.

    The email package would fold a long URL as an encoded word, which no mail program reads as a URL.
    """
    for name, value in headers.items():
        require_fitting(name, value)
    return [f"{name}: {value}".encode("ascii") for name, value in headers.items()]


def _encoded_line(name: str, text: str) -> bytes:
    """Return one header of free text, in encoded words (RFC 2047) where it is not plain ASCII.

    ``Header`` rather than an EmailMessage's own folding, which loses the space between two encoded words.
    """
    charset = "us-ascii" if text.isascii() and "=?" not in text else "utf-8"
    folded = Header(text, charset, header_name=name).encode(linesep="\r\n")
    return f"{name}: {folded}".encode("ascii")


def _soft_broken(link: str) -> bytes:
    """Return a link as quoted-printable on lines of its own: soft breaks leave no trace in the decoded text."""
    text = "".join(c if c.isascii() and c not in "=\r\n" else _quoted(c) for c in link)
    return "=\r\n".join(("", *_QUOTED_LINE.findall(text), "")).encode("ascii")


def _quoted(character: str) -> str:
    return "".join(f"={byte:02X}" for byte in character.encode())
