"""The web push channel: an encrypted notification for a browser, by its vendor's push service. What a browser shows is its page's.

RFC 8030 (the request, TTL, Topic, Urgency), RFC 8291 (encryption), RFC 8292 (VAPID). The push service's address comes from the
browser, that is, from a stranger: it is guarded. ``Topic`` lets a newer message of an incident replace an older one that
the browser has not fetched yet, and a repetition replace itself.
"""

import base64
import binascii
import json
import re
import ssl
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Annotated, Any

import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec.structs import replace

from consumers.delivery.channel import AddressError, Capabilities, ConfirmBy, Message
from consumers.delivery.classify import classify_http
from consumers.delivery.context import ChannelContext
from consumers.delivery.net.guard import Guard
from consumers.delivery.net.post import TIMEOUT, Answer, Poster
from consumers.delivery.net.url import UrlError, checked_url
from consumers.delivery.outcome import InDoubt, Outcome, Rejected, Scope, Sent
from consumers.delivery.render.text import Parts, cut_to, fitted, parts_of
from consumers.delivery.render.words import moment
from consumers.delivery.settings import ChannelSettings, Secret, setting
from schemas.ids import derive
from schemas.shapes import decoder
from schemas.vocabulary import Impact, Kind

CONNECTIONS = 100
PLAIN_LIMIT = 2_900
"""Bytes before encryption, which adds 103: push services take 4096 in theory, and 3072 in practice."""
_TITLE_LIMIT, _BODY_LIMIT = 400, 1_200
_TOKEN_LIFE = timedelta(hours=12)
"""RFC 8292 allows 24 hours; the clock of a push service may be wrong."""
_CONTACT = re.compile(r"mailto:[^@\s]+@[\w-]+(\.[\w-]+)+|https://[\w-]+(\.[\w-]+)+", re.ASCII)
_PUBLIC_BYTES, _AUTH_BYTES, _PRIVATE_BYTES = 65, 16, 32
_HINT = (
    '{"endpoint":"https://push.example.net/v1/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV","keys":{"auth":"BTBZMqHH6r4Tts7J_aSIgg",'
    '"p256dh":"BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"}}'
)
"""The receiver of RFC 8291, section 5."""


def _private_key(text: str) -> ec.EllipticCurvePrivateKey:
    """Read a key as generators of VAPID keys write it; raises ValueError."""
    raw = _decoded(text)
    if len(raw) != _PRIVATE_BYTES:
        raise ValueError("not 32 bytes")
    return ec.derive_private_key(int.from_bytes(raw), ec.SECP256R1())


def _contact(text: str) -> None:
    if not _CONTACT.fullmatch(text):
        raise ValueError("nobody can be reached by that")


