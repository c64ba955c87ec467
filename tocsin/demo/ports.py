"""Finds ports for the demo: the usual ones where they are free, others where that is all right."""

import errno
import socket


class PortTakenError(Exception):
    """A port that was asked for is taken, or reserved."""


def bound(host: str, port: int, *, or_any: bool) -> socket.socket:
    """Return a socket bound to ``port``, or to a free port where ``or_any`` and that one is taken.

    Raises PortTakenError, and OSError for a host that is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
    except OSError as error:
        found.close()
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        if not or_any:
            raise PortTakenError(f"port {port} cannot be used: {error.strerror}") from error
        return bound(host, 0, or_any=False)
    return found


def port_of(bound_socket: socket.socket) -> int:
    """Return the port that a socket is bound to."""
    return int(bound_socket.getsockname()[1])


def free_port(host: str, port: int, *, or_any: bool) -> int:
    """Return ``port`` if nobody listens there, else a free one or PortTakenError, as ``bound`` does.

    For a server that binds by itself: somebody may still come first, and then it says so.
    """
    with bound(host, port, or_any=or_any) as probe:
        return port_of(probe)
