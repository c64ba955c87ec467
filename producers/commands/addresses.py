"""Addresses as people type them, in the one form under which they are kept and found. No network is asked."""

from dataclasses import dataclass

import httpx
import msgspec
from email_validator import EmailNotValidError, validate_email

from producers.commands.bodies.subscribers import NewSubscriber
from streams.runtime.problems import ProblemError, invalid

_LAST_PORT = 65_535


@dataclass(frozen=True)
class Address:
    """Where a channel reaches someone; never logged."""

    channel: str
    text: str

    def lookup(self, page: str) -> str:
        """Return under which name the key store finds the owners of this address."""
        return f"{page}/{self.channel}/{self.text}"


class Sealed(msgspec.Struct, frozen=True):
    """What is encrypted in the event; ``secret`` signs what a webhook gets."""

    address: str
    secret: str = ""


def address_of(body: NewSubscriber) -> Address:
    """Return the address of a sign-up; raises ProblemError 400 that names the field."""
    match body.email, body.webhook:
        case str(email), None:
            return Address("email", _email(email))
        case None, str(url):
            return Address("webhook", _webhook(url))
        case None, None:
            raise invalid("email", "is missing: give an email or a webhook")
        case _:
            raise invalid("webhook", "cannot stand beside email: give one of them")


def _email(text: str) -> str:
    try:
        # Names of test networks may well be the operator's own.
        return validate_email(text.strip(), check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError:
        raise invalid("email", "is not an email address that mail can be sent to") from None


def _webhook(text: str) -> str:
    text = text.strip()
    if not text.isprintable() or " " in text or "\\" in text:
        raise _bad_url("has characters that a URL cannot have")
    try:
        url = httpx.URL(text).copy_with(fragment=None)
        host, port = url.host, url.port or 443  # reads the host's name, which may be none
    except (httpx.InvalidURL, ValueError):
        raise _bad_url("is not a URL") from None
    if url.scheme not in ("http", "https") or not host or port > _LAST_PORT:
        raise _bad_url("must be an http or https URL with a host")
    if url.userinfo:
        raise _bad_url("must not have a user or password")
    return str(url)


def _bad_url(message: str) -> ProblemError:
    return invalid("webhook", message)
