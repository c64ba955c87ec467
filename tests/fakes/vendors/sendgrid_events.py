"""SendGrid's Event Webhook: what becomes of mails, signed as SendGrid signs it; or forged, late, twice and out of order.

https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
"""

import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.fakes.vendors.sendgrid import Letter

SIGNATURE, TIMESTAMP = "X-Twilio-Email-Event-Webhook-Signature", "X-Twilio-Email-Event-Webhook-Timestamp"


@dataclass(frozen=True)
class Posted:
    """A request as it is posted."""

    body: bytes
    headers: dict[str, str]


class Events:
    """Writes and signs events of one account. ``public_key`` is what its owner is shown."""

    def __init__(self) -> None:
        self._key: EllipticCurvePrivateKey = generate_private_key(SECP256R1())
        public = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.public_key = b64encode(public).decode()
        self._written = 0

    def event(self, letter: Letter, name: str, at: int, **more: Any) -> dict[str, Any]:
        """Return an event about a mail (``at`` in seconds since 1970); the mail's own arguments are among its members."""
        self._written += 1
        return {
            "email": letter.to,
            "timestamp": at,
            "smtp-id": letter.headers.get("Message-ID", "<1@ismtpd.sendgrid.net>"),
            "event": name,
            "sg_event_id": f"event-{self._written}",
            "sg_message_id": f"{letter.message_id}.recvd-5f54b5d587-pczjm-1-67BADEEA-6.0",
            **letter.custom_args,
            **more,
        }

    def posted(self, events: Sequence[Any] | Any, at: int) -> Posted:
        """Return the request that brings events, signed at a time: a line an event, as SendGrid writes them."""
        body = (json.dumps(events, separators=(",", ":")).replace("},{", "},\r\n{") + "\r\n").encode()
        return self.signed(body, at)

    def signed(self, body: bytes, at: int | str) -> Posted:
        """Sign any bytes with any time."""
        signature = self._key.sign(str(at).encode() + body, ECDSA(SHA256()))
        headers = {
            "Content-Type": "application/json;charset=utf-8",
            "User-Agent": "SendGrid Event API",
            SIGNATURE: b64encode(signature).decode(),
            TIMESTAMP: str(at),
        }
        return Posted(body, headers)
