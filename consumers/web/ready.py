"""A prepared body as an answer of the framework, for paths that the outermost layer does not know."""

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from consumers.web.body import ReadyBody


class Ready(Response):
    """Answers with the body, its head, or that nothing changed."""

    def __init__(self, body: ReadyBody) -> None:
        super().__init__()
        self._body = body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        for message in self._body.answer(scope["method"], scope["headers"]):
            await send(message)
