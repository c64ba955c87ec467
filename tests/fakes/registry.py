"""A schema registry in memory, as far as we ask for it, that fails as a test asks; the contract suite holds it to a real one.

>>> with FakeRegistry() as registry:
...     registry.answer(503, times=2)
...     # register at registry.url
"""

import json
import re
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from threading import Lock, Thread
from types import TracebackType
from typing import Any, Self

Answer = tuple[int, Any]


class FakeRegistry:
    """An HTTP server on loopback. With ``login`` (name, password) set, whoever does not send it gets a 401.

    ``requests`` are those that were not answered as scripted: method and path.
    """

    def __init__(self) -> None:
        self.login: tuple[str, str] | None = None
        self.requests: list[tuple[str, str]] = []
        self._scripted: deque[tuple[int, bytes, Mapping[str, str]]] = deque()
        self._subjects: dict[str, list[int]] = {}
        self._texts: dict[int, str] = {}
        self._config: dict[str, str] = {}
        self._numbers = count(1)
        self._lock = Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("_Handler", (_Handler,), {"registry": self}))
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, status: int, body: bytes = b"", times: int = 1, **headers: str) -> None:
        """Answer the next requests so, whatever they ask."""
        self._scripted.extend([(status, body, headers)] * times)

    def respond(self, method: str, path: str, login: str | None, body: bytes) -> tuple[int, bytes, Mapping[str, str]]:
        with self._lock:
            if self._scripted:
                return self._scripted.popleft()
            self.requests.append((method, path))
            if self.login is not None and login != f"Basic {b64encode(':'.join(self.login).encode()).decode()}":
                return 401, b'{"error_code": 401, "message": "Unauthorized"}', {}
            status, document = self._routed(method, path, json.loads(body) if body else None)
            return status, json.dumps(document).encode(), {}

    def _routed(self, method: str, path: str, document: Any) -> Answer:
        for wanted, pattern, answer in self._routes():
            if method == wanted and (found := re.fullmatch(pattern, path)):
                return answer(*found.groups(), *([document] if document is not None else []))
        return 404, {"error_code": 404, "message": "HTTP 404 Not Found"}

    def _routes(self) -> Iterator[tuple[str, str, Callable[..., Answer]]]:
        yield "GET", "/schemas/ids/([0-9]+)", self._schema
        yield "GET", "/config/([^/]+)", self._get_config
        yield "PUT", "/config/([^/]+)", self._put_config
        yield "GET", "/subjects/([^/]+)/versions", self._versions
        yield "GET", "/subjects/([^/]+)/versions/([0-9]+)", self._version
        yield "POST", "/subjects/([^/]+)/versions", self._register
        yield "POST", "/subjects/([^/]+)", self._look_up

    def _schema(self, number: str) -> Answer:
        text = self._texts.get(int(number))
        return (404, {"error_code": 40403, "message": "Schema not found"}) if text is None else (200, {"schema": text})

    def _get_config(self, subject: str) -> Answer:
        if subject not in self._config:
            return 404, {"error_code": 40408, "message": "Subject has no compatibility of its own"}
        return 200, {"compatibilityLevel": self._config[subject]}

    def _put_config(self, subject: str, document: Any) -> Answer:
        self._config[subject] = document["compatibility"]
        return 200, document

    def _versions(self, subject: str) -> Answer:
        if subject not in self._subjects:
            return _NO_SUBJECT
        return 200, [*range(1, len(self._subjects[subject]) + 1)]

    def _version(self, subject: str, version: str) -> Answer:
        number = self._subjects[subject][int(version) - 1]
        return 200, {"subject": subject, "version": int(version), "id": number, "schema": self._texts[number]}

    def _look_up(self, subject: str, document: Any) -> Answer:
        if subject not in self._subjects:
            return _NO_SUBJECT
        for number in self._subjects[subject]:
            if json.loads(self._texts[number]) == json.loads(document["schema"]):
                return 200, {"subject": subject, "id": number, "schema": self._texts[number]}
        return 404, {"error_code": 40403, "message": "Schema not found"}

    def _register(self, subject: str, document: Any) -> Answer:
        status, found = self._look_up(subject, document)
        if status == 200:
            return 200, {"id": found["id"]}
        if not self._fits(subject, json.loads(document["schema"])):
            return 409, {"error_code": 409, "message": "Schema being registered is incompatible with an earlier schema"}
        number = next(self._numbers)
        self._texts[number] = document["schema"]
        self._subjects.setdefault(subject, []).append(number)
        return 200, {"id": number}

    def _fits(self, subject: str, document: Any) -> bool:
        """Whether all that is not in both of two versions has a default: enough for schemas that only grow and shrink."""
        if self._config.get(subject) != "FULL_TRANSITIVE":
            return True
        earlier = [json.loads(self._texts[number]) for number in self._subjects.get(subject, [])]
        return all(_defaulted(one, other) for old in earlier for one, other in ((old, document), (document, old)))


_NO_SUBJECT: Answer = (404, {"error_code": 40401, "message": "Subject not found"})


def _defaulted(one: Any, other: Any) -> bool:
    known = {field["name"] for field in other.get("fields", [])}
    return all("default" in field for field in one.get("fields", []) if field["name"] not in known)


class _Handler(BaseHTTPRequestHandler):
    registry: FakeRegistry
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    """Head and body leave together: apart they wait for each other's acknowledgement."""

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, content, headers = self.registry.respond(self.command, self.path, self.headers["Authorization"], body)
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def do_PUT(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *args: Any) -> None:
        """Nothing is printed."""
