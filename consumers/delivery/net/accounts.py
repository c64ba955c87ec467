"""What channels share that post for accounts of ours: handles, where the provider is, and what is for the public. No I/O."""

import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from consumers.delivery.channel import AddressError, Message
from consumers.delivery.outcome import Rejected, Scope
from schemas.vocabulary import Kind

NOT_PUBLIC = Rejected(Scope.MESSAGE, "this is not for the public")
_SHOWN = 2


def server_url(text: str) -> None:
    """Check the URL of a provider's server; raises ValueError. Plain http is for loopback only: credentials go along."""
    url = urlsplit(text)
    if not url.hostname or url.path.strip("/") or url.query or url.fragment or "@" in url.netloc:
        raise ValueError("expected a host and nothing after it")
    if url.scheme != "https" and not (url.scheme == "http" and url.hostname in {"127.0.0.1", "::1", "localhost"}):
        raise ValueError("expected https")
    _ = url.port  # which raises for one that is none


def handles(pattern: str) -> Callable[[Mapping[str, object]], None]:
    """Return a check that there are accounts, that every handle has this form, and that none is there twice."""

    def check(accounts: Mapping[str, object]) -> None:
        if not accounts or len({handle.lower() for handle in accounts}) < len(accounts):
            raise ValueError("no account, or one of them twice")
        if not all(re.fullmatch(pattern, handle, re.ASCII) for handle in accounts):
            raise ValueError("not a handle")

    return check


def known_handle(address: str, accounts: Mapping[str, object]) -> str:
    """Return the handle in the settings that an address means, whatever its case and an @ before it; raises AddressError."""
    wanted = address.strip().removeprefix("@").lower()
    for handle in accounts:
        if handle.lower() == wanted:
            return handle
    raise AddressError("this account is not in the channel's settings")


def masked(address: str) -> str:
    """Show the beginning of a handle."""
    return address[:_SHOWN] + "…"


def is_public(message: Message) -> bool:
    """Whether a message may be posted for all to see: not what confirms one subscriber, nor what reminds operators."""
    return message.notice.kind in {Kind.INCIDENT, Kind.MAINTENANCE}
