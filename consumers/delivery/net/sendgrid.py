"""One request to SendGrid's Mail Send API through the official SDK, and what its answer means. Knows no notice.

https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send. There is no key that makes a repeat harmless: what left
and was not answered is in doubt, until an event says that it was processed (``producers/receipts/sendgrid``).
"""

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from typing import Any
from urllib.error import URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

import orjson

from consumers.delivery.classify import LONGEST_WAIT, classify_http, wait_of
from consumers.delivery.outcome import InDoubt, Outcome, Rejected, Retry, Scope, Sent, Unknown

ACCEPTED = 202
_REFUSED_AS_IT_IS = frozenset({400, 413})
_NO_ACCESS = frozenset({401, 402, 403, 404})
"""What an account without Email Activity is answered, or a key that may not read it."""
_OF_ONE = re.compile(r"personalizations\.(\d{1,4})(?:\.([a-z_]+))?(?:\..*)?", re.ASCII)
_FIELD = re.compile(r"[a-z_.0-9-]{1,80}", re.ASCII)


@dataclass(frozen=True)
class Complaint:
    """What an error says is wrong: the number of a personalization, if it is one's fault, and a path such as ``from.email``."""

    index: int | None
    field: str
    is_address: bool


@dataclass(frozen=True)
class Answer:
    """How a request ended. ``status`` is 0 where there was no answer; ``complaints`` are those of a refusal (400)."""

    outcome: Outcome
    status: int = 0
    complaints: tuple[Complaint, ...] = field(default=())

    @property
    def refuses_the_whole(self) -> bool:
        """Whether a part of the request may be taken without the rest: it was too large, or something in it is wrong."""
        return self.status in _REFUSED_AS_IT_IS


class SendGridApi:
    """Posts mails. ``url`` is the API's, without a version; ``timeout`` is in seconds, for connecting and for each read."""

    def __init__(self, key: str, url: str, timeout: float, now: Callable[[], datetime]) -> None:
        self._client = _client(key, url, timeout)
        self._now = now

    def post(self, body: bytes) -> Answer:
        """Post a mail, as JSON, once and return how that ended; blocks, and never raises for what the network does."""
        # Loaded by _client already; the SDK has no types.
        from python_http_client.exceptions import HTTPError  # type: ignore[import-untyped]  # noqa: PLC0415 -- as above

        try:
            # A body whose type is not exactly application/json is encoded by itself, not by the SDK.
            response = self._client.mail.send.post(request_body=_Encoded(body))
        except HTTPError as error:
            return self._refused(error.status_code, error.headers, error.body)
        except URLError:  # connecting or writing failed: a part of a request makes no mail
            return Answer(Retry("no connection"))
        except (OSError, HTTPException):
            return Answer(InDoubt("no answer after the request had left"))
        receipt = response.headers.get("X-Message-Id")
        if response.status_code != ACCEPTED or not receipt:  # http.client takes a head that is cut for a whole one
            return Answer(InDoubt(f"answered {response.status_code}, and not as SendGrid does"), response.status_code)
        return Answer(Sent(receipt), ACCEPTED)

    def activity(self, query: str, limit: int) -> list[dict[str, Any]] | Unknown:
        """Return the mails that match a query of the Email Activity API, at most ``limit``; blocks, and never raises.

        https://www.twilio.com/docs/sendgrid/api-reference/email-activity/filter-all-messages
        """
        from python_http_client.exceptions import HTTPError  # noqa: PLC0415 -- as above

        try:
            response = self._client.messages.get(query_params={"query": query, "limit": limit})
            found = orjson.loads(response.body)["messages"]
        except HTTPError as error:
            return self._unasked(error.status_code, error.headers)
        except (OSError, HTTPException):
            return Unknown("SendGrid could not be asked")
        except (ValueError, KeyError, TypeError):
            return Unknown("the answer was not SendGrid's")
        if not (isinstance(found, list) and len(found) < limit and all(isinstance(one, dict) for one in found)):
            return Unknown("the answer was not SendGrid's")
        return found

    def _unasked(self, status: int, headers: Mapping[str, str]) -> Unknown:
        after = wait_of(headers.get("Retry-After"), self._now()) or _wait(headers.get("X-RateLimit-Reset"), self._now())
        return Unknown(f"answered {status}", after, final=status in _NO_ACCESS)

    def _refused(self, status: int, headers: Mapping[str, str], body: bytes) -> Answer:
        outcome = classify_http(status, now=self._now(), retry_after=headers.get("Retry-After"), address=Scope.CHANNEL)
        if isinstance(outcome, Retry) and outcome.after is None:
            outcome = Retry(outcome.reason, _wait(headers.get("X-RateLimit-Reset"), self._now()))
        complaints = _complaints(body) if status in _REFUSED_AS_IT_IS else ()
        if isinstance(outcome, Rejected) and complaints:
            outcome = Rejected(outcome.scope, f"{outcome.reason} at {complaints[0].field}")
        return Answer(outcome, status, complaints)


