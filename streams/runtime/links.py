"""Signed links to subscribers: made for mails and webhooks, read when one comes back. Keeps nothing.

The signature is the whole of the authority, so a link needs no login and no cookie. A link of one purpose is worthless
for another; they depend on the master key alone and so outlive restarts.
"""

import hmac
from base64 import urlsafe_b64encode
from binascii import b2a_base64
from collections.abc import Sequence
from enum import StrEnum
from hashlib import sha256
from typing import Any

import msgspec
from itsdangerous import BadData, SignatureExpired, Signer, TimestampSigner, URLSafeSerializer, URLSafeTimedSerializer
from itsdangerous.encoding import base64_decode

from schemas.shapes import decoder
from streams.runtime.clock import Clock, system_clock

CONFIRM_SECONDS = 7 * 24 * 3600
"""How long a sign-up can be confirmed. Links that unsubscribe or manage never expire: the mail that holds them does not either."""
CODE_SECONDS = 600
"""How long a code that was sent to a phone can be typed."""
_CODE_DIGITS = 6
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_PAYLOAD = decoder(tuple[str, str])


class Purpose(StrEnum):
    """What a link is good for; also the first part of its path."""

    CONFIRM = "confirm"
    UNSUBSCRIBE = "unsubscribe"
    MANAGE = "manage"


class Ticket(msgspec.Struct, frozen=True):
    """What a link stands for."""

    page: str
    subscriber: str


class CodeTicket(msgspec.Struct, frozen=True):
    """Where a code is typed: ``owner`` asked for it, ``subscriber`` is the number that it confirms."""

    page: str
    owner: str
    subscriber: str


class LinkError(ValueError):
    """A token that we did not make, or not for this; the message says it to whoever followed the link."""


class ExpiredLinkError(LinkError):
    """A token of ours that is too old."""


