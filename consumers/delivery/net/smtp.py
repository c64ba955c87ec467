"""Talks SMTP to one server over a few reused connections, and knows for each mail whether its final dot was sent.

Before the end of data nothing can have been accepted: whatever breaks there is a safe retry. After it a server that
falls silent leaves the mail in doubt (RFC 1047). It renders nothing and never tries a mail twice once doubt is possible.
"""

import asyncio
import re
import socket
import ssl
import time
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import parse_qsl, unquote, urlsplit

import aiosmtplib
from aiosmtplib.protocol import SMTPProtocol

from consumers.delivery.classify import Phase, classify_smtp
from consumers.delivery.outcome import InDoubt, Outcome, Rejected, Retry, Scope, Sent

CONNECT_TIMEOUT = 10.0
COMMAND_TIMEOUT = 60.0
"""For one command; shorter than RFC 5321 4.5.3.2 allows (5 minutes), since a retry costs nothing there."""
FINAL_TIMEOUT = 120.0
"""For the answer to the final dot, where impatience creates doubt (RFC 5321 4.5.3.2.6 would allow 10 minutes)."""
IDLE_LIMIT = 30.0
"""Seconds after which an idle connection is not used again: firewalls forget silently."""
_DRAIN_POLL = 0.02

_PORTS = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}
_LINE_END = re.compile(rb"\r\n|\r|\n")
_LEADING_DOT = re.compile(rb"(?m)^\.")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class SmtpServer:
    """Where mail is handed in, and how. ``tls`` is ``none``, ``starttls`` (required) or ``implicit``."""

    host: str
    port: int
    tls: str
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @classmethod
    def of_url(cls, url: str) -> "SmtpServer":
        """Read ``smtp://``, ``smtps://`` or ``smtp+starttls://[user:password@]host[:port]``; raises ValueError.

        ``smtp://...?starttls=true`` is ``smtp+starttls://`` but for the default port. User and password are
        percent-encoded. The message never holds the URL, which may contain a password.
        """
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        starttls = options.pop("starttls", "false")
        if parts.scheme not in _PORTS or not parts.hostname or parts.path not in {"", "/"} or options:
            raise ValueError(
                "expected smtp://, smtps:// or smtp+starttls://[user:password@]host[:port][?starttls=true]"
            )
        if starttls not in {"true", "false"}:
            raise ValueError("starttls is true or false")
        tls = "implicit" if parts.scheme == "smtps" else "starttls" if "starttls" in parts.scheme else "none"
        if starttls == "true" and tls == "none":
            tls = "starttls"
        if parts.username and tls == "none" and parts.hostname not in _LOOPBACK:
            raise ValueError("smtp:// would send the password in the clear: use smtps:// or smtp+starttls://")
        return cls(
            parts.hostname,
            parts.port or _PORTS[parts.scheme],
            tls,
            unquote(parts.username or ""),
            unquote(parts.password or ""),
        )


@dataclass(frozen=True)
class Timeouts:
    """Seconds that a server is given; see the constants above for the reasons."""

    connect: float = CONNECT_TIMEOUT
    command: float = COMMAND_TIMEOUT
    final: float = FINAL_TIMEOUT


@dataclass(frozen=True)
class Envelope:
    """Who a mail is from and for, in the form that goes on the wire; ``utf8`` asks for SMTPUTF8 (RFC 6531)."""

    sender: str
    recipient: str
    utf8: bool = False


class _StaleError(Exception):
    """A connection that had been used before turned out to be closed before MAIL was accepted."""


class _Connection:
    """One connection to the server and what is known of it."""

    def __init__(self, client: aiosmtplib.SMTP) -> None:
        self.client = client
        self.used = 0
        self.idle_since = 0.0


