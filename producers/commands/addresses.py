"""Addresses as people type them, in the one form under which they are kept and found. No network is asked."""

from collections.abc import Mapping
from dataclasses import dataclass

import httpx
import msgspec
from email_validator import EmailNotValidError, validate_email

from producers.commands.bodies.subscribers import NewSubscriber
from producers.commands.deps import Door
from streams.runtime.problems import invalid

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


def address_of(body: NewSubscriber, doors: Mapping[str, Door]) -> Address:
    """Return the address of a sign-up; raises ProblemError 400 that names the field.

    It is ``email``, ``webhook``, or an ``address`` on a ``channel``, which may be either of these or one of ``doors``.
    """
    match body.email, body.webhook, body.channel, body.address:
        case str(email), None, None, None:
            return Address("email", _email("email", email))
        case None, str(url), None, None:
            return Address("webhook", _webhook("webhook", url))
        case None, None, str(channel), str(address):
            return Address(channel, _behind(doors, channel, address))
        case None, None, str(), None:
            raise invalid("address", "is missing: say where on the channel")
        case None, None, None, str():
            raise invalid("channel", "is missing: say what the address is on")
        case None, None, None, None:
            raise invalid("email", "is missing: give an email, a webhook, or a channel and an address")
        case _, _, None, None:
            raise invalid("webhook", "cannot stand beside email: give one of them")
        case _:
            raise invalid("channel", "cannot stand beside email and webhook: give one of them")


def _behind(doors: Mapping[str, Door], channel: str, address: str) -> str:
    if channel == "email":
        return _email("address", address)
    if channel == "webhook":
        return _webhook("address", address)
    if channel not in doors:
        raise invalid("channel", f"must be one of {', '.join(dict.fromkeys(('email', 'webhook', *doors)))}")
    try:
        return doors[channel].canonical(address.strip())
    except ValueError as error:
        raise invalid("address", str(error)) from None


def _email(field: str, text: str) -> str:
    try:
        # Names of test networks may well be the operator's own.
        return validate_email(text.strip(), check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError:
        raise invalid(field, "is not an email address that mail can be sent to") from None


def _webhook(field: str, text: str) -> str:
    text = text.strip()
    if not text.isprintable() or " " in text or "\\" in text:
        raise invalid(field, "has characters that a URL cannot have")
    try:
        url = httpx.URL(text).copy_with(fragment=None)
        host, port = url.host, url.port or 443  # reads the host's name, which may be none
    except (httpx.InvalidURL, ValueError):
        raise invalid(field, "is not a URL") from None
    if url.scheme not in ("http", "https") or not host or port > _LAST_PORT:
        raise invalid(field, "must be an http or https URL with a host")
    if url.userinfo:
        raise invalid(field, "must not have a user or password")
    return str(url)
