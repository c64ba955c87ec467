"""What a request to SendGrid holds for each recipient alone: encoded once for a notice, filled in for each of a thousand. No I/O.

https://www.twilio.com/docs/sendgrid/for-developers/sending-email/personalizations. Building and encoding the values of each
recipient by themselves would take three times as long as all else that is done with a request; that is done only where
something in them needs to be escaped.
"""

import re
import secrets
from collections.abc import Callable, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, TypeAlias

import orjson
from msgspec.structs import replace

from consumers.delivery.channel import Message
from consumers.delivery.render.mail_texts import MailTexts, own_headers

Person: TypeAlias = tuple[Message, str]
"""A message, and the address it goes to as it is written, in ASCII."""
_PLAIN = bytes(set(range(0x20, 0x7F)) - set(b"\"\\&<>'"))
"""Characters that stand for themselves in JSON as well as in HTML."""


class PersonalParts:
    """Makes the personalizations of the mails that differ from ``like`` in nothing but what is their recipient's own.

    ``headers`` are those that all of them share: a personalization's headers replace the request's.
    """

    def __init__(self, like: Message, headers: dict[str, str], texts: MailTexts, domain: str) -> None:
        self._headers = headers
        self._texts = texts
        self._domain = domain
        self._pieces, self._places = self._form(like)

    def encode(self, people: Sequence[Person], attempt: str) -> bytes:
        """Return the personalizations of ``people`` as a JSON array; ``attempt`` is an argument that all of them have."""
        own = [
            (to, one.notification, one.unsubscribe_url, one.confirm_url, one.manage_url, attempt) for one, to in people
        ]
        if not _is_plain("".join(chain.from_iterable(own))):
            return orjson.dumps([self.values(one, to, attempt) for one, to in people])
        text, places = list(self._pieces), self._places
        filled: list[str] = []
        for each in own:
            text[1::2] = places(each)
            filled.append("".join(text))
        return f"[{','.join(filled)}]".encode()

    def values(self, message: Message, to: str, attempt: str) -> dict[str, Any]:
        """Return one personalization. The message id and the links must fit into headers (``require_own_fitting``)."""
        found = {
            "to": [{"email": to}],
            "headers": self._headers | own_headers(message, self._domain),
            "custom_args": {"notification": message.notification, "attempt": attempt},
        }
        links = self._texts.links(message)
        return found | {"substitutions": links} if links else found

    def _form(self, like: Message) -> tuple[list[str], Callable[[Sequence[str]], tuple[str, ...]]]:
        """Return a personalization in pieces, of which each second one is a recipient's own, and what chooses those.

        It is one with marks, encoded and taken apart where they stand.
        """
        to, notification, unsubscribe, confirm, manage, attempt = (secrets.token_hex(12) for _ in range(6))
        marked = replace(
            like,
            notification=notification,
            unsubscribe_url=unsubscribe if like.unsubscribe_url else "",
            confirm_url=confirm if like.confirm_url else "",
            manage_url=manage if like.manage_url else "",
        )
        marks = (to, notification, unsubscribe, confirm, manage, attempt)
        pieces = re.split(f"({'|'.join(marks)})", orjson.dumps(self.values(marked, to, attempt)).decode())
        return pieces, itemgetter(*map(marks.index, pieces[1::2]))


def _is_plain(text: str) -> bool:
    return text.isascii() and not text.encode("ascii").translate(None, _PLAIN)
