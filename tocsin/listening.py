"""Binds a port and serves an application on it until the process is told to stop; it knows no routes."""

import asyncio
import logging
import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

DRAIN_SECONDS = 15


class StartError(RuntimeError):
    """The process cannot start; the message says what to do about it."""


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket; raises StartError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise StartError(
            f"cannot listen on {host}:{port}: {error.strerror or error}. Choose another --port."
        ) from error
    listening.listen(2048)
    return listening


def nothing() -> None:
    """Do nothing when it is time to end streams: there are none."""


def web_server(
    app: ASGIApp, on_ready: Callable[[], None] = nothing, on_stop: Callable[[], None] = nothing
) -> uvicorn.Server:
    """Return a server that calls ``on_ready`` once it listens, and ``on_stop`` before it waits for its connections."""
    configuration = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        log_level=logging.WARNING,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    return _Uvicorn(configuration, on_ready, on_stop)


class _Uvicorn(uvicorn.Server):
    """uvicorn's server, which says when it listens and ends endless streams before it waits for them."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None], on_stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._on_stop = on_stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_stop()
        await asyncio.sleep(0)
        await super().shutdown(sockets)
