"""Which network addresses may be connected to on behalf of a stranger; it resolves names and connects to nothing.

Every address that a name resolves to is checked, and the caller connects to one of those very addresses: a name that
resolves to something else a moment later gains nothing. The table is the IANA special-purpose registries as Python's
``ipaddress`` knows them, and the ranges that it calls global although they reach, or may reach, a private network.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

IPAddress: TypeAlias = IPv4Address | IPv6Address
IPNetwork: TypeAlias = IPv4Network | IPv6Network
Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""From a host and a port to its addresses as text; raises OSError."""

WEB_PORTS = frozenset({80, 443})
_HOSTILE: tuple[IPNetwork, ...] = tuple(
    ip_network(text)
    for text in (
        "192.0.0.0/24",  # protocol assignments; some of it is formally global (RFC 6890)
        "192.88.99.0/24",  # 6to4 relays (RFC 7526)
        "::/96",  # IPv4-compatible: ::7f00:1 is 127.0.0.1 (RFC 4291)
        "64:ff9b::/96",  # NAT64: the last 32 bits may be a private IPv4 address (RFC 6052)
        "64:ff9b:1::/48",  # local-use NAT64 (RFC 8215)
        "100::/64",  # discard-only (RFC 6666)
        "2001::/23",  # protocol assignments, Teredo among them (RFC 2928, RFC 4380)
        "2002::/16",  # 6to4: carries an IPv4 address (RFC 3056)
        "3fff::/20",  # documentation (RFC 9637)
        "5f00::/16",  # segment routing (RFC 9602)
        "fec0::/10",  # site-local, deprecated and still routed by some (RFC 3879)
    )
)


class RefusedAddressError(Exception):
    """An address to which no connection is made; the message says why and names neither host nor address."""


async def resolve(host: str, port: int) -> list[str]:
    """Resolve with the system's resolver; raises OSError."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # an empty label, or one that is too long
        raise OSError("this cannot be a host name") from error
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


def is_hostile(address: IPAddress) -> bool:
    """Whether ``address`` is anything but a plain public unicast address."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return is_hostile(address.ipv4_mapped)
    return (
        not address.is_global
        or address.is_multicast
        or address.is_reserved
        or any(address in network for network in _HOSTILE if network.version == address.version)
    )


def literal(host: str) -> IPAddress | None:
    """Return the address that ``host`` is when it is no name, in any form that a resolver takes: ``0x7f.1`` too."""
    try:
        return ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))
    except (OSError, UnicodeEncodeError):
        return None


class Guard:
    """Checks addresses before anything connects to them.

    ``allow`` lists networks that are let through whatever they are, on any port: one's own.
    """

    def __init__(self, allow: Sequence[IPNetwork] = (), resolver: Resolve = resolve) -> None:
        self._allow = tuple(allow)
        self._resolve = resolver

    @property
    def allows_own_networks(self) -> bool:
        """Whether some private network is let through, so that a port alone decides nothing."""
        return bool(self._allow)

    def check(self, address: IPAddress, port: int) -> None:
        """Raise RefusedAddressError unless ``address`` may be connected to on ``port``."""
        plain = address.ipv4_mapped if isinstance(address, IPv6Address) and address.ipv4_mapped else address
        if any(plain in network for network in self._allow if network.version == plain.version):
            return
        if is_hostile(plain):
            raise RefusedAddressError("the host is not a public address")
        if port not in WEB_PORTS:
            raise RefusedAddressError("only ports 80 and 443 are allowed")

    async def addresses(self, host: str, port: int) -> list[IPAddress]:
        """Resolve ``host`` and return its addresses, all of them checked; one bad address condemns the name.

        Raises OSError where the name does not resolve, RefusedAddressError where it may not be used.
        """
        found = [ip_address(text.partition("%")[0]) for text in await self._resolve(host, port)]
        for address in found:
            self.check(address, port)
        if not found:
            raise OSError("the name has no address")
        return found
