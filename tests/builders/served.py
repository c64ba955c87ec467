"""A world behind a real server on a port of its own, for tests that come in over a socket."""

import socket
import threading
from pathlib import Path
from urllib.parse import parse_qs

import uvicorn
from fastapi import Request
from fastapi.responses import RedirectResponse

from tests.builders.web_world import WebWorld


class Served:
    """A world behind a server; ``posted`` is what the sign-up form sent."""

    def __init__(self, folder: Path) -> None:
        self.world = WebWorld(folder).define()
        self.posted: list[dict[str, list[str]]] = []
        self.world.inner.post("/subscribe")(self._subscribe)
        listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        self._server = uvicorn.Server(uvicorn.Config(self.world.app, log_level="warning", lifespan="off"))
        self._thread = threading.Thread(target=self._server.run, args=([listening],))
        self._thread.start()

    async def _subscribe(self, request: Request) -> RedirectResponse:
        self.posted.append(parse_qs((await request.body()).decode()))
        return RedirectResponse("/subscribed", 303)

    def stop(self) -> None:
        """Stop as the program does: streams first, or the server would wait for its browsers to leave."""
        self._server.should_exit = True
        self.world.stream.close_from_another_thread()
        self._thread.join(30)
        assert not self._thread.is_alive(), "an open stream keeps the server from stopping"
        self.world.close()
