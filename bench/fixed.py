"""The bare server that prepared bytes are held against: ``python -m bench.fixed PORT FILE``.

The same uvicorn with the same settings, and an application that can do nothing but answer each path of the file (JSON:
path to headers and body) with the bytes that stand there.
"""

import base64
import logging
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Answer(msgspec.Struct, frozen=True):
    """What is answered to a path; ``body`` is base64."""

    headers: list[tuple[str, str]]
    body: str


def application(answers: Mapping[str, Answer]) -> ASGIApp:
    """Return the application; the messages are made once."""
    ready = {path: _messages(answer) for path, answer in answers.items()}

    async def app(scope: Scope, _: Receive, send: Send) -> None:
        start, body = ready[scope["path"]]
        await send(start)
        await send(body)

    return app


def _messages(answer: Answer) -> tuple[Message, Message]:
    headers = [(name.encode(), value.encode()) for name, value in answer.headers]
    start = {"type": "http.response.start", "status": 200, "headers": headers}
    return start, {"type": "http.response.body", "body": base64.b64decode(answer.body)}


def main(port: str, file: str) -> None:
    """Serve until told to stop."""
    answers = msgspec.json.decode(Path(file).read_bytes(), type=dict[str, Answer])
    uvicorn.run(
        application(answers), port=int(port), loop="uvloop", http="httptools", lifespan="off",
        log_level=logging.WARNING, access_log=False, server_header=False,
    )  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
