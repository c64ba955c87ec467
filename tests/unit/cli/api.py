"""A server that answers as it is told and remembers what it was asked, over a real socket."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Answers:
    """``document`` may be a function of what was sent."""

    status: int
    document: Any
    kind: str = "application/json"


@dataclass
class FakeApi:
    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    answers: dict[tuple[str, str], Answers] = field(default_factory=dict)

    def will(self, method: str, path: str, document: Any, status: int = 200, kind: str = "application/json") -> None:
        self.answers[method, path] = Answers(status, document, kind)

    @property
    def last(self) -> Asked:
        return self.asked[-1]


@contextmanager
def serving() -> Iterator[FakeApi]:
    fake = FakeApi()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            headers = {name.lower(): value for name, value in self.headers.items()}
            fake.asked.append(Asked(self.command, self.path, headers, body))
            unknown = Answers(404, {"title": "Not found", "status": 404}, "application/problem+json")
            answer = fake.answers.get((self.command, self.path), unknown)
            document = answer.document(body) if callable(answer.document) else answer.document
            content = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def do_PUT(self) -> None:
            self._answer()

        def do_DELETE(self) -> None:
            self._answer()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        fake.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield fake
        finally:
            server.shutdown()
            thread.join()