class _NoRedirects(HTTPRedirectHandler):
    """A redirect is an answer: followed, it would carry the key elsewhere and lose the mail."""

    def redirect_request(self, *_: Any) -> Request | None:
        return None


def _client(key: str, url: str, timeout: float) -> Any:
    """Return the SDK's client. Its calls share nothing that a call changes."""
    # A tenth of a second that those pay who send by SendGrid; the SDK has no types.
    from python_http_client import Client  # type: ignore[import-untyped]  # noqa: PLC0415 -- as above
    from sendgrid import SendGridAPIClient  # noqa: PLC0415 -- as above

    # It would log keys and whole mails where debugging is on.
    logging.getLogger("python_http_client").setLevel(logging.INFO)

    opener = build_opener(_NoRedirects)  # it takes a millisecond to make, and keeps nothing of a request

    class Plain(Client):  # type: ignore[misc] # it has no types
        """The SDK's client, which follows no redirects."""

        def _build_client(self, name: str | None = None) -> "Plain":
            path = [*self._url_path, name] if name else self._url_path
            return Plain(self.host, self.request_headers, self._version, path, timeout=self.timeout)

        def _make_request(self, _: Any, request: Any, timeout: float | None = None) -> Any:
            return super()._make_request(opener, request, timeout)

    headers = SendGridAPIClient(key, host=url).client.request_headers
    headers |= {"Content-Type": "application/json; charset=utf-8"}
    return Plain(host=url, request_headers=headers, version=3, timeout=timeout)


class _Encoded(bytes):
    """A body as it is sent. The SDK encodes what it is given, and formats it for a log line that nobody wants: both are nothing.

    For a thousand recipients these two would take longer than all else that is done to send to them.
    """

    def encode(self, _: str) -> bytes:
        return self

    def __format__(self, _: str) -> str:
        return f"{len(self)} bytes"


def _wait(reset: str | None, now: datetime) -> timedelta | None:
    """Return how long a limit lasts that is lifted at ``reset`` (seconds since 1970), between 0 and a day."""
    if reset is None or not re.fullmatch(r"\d{1,11}", reset.strip(), re.ASCII):
        return None
    return min(max(datetime.fromtimestamp(int(reset), UTC) - now, timedelta()), LONGEST_WAIT)


def _complaints(body: bytes) -> tuple[Complaint, ...]:
    """Read ``{"errors": [{"field": ..., "message": ...}]}``; one that names no field, or all of them, helps nobody."""
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ()
    errors = said.get("errors") if isinstance(said, dict) else None
    named = [
        (error["field"], str(error.get("message")))
        for error in (errors if isinstance(errors, list) else ())
        if isinstance(error, dict) and isinstance(error.get("field"), str) and _FIELD.fullmatch(error["field"])
    ]
    return tuple(_complaint(path, message) for path, message in named if path != "personalizations")


def _complaint(path: str, message: str) -> Complaint:
    of_one = _OF_ONE.fullmatch(path)
    if of_one is None:
        return Complaint(None, path, is_address=False)
    is_address = of_one[2] == "to" and "valid" in message and "address" in message
    return Complaint(int(of_one[1]), f"personalizations.{of_one[2] or ''}".rstrip("."), is_address)