class SmtpTransport:
    """At most ``connections`` connections to one server, each reused for one mail after another.

    For use in one event loop. ``send`` never raises for what server or network do.
    """

    def __init__(
        self,
        server: SmtpServer,
        *,
        connections: int,
        timeouts: Timeouts | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._server = server
        self._timeouts = timeouts or Timeouts()
        self._context = context or (None if server.tls == "none" else ssl.create_default_context())
        self._slots = asyncio.Semaphore(connections)
        self._idle: list[_Connection] = []

    async def send(self, envelope: Envelope, content: bytes) -> Outcome:
        """Hand in one mail; ``content`` is the whole message with headers. Text in outcomes holds no address."""
        async with self._slots:
            while (reused := self._reusable()) is not None:
                try:
                    return await self._over(reused, envelope, content)
                except _StaleError:
                    continue
            fresh = await self._connect()
            return await self._over(fresh, envelope, content) if isinstance(fresh, _Connection) else fresh

    async def close(self) -> None:
        """Say goodbye on every idle connection."""
        while self._idle:
            client = self._idle.pop().client
            try:
                await client.quit(timeout=1.0)
            except (aiosmtplib.SMTPException, OSError):
                client.close()

    def _reusable(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.client.is_connected and time.monotonic() - connection.idle_since < IDLE_LIMIT:
                return connection
            connection.client.close()
        return None

    async def _connect(self) -> _Connection | Outcome:
        server = self._server
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            local_hostname=socket.gethostname() or "localhost",
            timeout=self._timeouts.connect,
            use_tls=server.tls == "implicit",
            start_tls=server.tls == "starttls",
            tls_context=self._context,
            username=server.username or None,
            password=server.password if server.username else None,
        )
        try:
            await client.connect()
            if client.is_ehlo_or_helo_needed:
                await client.ehlo()
        except aiosmtplib.SMTPAuthenticationError as error:
            return classify_smtp(Phase.AUTH, error.code, error.message)
        except aiosmtplib.SMTPResponseException as error:
            client.close()
            return classify_smtp(Phase.CONNECT, error.code, error.message)
        except OSError as error:  # aiosmtplib's connection and timeout errors among them, and ssl.SSLError
            client.close()
            return Retry(f"no connection to the mail server: {type(error).__name__}")
        except aiosmtplib.SMTPException as error:  # the server lacks STARTTLS or AUTH
            client.close()
            return Rejected(Scope.CHANNEL, f"the mail server cannot do what is configured: {error.message}")
        return _Connection(client)

    async def _over(self, connection: _Connection, envelope: Envelope, content: bytes) -> Outcome:
        """Send over ``connection`` and keep it if it is still in step."""
        dialogue = _Dialogue(connection, envelope, self._timeouts)
        try:
            outcome = await dialogue.run(content)
        except BaseException:  # cancelled, or stale: a dialogue cut in the middle must not be continued
            _cut(connection.client)
            raise
        if dialogue.in_step and connection.client.is_connected:
            connection.used += 1
            connection.idle_since = time.monotonic()
            self._idle.append(connection)
        else:
            _cut(connection.client)
        return outcome


class _Dialogue:
    """One mail over one connection."""

    def __init__(self, connection: _Connection, envelope: Envelope, timeouts: Timeouts) -> None:
        self._connection = connection
        self._client = connection.client
        self._envelope = envelope
        self._timeouts = timeouts
        self._phase = Phase.MAIL
        self.in_step = False

    async def run(self, content: bytes) -> Outcome:
        """Go through MAIL, RCPT, DATA and the message; raises _StaleError only for a reused connection at MAIL."""
        if self._envelope.utf8 and not self._client.supports_extension("smtputf8"):
            self.in_step = True
            return Rejected(Scope.RECIPIENT, "the mail server does not take this kind of address (SMTPUTF8)")
        try:
            return await self._steps(content)
        except (aiosmtplib.SMTPException, OSError) as error:
            if self._phase is Phase.MAIL and self._connection.used:
                raise _StaleError from error
            reason = f"{_what(error)} at {self._phase}"
            return InDoubt(reason) if self._phase is Phase.END else Retry(reason)

    async def _steps(self, content: bytes) -> Outcome:
        for phase, command in self._commands(len(content)):
            self._phase = phase
            reply = await self._client.execute_command(*command, timeout=self._timeouts.command)
            if phase is Phase.MAIL and reply.code == 421 and self._connection.used:
                raise _StaleError
            if reply.code not in ((354,) if phase is Phase.DATA else (250, 251)):
                return await self._refused(reply)
        reply = await self._transmit(content)
        self.in_step = reply.code // 100 in (2, 4, 5) and reply.code != 421
        return self._outcome(reply)

    def _commands(self, size: int) -> list[tuple[Phase, tuple[bytes, ...]]]:
        encoding = "utf-8" if self._envelope.utf8 else "ascii"
        options = [b"SMTPUTF8"] if self._envelope.utf8 else []
        if self._client.supports_extension("size"):
            options.append(b"SIZE=%d" % size)
        return [
            (Phase.MAIL, (b"MAIL", f"FROM:<{self._envelope.sender}>".encode(encoding), *options)),
            (Phase.RCPT, (b"RCPT", f"TO:<{self._envelope.recipient}>".encode(encoding))),
            (Phase.DATA, (b"DATA",)),
        ]

    async def _transmit(self, content: bytes) -> aiosmtplib.SMTPResponse:
        """Write the message and, only once all of it has left, the final dot; return the server's verdict."""
        protocol = self._client.protocol
        if protocol is None:
            raise aiosmtplib.SMTPServerDisconnected("connection lost")
        protocol.write(_dotted(content))
        async with asyncio.timeout(self._timeouts.command):
            await _drained(protocol)
        protocol.write(b".\r\n")  # raises, with nothing written, if the connection was lost meanwhile
        self._phase = Phase.END
        return await protocol.read_response(timeout=self._timeouts.final)

    async def _refused(self, reply: aiosmtplib.SMTPResponse) -> Outcome:
        outcome = self._outcome(reply)
        try:
            reset = await self._client.execute_command(b"RSET", timeout=self._timeouts.command)
            self.in_step = reset.code == 250
        except (aiosmtplib.SMTPException, OSError):
            self.in_step = False
        return outcome

    def _outcome(self, reply: aiosmtplib.SMTPResponse) -> Outcome:
        said = self._redacted(reply.message)
        match classify_smtp(self._phase, reply.code, reply.message):
            case Sent():
                return Sent(receipt=said)
            case Retry(reason, after, soft=soft):
                return Retry(f"{reason}: {said}", after, soft=soft)
            case Rejected(scope, reason, soft=soft):
                return Rejected(scope, f"{reason}: {said}", soft=soft)
            case InDoubt(reason):
                return InDoubt(f"{reason}: {said}")

    def _redacted(self, text: str) -> str:
        """The server's words without anything that looks like an address, for the log."""
        local = re.escape(self._envelope.recipient.rpartition("@")[0])
        line = re.sub(r"\S*@\S*", "[address]", " ".join(text.split()))
        line = re.sub(rf"(?<!\w){local}(?!\w)", "[address]", line, flags=re.IGNORECASE)
        return "".join(c for c in line if c.isprintable())[:200]


def _cut(client: aiosmtplib.SMTP) -> None:
    """Close at once: a polite close would go on writing a message that nobody reads."""
    transport = cast(asyncio.WriteTransport | None, client.transport)
    client.close()
    if transport is not None:
        transport.abort()


def _dotted(content: bytes) -> bytes:
    """Make line ends CRLF, end the last line, and double leading dots (RFC 5321 4.5.2)."""
    lines = _LINE_END.sub(b"\r\n", content)
    return _LEADING_DOT.sub(b"..", lines if lines.endswith(b"\r\n") else lines + b"\r\n")


async def _drained(protocol: SMTPProtocol) -> None:
    """Wait until the operating system has taken all that was written; returns too when the connection is lost.

    aiosmtplib offers no drain. A mail nearly always fits into the socket's buffer and does not wait here at all.
    """
    while protocol.transport is not None:
        if not cast(asyncio.WriteTransport, protocol.transport).get_write_buffer_size():
            return
        await asyncio.sleep(_DRAIN_POLL)


def _what(error: Exception) -> str:
    return "the mail server did not answer" if isinstance(error, TimeoutError) else "the connection broke"