class _Stamper(TimestampSigner):
    """itsdangerous's signer, told what time it is."""

    def __init__(self, *args: Any, clock: Clock, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._clock = clock

    def get_timestamp(self) -> int:
        return self._clock() // 1_000_000


class Links:
    """Makes and reads the links of one installation. ``base_url`` is where its pages are reached from outside."""

    def __init__(self, base_url: str, signing_key: bytes, clock: Clock = system_clock) -> None:
        self._base = base_url.rstrip("/")
        self._unsubscribe = URLSafeSerializer(
            signing_key, salt="tocsin.unsubscribe", signer_kwargs={"digest_method": sha256}
        )
        self._confirm = URLSafeTimedSerializer(
            signing_key,
            salt="tocsin.confirm",
            signer=_Stamper,
            signer_kwargs={"digest_method": sha256, "clock": clock},
        )
        # Each mail of a million has both: with its key at hand a signature takes a fifth of itsdangerous's time.
        self._unsubscribing = _Keyed(self._unsubscribe.make_signer().derive_key())
        managing = hmac.new(signing_key, b"tocsin.manage", sha256).digest()
        self._managing = _Keyed(managing)
        self._manage = Signer(managing, key_derivation="none", digest_method=sha256)
        self._codes = URLSafeTimedSerializer(
            signing_key,
            salt="tocsin.code",
            signer=_Stamper,
            signer_kwargs={"digest_method": sha256, "clock": clock},
        )
        self._code_key = hmac.new(signing_key, b"tocsin.code.digits", sha256).digest()
        self._secret = hmac.new(signing_key, b"tocsin.challenge", sha256).hexdigest()

    @property
    def secret(self) -> str:
        """What the challenges of webhooks are derived from (64 hex digits)."""
        return self._secret

    def confirm_url(self, page: str, subscriber: str) -> str:
        """Return where a sign-up is confirmed: GET shows a button, POST does it. It is good for seven days."""
        return self._url(Purpose.CONFIRM, self.token(Purpose.CONFIRM, page, subscriber))

    def unsubscribe_url(self, page: str, subscriber: str) -> str:
        """Return where a subscriber leaves: GET shows a button, POST does it (RFC 8058)."""
        return self._url(Purpose.UNSUBSCRIBE, self.token(Purpose.UNSUBSCRIBE, page, subscriber))

    def manage_url(self, page: str, subscriber: str) -> str:
        """Return where a subscriber sees and changes what they hear of: GET shows a form, POST changes it."""
        return self._url(Purpose.MANAGE, self.token(Purpose.MANAGE, page, subscriber))

    def own_urls(self, page: str, subscribers: Sequence[str]) -> list[tuple[str, str]]:
        """Return for each what ``unsubscribe_url`` and ``manage_url`` do: the links of a notice's mails, for many at once."""
        leaving, managing = self._url(Purpose.UNSUBSCRIBE, ""), self._url(Purpose.MANAGE, "")
        found: list[tuple[str, str]] = []
        leave, manage = self._unsubscribing.digest, self._managing.digest
        for subscriber in subscribers:
            value = (
                b2a_base64(msgspec.json.encode((page, subscriber)), newline=False).rstrip(b"=\n").translate(_URL_SAFE)
            )
            # Three bytes are four characters: with a byte more than a signature has, both can be encoded at once.
            both = b2a_base64(leave(value) + b"\0" + manage(value), newline=False).translate(_URL_SAFE)
            payload, signed = value.decode("ascii"), both.decode("ascii")
            found.append((f"{leaving}{payload}.{signed[:43]}", f"{managing}{payload}.{signed[44:-1]}"))
        return found

    def token(self, purpose: Purpose, page: str, subscriber: str) -> str:
        """Return the signed part of a link; URL-safe."""
        payload = [page, subscriber]
        match purpose:
            case Purpose.CONFIRM:
                return self._confirm.dumps(payload)
            case Purpose.UNSUBSCRIBE:
                return _signed(self._unsubscribing, payload)
            case Purpose.MANAGE:
                return _signed(self._managing, payload)

    def read(self, purpose: Purpose, token: str) -> Ticket:
        """Return what ``token`` stands for; raises LinkError, and ExpiredLinkError for one that was good once."""
        try:
            page, subscriber = self._read(purpose, token)
        except SignatureExpired:
            raise ExpiredLinkError("This link has expired. Please sign up again.") from None
        except (BadData, msgspec.DecodeError, UnicodeError):
            raise LinkError("This link is not valid. Perhaps a part of it was cut off.") from None
        return Ticket(page, subscriber)

    def _read(self, purpose: Purpose, token: str) -> tuple[str, str]:
        match purpose:
            case Purpose.CONFIRM:
                return msgspec.convert(self._confirm.loads(token, max_age=CONFIRM_SECONDS), tuple[str, str])
            case Purpose.UNSUBSCRIBE:
                return msgspec.convert(self._unsubscribe.loads(token), tuple[str, str])
            case Purpose.MANAGE:
                return _PAYLOAD.decode(base64_decode(self._manage.unsign(token)))

    def code(self, page: str, subscriber: str) -> str:
        """Return the six digits that confirm a number. They depend on the subscriber's random id, so each attempt has its own."""
        digest = hmac.new(self._code_key, msgspec.json.encode([page, subscriber]), sha256).digest()
        return f"{int.from_bytes(digest[:8], 'big') % 10**_CODE_DIGITS:0{_CODE_DIGITS}}"

    def code_token(self, ticket: CodeTicket) -> str:
        """Return the signed part of the link to where a code is typed; it is good for ten minutes."""
        return self._codes.dumps([ticket.page, ticket.owner, ticket.subscriber])

    def read_code_token(self, token: str) -> CodeTicket:
        """Return what such a part stands for; raises LinkError and ExpiredLinkError."""
        try:
            payload = self._codes.loads(token, max_age=CODE_SECONDS)
            return CodeTicket(*msgspec.convert(payload, tuple[str, str, str]))
        except SignatureExpired:
            raise ExpiredLinkError("The code has expired. Please ask for another one.") from None
        except (BadData, msgspec.DecodeError, UnicodeError):
            raise LinkError("This link is not valid. Perhaps a part of it was cut off.") from None

    def _url(self, purpose: Purpose, token: str) -> str:
        return f"{self._base}/{purpose}/{token}"


class _Keyed:
    """HMAC-SHA-256 (RFC 2104) under one key of at most 64 bytes, both halves of which are begun once: twice as fast as ``hmac``."""

    def __init__(self, key: bytes) -> None:
        block = key.ljust(64, b"\0")
        self._inner, self._outer = (sha256(bytes(one ^ pad for one in block)) for pad in (0x36, 0x5C))

    def digest(self, value: bytes) -> bytes:
        """Return ``hmac.digest(key, value, "sha256")``."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(value)
        outer.update(inner.digest())
        return outer.digest()


def _signed(keyed: _Keyed, payload: list[str]) -> str:
    """Return what itsdangerous's signer makes of a payload in base64 with a derived key, and its serializer reads."""
    value = urlsafe_b64encode(msgspec.json.encode(payload)).rstrip(b"=")
    return (value + b"." + urlsafe_b64encode(keyed.digest(value)).rstrip(b"=")).decode("ascii")
