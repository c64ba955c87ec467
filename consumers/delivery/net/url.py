"""Which URLs a stranger may give us, as far as that can be told without the network."""

from ipaddress import ip_address

import httpx

from consumers.delivery.net.guard import Guard, RefusedAddressError, literal

LENGTH_LIMIT = 2000
_DEFAULT_PORTS = {"http": 80, "https": 443}


class UrlError(ValueError):
    """A URL that is not taken; the message says why, without the URL."""


def checked_url(text: str, guard: Guard) -> httpx.URL:
    """Return the URL that ``text`` is, without its fragment; raises UrlError.

    Only http and https, no user or password, and a host that is not plainly forbidden: an address in any notation is
    checked here, a name when it is resolved. The very parser that reads it here reads it for the connection.
    """
    if len(text) > LENGTH_LIMIT or not text.isprintable() or " " in text or "\\" in text:
        raise UrlError("the URL is too long or has characters that a URL cannot have")
    try:
        url = httpx.URL(text.partition("#")[0])
        port = url.port or _DEFAULT_PORTS.get(url.scheme, 0)
    except (httpx.InvalidURL, ValueError):
        raise UrlError("this is not a URL") from None
    if not port:
        raise UrlError("only http and https URLs are taken")
    if url.userinfo:
        raise UrlError("a URL with a user or password is not taken")
    if not url.host:
        raise UrlError("the URL has no host")
    _check_host(url.host, port, guard)
    return url


def checked_base(text: str) -> httpx.URL:
    """Return the address of a provider's API as an operator writes it; raises UrlError. The guard has no say in it."""
    try:
        url = httpx.URL(text)
        usable = url.scheme in _DEFAULT_PORTS and url.host and not (url.userinfo or url.query or url.fragment)
    except (httpx.InvalidURL, ValueError):
        raise UrlError("this is not a URL") from None
    if not usable:
        raise UrlError("expected an http or https URL without user, query and fragment")
    return url


def _check_host(host: str, port: int, guard: Guard) -> None:
    address = literal(host)
    try:
        if address is not None:
            guard.check(address, port)
            if not _is_plain(host):
                raise UrlError("an address is to be written in its usual form")
        elif not guard.allows_own_networks and port not in _DEFAULT_PORTS.values():
            raise UrlError("only ports 80 and 443 are allowed")
    except RefusedAddressError as error:
        raise UrlError(str(error)) from None


def _is_plain(host: str) -> bool:
    """Whether ``host`` is an address in the form that everybody reads alike: not ``127.1``, nor with a zone."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return "%" not in host
