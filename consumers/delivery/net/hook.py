"""Incoming webhooks of chats: which URLs are one vendor's, and one POST to one of them. It knows no vendor by name.

Their owners typed them, so each connection is guarded; and they are secrets, so no reason and no mask shows more than the host.
"""

import re
import ssl
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Annotated, ClassVar

import httpx

from consumers.delivery.channel import AddressError
from consumers.delivery.context import ChannelContext
from consumers.delivery.net.guard import Guard
from consumers.delivery.net.post import TIMEOUT, Answer, Poster
from consumers.delivery.net.url import UrlError, checked_url
from consumers.delivery.outcome import Outcome, Rejected, Scope
from consumers.delivery.settings import ChannelSettings, setting

CONNECTIONS = 32


def _host(text: str) -> None:
    if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", text):
        raise ValueError("not a host")


class HookSettings(ChannelSettings, frozen=True):
    """What channels whose addresses are incoming webhooks have in common. Allowed networks may be reached on any port."""

    allow_hosts: Annotated[
        tuple[Annotated[str, setting("a host in lower case, such as hooks.acme.example", check=_host)], ...],
        setting(None, "Other hosts that webhooks may be at, a gateway of your own for example."),
    ] = ()
    allow_networks: Annotated[
        tuple[Annotated[str, setting("an IP network such as 10.0.0.0/8", check=ip_network)], ...],
        setting(None, "Private networks that webhooks may reach; public addresses are always allowed."),
    ] = ()


@dataclass(frozen=True)
class Vendor:
    """Whose webhooks they are. ``hosts`` are names, or endings of names that begin with a dot; ``path`` is the whole path's."""

    name: str
    hosts: tuple[str, ...]
    path: re.Pattern[str]

    def owns(self, host: str) -> bool:
        """Return whether a host is one of the vendor's."""
        return any(host.endswith(known) if known.startswith(".") else host == known for known in self.hosts)


class Hooks:
    """Posts to webhooks of one vendor, or of a host that the settings allow."""

    def __init__(
        self, vendor: Vendor, settings: HookSettings, *, timeout: float = TIMEOUT, tls: ssl.SSLContext | None = None
    ) -> None:
        self._vendor = vendor
        self._own = frozenset(settings.allow_hosts)
        self._guard = Guard([ip_network(network) for network in settings.allow_networks])
        self._poster = Poster(self._guard, connections=CONNECTIONS, timeout=timeout, tls=tls)

    def url(self, address: str) -> httpx.URL:
        """Return the webhook's URL in its normal form; raises AddressError. Names are resolved, and checked, at each sending."""
        try:
            url = checked_url(address, self._guard)
        except UrlError as error:
            raise AddressError(str(error)) from None
        ours = url.host in self._own
        if not ours and not (self._vendor.owns(url.host) and url.scheme == "https" and url.port is None):
            raise AddressError(f"this is not the URL of an incoming webhook of {self._vendor.name}")
        if not self._vendor.path.fullmatch(url.path):
            raise AddressError(f"this is not the whole URL of an incoming webhook of {self._vendor.name}")
        return url

    def mask(self, address: str) -> str:
        """Show whose webhook it is: all else is a secret."""
        try:
            return f"{self._vendor.name}: {httpx.URL(address).host}/…"
        except httpx.InvalidURL:
            return f"{self._vendor.name}: …"

    async def post(self, address: str, document: bytes, **query: str) -> Answer | Outcome:
        """Post JSON once; ``query`` is added to what the URL asks already. See ``Poster.post``."""
        try:
            url = self.url(address)
        except AddressError as error:
            return Rejected(Scope.RECIPIENT, str(error))
        return await self._poster.post_json(url.copy_merge_params(query) if query else url, document)

    async def close(self) -> None:
        """Close the idle connections."""
        await self._poster.close()


class HookChannel:
    """The part of a channel that has to do with its addresses, which are incoming webhooks of ``vendor``."""

    vendor: ClassVar[Vendor]

    def __init__(
        self,
        settings: HookSettings,
        context: ChannelContext,
        *,
        timeout: float = TIMEOUT,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._now = context.now
        self._hooks = Hooks(self.vendor, settings, timeout=timeout, tls=tls)

    def validate(self, address: str) -> str:
        """Return the webhook's URL in its normal form; raises AddressError."""
        return str(self._hooks.url(address))

    def mask(self, address: str) -> str:
        return self._hooks.mask(address)

    async def close(self) -> None:
        await self._hooks.close()
