"""One request of an SDK that uses requests: bounded, never redirected, and the answer is kept as it came. It knows no provider.

What an SDK makes of an answer is not asked: its exceptions know some statuses only, and fail themselves over strange bodies.
Import it where the SDK is imported: requests takes a third of a second.
"""

import io
import ssl
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from consumers.delivery.net.post import ANSWER_LIMIT, Answer
from consumers.delivery.outcome import InDoubt, Outcome, Retry

CONNECT = 5.0
"""Seconds to connect."""


class OneRequest(HTTPAdapter):
    """Carries one request. ``timeout`` (seconds) is for each wait for bytes, ``host`` (a URL) goes in place of the SDK's own."""

    def __init__(self, timeout: float, host: str = "") -> None:
        super().__init__()
        self._timeout = timeout
        self._host = urlsplit(host)
        self._answer: Answer | None = None
        self._failure: Outcome | None = None

    def run(self, call: Callable[[requests.Session], object]) -> Answer | Outcome:
        """Let an SDK make its request with a session; return the answer, or how the attempt ended where none came.

        What the SDK raises before it asks anything is raised: no provider can be blamed for that.
        """
        with requests.Session() as session:
            session.trust_env = False  # no .netrc in place of our credentials; no proxies, as for webhooks
            session.mount("https://", self)
            session.mount("http://", self)
            try:
                call(session)
            except Exception:  # SDKs raise what they like; what came over the wire decides
                if self._answer is None and self._failure is None:
                    raise
        if self._failure is not None:
            return self._failure
        assert self._answer is not None, "the SDK asked nothing"
        return self._answer

    def send(self, request: requests.PreparedRequest, *_args: Any, **options: Any) -> requests.Response:
        """Send it to ``host``; called by requests."""
        if self._answer is not None or self._failure is not None:
            raise RuntimeError("an SDK must not repeat a request by itself")
        if self._host.netloc:
            url = urlsplit(request.url or "")._replace(scheme=self._host.scheme, netloc=self._host.netloc)
            request.url = url.geturl()
        timeout = (min(CONNECT, self._timeout), self._timeout)
        try:
            response = super().send(request, **(options | {"stream": True, "timeout": timeout}))
        except requests.RequestException as error:
            self._failure = _unanswered(error)
            raise
        response.headers.pop("location", None)  # requests follows it, and posts again elsewhere
        self._keep(response)
        return response

    def _keep(self, response: requests.Response) -> None:
        """Read the answer, and give the SDK what was read."""
        body, whole = _read(response)
        response.raw = io.BytesIO(body)
        response.headers.pop("content-encoding", None)
        if whole or not response.ok:
            headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}
            self._answer = Answer(response.status_code, headers, body)
        else:
            self._failure = InDoubt("the answer broke off")


def _read(response: requests.Response) -> tuple[bytes, bool]:
    """Return the body as far as it came, at most as much as is read of any answer, and whether that is all there is to it."""
    body = b""
    try:
        for part in response.raw.stream(8192, decode_content=True):
            body += part
            if len(body) > ANSWER_LIMIT:
                return body[:ANSWER_LIMIT], True
    except (HTTPError, OSError):
        return body, False
    finally:
        response.raw.close()
    return body, True


def _unanswered(error: requests.RequestException) -> Outcome:
    """Tell what certainly did not leave from what may have."""
    inner = error.args[0] if error.args else None
    reason = getattr(inner, "reason", inner)
    if isinstance(reason, NewConnectionError | ConnectTimeoutError):
        return Retry("no connection")
    if isinstance(error, requests.exceptions.SSLError) and isinstance(
        next(iter(getattr(reason, "args", ())), None), ssl.SSLCertVerificationError
    ):
        return Retry("the certificate is not trusted")
    return InDoubt("no answer after the request had left")
