"""Runs the mail catcher and the mailbox's web pages in a thread of their own, beside the server that is shown."""

import asyncio
import socket
import threading
from types import TracebackType
from typing import Self

import uvicorn

from tocsin.demo.catcher import Catcher, Mailbox
from tocsin.demo.pages import mailbox_app


class Sidecar:
    """Serves mail on one bound socket and web pages on another. Use it as a context manager.

    Both sockets answer before ``__enter__`` returns: they listen from then on, and are accepted as soon as the thread
    runs. They are closed at the end.
    """

    def __init__(self, mailbox: Mailbox, smtp: socket.socket, web: socket.socket, page_url: str) -> None:
        self._catcher = Catcher(mailbox)
        self._smtp, self._web = smtp, web
        config = uvicorn.Config(
            mailbox_app(mailbox, page_url), log_config=None, log_level="critical", access_log=False, lifespan="off"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="mailbox", daemon=True)

    def __enter__(self) -> Self:
        for one in (self._smtp, self._web):
            one.listen(128)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10)

    async def _serve(self) -> None:
        smtp = await asyncio.get_running_loop().create_server(self._catcher.session, sock=self._smtp)
        try:
            await self._server.serve(sockets=[self._web])
        finally:
            smtp.close()
