"""A mail server that keeps what it gets, is as strict as a real one, and fails in the ways that a test asks for.

>>> with FakeSmtpServer() as server:
...     server.script("RCPT", Refuse("550 5.1.1 no such user"), times=1)
...     # point a client at server.url
...     [mail] = server.wait_for(1)
"""

import asyncio
import email
import re
import ssl
import threading
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from email.errors import NonASCIILocalPartDefect
from email.message import EmailMessage
from email.policy import default
from types import TracebackType
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.fakes.loop import Arrivals, LoopThread

PHASES = ("CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "CONTENT", "END")
"""When the client connects; on EHLO, MAIL, RCPT, DATA; after the 354; after the final dot."""


@dataclass(frozen=True)
class Refuse:
    """Answer with this line instead; at END ``keep`` says that the mail is accepted all the same."""

    reply: str
    keep: bool = False


@dataclass(frozen=True)
class Delay:
    """Wait before the usual answer; at END ``keep`` says that the mail is accepted before the wait."""

    seconds: float
    keep: bool = False


@dataclass(frozen=True)
class Drop:
    """Close the connection without an answer; at END ``keep`` says whether the mail was accepted before."""

    keep: bool = False


@dataclass(frozen=True)
class Hang:
    """Never answer; at END ``keep`` says whether the mail was accepted before."""

    keep: bool = False


@dataclass(frozen=True)
class Cut:
    """Send the first bytes of an answer and close the connection; at END ``keep`` says whether the mail was accepted before."""

    answer: bytes
    keep: bool = False


Action = Refuse | Delay | Drop | Hang | Cut


@dataclass(frozen=True)
class Mail:
    """A mail that was accepted."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    connection: int

    @property
    def message(self) -> EmailMessage:
        """The mail, parsed."""
        return parsed(self.raw)

    @property
    def notification(self) -> str:
        """The id of the notification that it carries."""
        return str(self.message["X-Tocsin-Notification"])

    def text(self, subtype: str = "plain") -> str:
        """The decoded text of the plain or html part."""
        part = self.message.get_body((subtype,))
        assert isinstance(part, EmailMessage)
        return str(part.get_content())


class FakeSmtpServer:
    """An SMTP server on loopback. Use it as a context manager; all methods may be called from any thread.

    ``accounts`` (name: password) makes it ask for a login; ``tls`` with ``implicit`` speaks TLS at once, else it
    offers STARTTLS.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        accounts: dict[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        implicit: bool = False,
        smtputf8: bool = True,
    ) -> None:
        self.port = port
        self.mails: list[Mail] = []
        self.violations: list[str] = []
        self.connections = 0
        self.commands: list[str] = []
        self._accounts = accounts or {}
        self._tls, self._implicit, self._smtputf8 = tls, implicit, smtputf8
        self._scripts: dict[str, deque[Action]] = defaultdict(deque)
        self._always: dict[str, Action] = {}
        self._recipients: dict[str, str] = {}
        self._lock = threading.Lock()
        self._arrivals = Arrivals()
        self._open: set[_Session] = set()

    @property
    def url(self) -> str:
        """How ``channels.email.via`` names it."""
        login = "".join(f"{name}:{password}@" for name, password in self._accounts.items())
        scheme = "smtp" if self._tls is None else "smtps" if self._implicit else "smtp+starttls"
        return f"{scheme}://{login}127.0.0.1:{self.port}"

    def script(self, phase: str, action: Action, times: int | None = None) -> None:
        """Do ``action`` at ``phase``: the next ``times`` times, or always."""
        assert phase in PHASES
        with self._lock:
            if times is None:
                self._always[phase] = action
            else:
                self._scripts[phase].extend([action] * times)

    def behave(self) -> None:
        """Forget all scripts."""
        with self._lock:
            self._scripts.clear()
            self._always.clear()
            self._recipients.clear()

    def refuse_recipient(self, address: str, reply: str) -> None:
        """Answer RCPT for this address with ``reply``."""
        self._recipients[address] = reply

    def drop_connections(self) -> None:
        """Close every connection, as a server does with those that were idle for too long."""
        self._thread.call(self._drop_all())

    def wait_for(self, count: int, timeout: float = 10.0) -> list[Mail]:
        """Return the mails once there are ``count``; AssertionError if they do not come."""
        assert self._arrivals.wait(lambda: len(self.mails) >= count, timeout), (
            f"{len(self.mails)} of {count} mails came"
        )
        return list(self.mails)

    def __enter__(self) -> Self:
        self._thread = LoopThread("fake-smtp")
        self._server = self._thread.call(self._listen())
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._thread.call(self._shut())
        self._thread.stop()

    async def _listen(self) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        context = self._tls if self._implicit else None
        return await loop.create_server(self._session, "127.0.0.1", self.port, ssl=context)

    async def _shut(self) -> None:
        self._server.close()
        await self._drop_all()

    async def _drop_all(self) -> None:
        for session in list(self._open):
            session.hang_up()

    def _session(self) -> "_Session":
        self.connections += 1
        starttls = None if self._implicit else self._tls
        return _Session(self, self.connections, starttls=starttls, accounts=self._accounts, smtputf8=self._smtputf8)

    def next_action(self, phase: str) -> Action | None:
        """Take the action that is due at ``phase``."""
        with self._lock:
            script = self._scripts[phase]
            return script.popleft() if script else self._always.get(phase)

    def accept(self, mail: Mail) -> None:
        """Keep a mail."""
        self.mails.append(mail)
        self._arrivals.announce()

    def refusal_of(self, address: str) -> str | None:
        """The reply for an address that is refused."""
        return self._recipients.get(address)


class _Session(SMTP):
    """One connection: aiosmtpd's own state machine, with the script's actions before its answers."""

    def __init__(
        self,
        fake: FakeSmtpServer,
        number: int,
        *,
        starttls: ssl.SSLContext | None,
        accounts: dict[str, str],
        smtputf8: bool,
    ) -> None:
        self._fake = fake
        self._number = number
        self._greeted = False
        self._accounts = accounts
        super().__init__(
            self,
            hostname="fake.example",
            enable_SMTPUTF8=smtputf8,
            tls_context=starttls,
            require_starttls=starttls is not None,
            # aiosmtpd knows no AUTH over implicit TLS and warns of it without TLS: handle_MAIL asks for it instead.
            auth_require_tls=False,
            authenticator=self._authenticated if accounts else None,
            loop=asyncio.get_running_loop(),
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._fake._open.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._fake._open.discard(self)
        super().connection_lost(error)

    def hang_up(self) -> None:
        """Close the connection at once."""
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()

    async def push(self, status: Any) -> None:
        """Answer; the first answer is the greeting, and 354 asks for the content."""
        if not self._greeted:
            self._greeted = True
            status = await self._scripted("CONNECT") or status
        await super().push(status)
        if status.startswith("354"):
            await self._scripted("CONTENT")

    async def _scripted(self, phase: str, keep: Any = lambda: None) -> str | None:
        """Do what the script says; return a refusal, or None to go on as usual."""
        self._fake.commands.append(phase)
        action = self._fake.next_action(phase)
        if action is not None and action.keep:
            keep()
        match action:
            case Refuse(reply):
                return reply
            case Delay(seconds, keeps):
                await asyncio.sleep(seconds)
                return "250 2.0.0 queued" if keeps else None
            case Drop():
                self.hang_up()
                await asyncio.Event().wait()
            case Hang():
                await asyncio.Event().wait()
            case Cut(answer):
                self._writer.write(answer)
                await self._writer.drain()
                self._writer.close()
                await asyncio.Event().wait()
            case None:
                pass
        return None

    def _authenticated(self, _s: Any, _session: Session, _e: Envelope, _m: str, data: LoginPassword) -> AuthResult:
        known = self._accounts.get(data.login.decode()) == data.password.decode()
        return AuthResult(success=known, handled=False)

    async def handle_EHLO(
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        refusal = await self._scripted("EHLO")
        return [refusal] if refusal else responses

    async def handle_MAIL(
        self, _s: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if (refusal := await self._scripted("MAIL")) is not None:
            return refusal
        if self._accounts and not session.authenticated:
            return "530 5.7.0 authentication required"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 sender ok"

    async def handle_RCPT(self, _s: SMTP, _session: Session, envelope: Envelope, address: str, _o: list[str]) -> str:
        refusal = await self._scripted("RCPT") or self._fake.refusal_of(address)
        if refusal is not None:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 recipient ok"

    async def smtp_DATA(self, arg: str) -> None:
        if (refusal := await self._scripted("DATA")) is not None:
            await self.push(refusal)
            return
        await super().smtp_DATA(arg)

    async def handle_DATA(self, _s: SMTP, _session: Session, envelope: Envelope) -> str:
        content = envelope.original_content or b""
        complaint = complaint_of(content, options=envelope.mail_options)
        if complaint is not None:
            self._fake.violations.append(complaint)
            return f"554 5.6.0 {complaint}"
        mail = Mail(str(envelope.mail_from), tuple(map(str, envelope.rcpt_tos)), content, self._number)
        if (refusal := await self._scripted("END", lambda: self._fake.accept(mail))) is not None:
            return refusal
        self._fake.accept(mail)
        return f"250 2.0.0 queued as {len(self._fake.mails)}"


def parsed(content: bytes) -> EmailMessage:
    """Parse a message; UTF-8 in headers is text (RFC 6532)."""
    if content.isascii():
        return email.message_from_bytes(content, policy=default)
    return email.message_from_string(content.decode("utf-8", "replace"), policy=default)


def complaint_of(content: bytes, *, options: Sequence[str]) -> str | None:
    """Return what is wrong with a message after RFC 5322 and RFC 2045, None if nothing is.

    ``options`` are MAIL's: 8-bit content and addresses beyond ASCII have to be announced there.
    """
    message = parsed(content)
    if re.search(rb"(?<!\r)\n|\r(?!\n)", content):
        return "a bare CR or LF"
    head, _, body = content.partition(b"\r\n\r\n")
    if not (body.isascii() or "BODY=8BITMIME" in options) or not (head.isascii() or "SMTPUTF8" in options):
        return "8-bit content that was not announced"
    if max(map(len, content.split(b"\r\n"))) > 998:
        return "a line of more than 998 bytes"
    for name in ("From", "To", "Date", "Subject", "Message-ID"):
        if len(message.get_all(name, [])) != 1:
            return f"{name} must stand there once"
    defects = [*message.defects, *(defect for value in message.values() for defect in getattr(value, "defects", ()))]
    bad = [defect for defect in defects if not ("SMTPUTF8" in options and isinstance(defect, NonASCIILocalPartDefect))]
    return f"malformed: {bad[0]}" if bad else None
