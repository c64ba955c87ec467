"""A browser vendor's push service, with the browser behind it: RFC 8030, and what it must be given by RFC 8291 and 8292.

It holds the browser's keys, as no real push service does: so it decrypts what it is given and refuses what no browser could read.
"""

import base64
import json
import re
import time
from typing import Any

import http_ece  # type: ignore[import-untyped] # it has no types
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from tests.fakes.vendors.http import Reply, Request, json_reply

PATH = "/wpush/v2/gAAAAABs3cret"
PRIVATE = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"
PUBLIC = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"
"""The receiver of RFC 8291, section 5."""
_LARGEST = 3_072
_LONGEST_LIFE = 24 * 3_600
_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}")


def raw(text: str) -> bytes:
    """Decode base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def decrypted(body: bytes) -> bytes:
    """Return what the browser reads; raises http_ece.ECEException or ValueError for what it cannot."""
    key = ec.derive_private_key(int.from_bytes(raw(PRIVATE)), ec.SECP256R1())
    plain: bytes = http_ece.decrypt(body, private_key=key, auth_secret=raw(AUTH), version="aes128gcm")
    return plain


class PushService:
    """Takes messages for one browser that subscribed with ``server_key``. ``shown`` is what it was told, in order.

    ``waiting`` are the messages by topic that a browser which is off would find: a newer one replaces an older one.
    """

    def __init__(self, server_key: str) -> None:
        self.shown: list[Any] = []
        self.waiting: dict[str, Any] = {}
        self.origin = ""
        self._server_key = server_key

    def complaint(self, request: Request) -> str | None:
        if request.path != PATH or request.method != "POST":
            return "404: no such subscription"
        try:
            self._require_vapid(request.headers.get("authorization", ""))
        except (ValueError, KeyError, InvalidSignature) as error:
            return f"401: VAPID: {error}"
        return _header_complaint(request.headers) or _body_complaint(request.raw)

    def invalid(self, request: Request, complaint: str) -> Reply:
        return json_reply(int(complaint[:3]), {"message": complaint})

    def accept(self, request: Request) -> Reply:
        shown = json.loads(decrypted(request.raw))
        self.shown.append(shown)
        self.waiting[request.headers["topic"]] = shown
        return Reply(201, {"Location": f"{self.origin}/m/{len(self.shown)}", "TTL": request.headers["ttl"]})

    def _require_vapid(self, authorization: str) -> None:
        """Check a token as RFC 8292 says; raises ValueError, KeyError or InvalidSignature."""
        scheme, _, rest = authorization.partition(" ")
        parts = dict(part.strip().split("=", 1) for part in rest.split(","))
        if scheme != "vapid" or parts["k"] != self._server_key:
            raise ValueError("the subscription was made with another key")
        signed, _, signature = parts["t"].rpartition(".")
        head, claims = (json.loads(raw(part)) for part in signed.split("."))
        if head != {"typ": "JWT", "alg": "ES256"} or claims["aud"] != self.origin:
            raise ValueError("the token is for somebody else")
        if not 0 < claims["exp"] - time.time() <= _LONGEST_LIFE:
            raise ValueError("the token lives too long, or no more")
        if not claims["sub"].startswith(("mailto:", "https://")):
            raise ValueError("nobody can be reached")
        r, s = (int.from_bytes(half) for half in (raw(signature)[:32], raw(signature)[32:]))
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw(self._server_key))
        key.verify(encode_dss_signature(r, s), signed.encode(), ec.ECDSA(SHA256()))


def _header_complaint(headers: dict[str, str]) -> str | None:
    if not headers.get("ttl", "").isdigit():
        return "400: TTL is required"
    if not _TOPIC.fullmatch(headers.get("topic", "")):
        return "400: Topic is no more than 32 characters of base64url"
    if headers.get("urgency") not in {"very-low", "low", "normal", "high"}:
        return "400: Urgency"
    return None if headers.get("content-encoding") == "aes128gcm" else "400: Content-Encoding"


def _body_complaint(body: bytes) -> str | None:
    if len(body) > _LARGEST:
        return "413: too large"
    try:
        json.loads(decrypted(body))
    except (http_ece.ECEException, ValueError) as error:
        return f"400: no browser could read it: {error}"
    return None