class WebPushSettings(ChannelSettings, frozen=True):
    """``channels.webpush``. Allowed networks may be reached on any port, and without TLS."""

    vapid_private_key: Annotated[
        Secret,
        setting(
            "a VAPID private key: 32 bytes in base64url",
            "Signs for this page; browsers subscribe with its public key and hear of no other.",
            check=_private_key,
        ),
    ]
    contact: Annotated[
        str,
        setting(
            "mailto:status@acme.example, or an https address without a path",
            "Whom a push service asks if it has trouble with us.",
            check=_contact,
        ),
    ]
    ttl: Annotated[
        int,
        setting(
            "a whole number of seconds from 60 to 2419200",
            "How long a push service keeps a message for a browser that is off.",
            ge=60,
            le=2_419_200,
        ),
    ] = 86_400
    allow_networks: Annotated[
        tuple[Annotated[str, setting("an IP network such as 10.0.0.0/8", check=ip_network)], ...],
        setting(None, "Private networks that a push service may be in; public addresses are always allowed."),
    ] = ()

    @property
    def application_server_key(self) -> str:
        """The public key, as a page's script hands it to the browser (``applicationServerKey``, base64url)."""
        key = _private_key(self.vapid_private_key.reveal()).public_key()
        return _encoded(key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


class Keys(msgspec.Struct, frozen=True):
    """What a message for a browser is encrypted with, in base64url without padding."""

    auth: str
    p256dh: str


class Subscription(msgspec.Struct, frozen=True):
    """What a browser's ``PushSubscription.toJSON()`` says; its other members are left out."""

    endpoint: str
    keys: Keys


class WebPushChannel:
    """Notifications of browsers. Sending one twice shows it once."""

    capabilities = Capabilities(
        name="webpush",
        title="Browser",
        address_field="subscription",
        address_hint=_HINT,
        idempotent=True,
        confirm_by=ConfirmBy.LINK,
        claim=CONNECTIONS,
        combines=True,
    )

    def __init__(
        self,
        settings: WebPushSettings,
        context: ChannelContext,
        *,
        timeout: float = TIMEOUT,
        guard: Guard | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        # aiohttp and requests come along, which only those who switch it on shall pay for.
        from py_vapid import Vapid02  # type: ignore[import-untyped]  # noqa: PLC0415

        # As above.
        from pywebpush import WebPusher  # type: ignore[import-untyped]  # noqa: PLC0415

        self._pusher = WebPusher
        self._vapid = Vapid02(_private_key(settings.vapid_private_key.reveal()))
        self.capabilities = replace(self.capabilities, browser_key=settings.application_server_key)
        self._settings = settings
        self._now = context.now
        self._guard = guard or Guard([ip_network(network) for network in settings.allow_networks])
        self._poster = Poster(self._guard, connections=CONNECTIONS, timeout=timeout, tls=tls)

    def validate(self, address: str) -> str:
        """Return the subscription as JSON with what is needed of it, in one order; raises AddressError."""
        subscription, url = self._read(address)
        return msgspec.json.encode(msgspec.structs.replace(subscription, endpoint=str(url)), order="sorted").decode()

    def mask(self, address: str) -> str:
        """Show the push service only: the rest of the address lets anybody wake the browser."""
        try:
            return f"{self._read(address)[1].host}/…"
        except AddressError:
            return "…"

    async def send(self, message: Message) -> Outcome:
        try:
            subscription, url = self._read(message.endpoint.address)
        except AddressError as error:
            return Rejected(Scope.RECIPIENT, str(error))
        plain = payload_of(message)
        if len(plain) > PLAIN_LIMIT:
            return Rejected(Scope.MESSAGE, "it does not fit into a notification")
        answer = await self._poster.post(url, self._headers(message, url), self._encrypted(subscription, plain))
        return self._judged(answer) if isinstance(answer, Answer) else answer

    async def close(self) -> None:
        await self._poster.close()

    def _read(self, address: str) -> tuple[Subscription, httpx.URL]:
        try:
            found = decoder(Subscription).decode(address)
            keys = Keys(
                auth=_of_length(found.keys.auth, _AUTH_BYTES), p256dh=_of_length(found.keys.p256dh, _PUBLIC_BYTES)
            )
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), _decoded(keys.p256dh))
            url = checked_url(found.endpoint, self._guard)
        except UrlError as error:
            raise AddressError(str(error)) from None
        except (ValueError, RecursionError):  # msgspec's errors among them
            raise AddressError("this is not a browser's push subscription") from None
        if url.scheme != "https" and not self._guard.allows_own_networks:
            raise AddressError("a push service has an https URL")
        return Subscription(str(url), keys), url

    def _encrypted(self, subscription: Subscription, plain: bytes) -> bytes:
        encoded: Any = self._pusher(msgspec.to_builtins(subscription)).encode(plain)
        return bytes(encoded["body"])

    def _headers(self, message: Message, url: httpx.URL) -> dict[str, str]:
        notice = message.notice
        claims = {
            "sub": self._settings.contact,
            "aud": f"{url.scheme}://{url.netloc.decode('ascii')}",
            "exp": int((self._now() + _TOKEN_LIFE).timestamp()),
        }
        urgent = notice.kind is Kind.INCIDENT and notice.impact in {Impact.MAJOR, Impact.CRITICAL}
        return {
            "authorization": self._vapid.sign(claims)["Authorization"],
            "content-encoding": "aes128gcm",
            "content-type": "application/octet-stream",
            "topic": derive("topic", notice.page_url, notice.kind, notice.subject_id),
            "ttl": str(self._settings.ttl),
            "urgency": "high" if urgent else "normal",
        }

    def _judged(self, answer: Answer) -> Outcome:
        outcome = classify_http(
            answer.status,
            now=self._now(),
            retry_after=answer.retry_after,
            # A subscription that was made with another key is refused too, and anybody may send us one of those.
            access=Scope.MESSAGE,
        )
        if isinstance(outcome, Sent) and answer.status not in {201, 202}:
            return InDoubt(f"answered {answer.status}, which is no push service's answer")
        return outcome


def payload_of(message: Message) -> bytes:
    """Return what the page's service worker is given: JSON, at most ``PLAIN_LIMIT`` bytes unless links are monstrous.

    ``title``, ``body``, ``url`` (where a click leads) and ``tag`` (a notification replaces one with the same) are what it
    shows; ``kind``, ``status``, ``drill``, ``published_at`` and ``unsubscribe_url`` are for its use.
    """
    notice, parts = message.notice, parts_of(message)
    document = {
        "title": cut_to(parts.headline, _TITLE_LIMIT, _json_bytes),
        "body": "",
        "url": parts.link,
        "tag": notice.subject_id or notice.kind.value,
        "kind": notice.kind.value,
        "status": notice.status,
        "drill": message.drill,
        "published_at": _written(moment(notice.published_at)),
        "unsubscribe_url": message.unsubscribe_url,
    }
    free = min(_BODY_LIMIT, PLAIN_LIMIT - len(msgspec.json.encode(document)))
    document["body"] = fitted(Parts("", parts.body, parts.promise, ""), max(free, 0), _json_bytes)
    return msgspec.json.encode(document)


def _json_bytes(text: str) -> int:
    """Return how many bytes a text takes within JSON."""
    return len(json.dumps(text, ensure_ascii=False).encode()) - 2


def _written(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _of_length(text: str, length: int) -> str:
    raw = _decoded(text)
    if len(raw) != length:
        raise ValueError("not of that length")
    return _encoded(raw)


def _decoded(text: str) -> bytes:
    """Read base64url with or without padding; raises ValueError."""
    bare = text.rstrip("=").encode("ascii")
    try:
        return base64.b64decode(bare + b"=" * (-len(bare) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise ValueError("not base64url") from None


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def webpush_channel(settings: WebPushSettings, context: ChannelContext) -> WebPushChannel:
    """Make the channel from its settings."""
    return WebPushChannel(settings, context)
