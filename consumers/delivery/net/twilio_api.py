"""Twilio's API by its own SDK: one attempt to send a text or to call, what Twilio's codes mean, and what it has of a number.

It renders nothing. Importing it takes a second. Twilio knows no idempotency key and says of its own 500s that the message may
have gone out, so those leave a doubt, as silence does. What ends it is a callback, whose URL carries the notification's id
(``producers/receipts/twilio``), or a look at what Twilio lists (``twilio_records``). Codes:
https://www.twilio.com/docs/api/errors.
"""

import logging
import re
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any, NamedTuple

from msgspec.structs import replace
from requests import ConnectTimeout, RequestException
from requests.adapters import HTTPAdapter
from twilio.base.exceptions import TwilioException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client
from urllib3.exceptions import NewConnectionError, SSLError

from consumers.delivery.classify import classify_http, wait_of
from consumers.delivery.net.threads import BlockingCalls
from consumers.delivery.net.twilio import TIMEOUT, TwilioSettings
from consumers.delivery.net.twilio_records import MOST, Record
from consumers.delivery.outcome import InDoubt, Outcome, Rejected, Retry, Scope, Sent, Unknown

_SID = re.compile(r"(?:SM|MM|CA)[0-9a-fA-F]{32}")
_SETTLED = frozenset({"failed", "undelivered", "canceled"})
_log = logging.getLogger(__name__)


class Ends(StrEnum):
    """How an attempt ends by what a code says."""

    RETRY = "retry"
    DOUBT = "in doubt"
    MESSAGE = "message"
    RECIPIENT = "recipient"
    CHANNEL = "channel"


class Code(NamedTuple):
    """What a code of Twilio's means; ``ours`` says that only the operator can mend it, so that it is logged."""

    ends: Ends
    words: str
    ours: bool = False


CODES: dict[int, Code] = {
    # not now
    10004: Code(Ends.RETRY, "too many calls at once"),
    20429: Code(Ends.RETRY, "too many requests at once"),
    20503: Code(Ends.RETRY, "the service is unavailable"),
    21611: Code(Ends.RETRY, "the sender's queue is full"),
    30001: Code(Ends.RETRY, "the queue overflowed"),
    # Twilio itself says that a message may have gone out
    20500: Code(Ends.DOUBT, "internal error"),
    # nobody is there, or wants to hear
    21211: Code(Ends.RECIPIENT, "not a valid number"),
    21217: Code(Ends.RECIPIENT, "not a valid number"),
    21610: Code(Ends.RECIPIENT, "the recipient said STOP"),
    21614: Code(Ends.RECIPIENT, "the number takes no text messages"),
    21635: Code(Ends.RECIPIENT, "the number is a landline"),
    # a carrier that is down looks the same as a number that nobody has
    21214: Code(Ends.MESSAGE, "the number cannot be reached"),
    # this sender may not reach that number: others may be reached, so neither channel nor address is condemned
    21215: Code(Ends.MESSAGE, "calls to this country are not permitted", ours=True),
    21216: Code(Ends.MESSAGE, "calls to this number are not permitted", ours=True),
    21408: Code(Ends.MESSAGE, "messages to this country are not permitted", ours=True),
    21606: Code(Ends.MESSAGE, "the sender cannot text this destination", ours=True),
    21608: Code(Ends.MESSAGE, "a trial account reaches verified numbers only", ours=True),
    21612: Code(Ends.MESSAGE, "there is no route from the sender to this number", ours=True),
    21617: Code(Ends.MESSAGE, "the text is longer than 1600 characters", ours=True),
    # our account or settings
    10001: Code(Ends.CHANNEL, "the account is not active"),
    20003: Code(Ends.CHANNEL, "the credentials are not accepted"),
    20005: Code(Ends.CHANNEL, "the account is not active"),
    21210: Code(Ends.CHANNEL, "the sender's number is not verified"),
    21212: Code(Ends.CHANNEL, "the sender is not valid"),
    21603: Code(Ends.CHANNEL, "there is no sender"),
    21609: Code(Ends.CHANNEL, "the address for callbacks is not valid"),
    30002: Code(Ends.CHANNEL, "the account is suspended"),
}
"""Codes that outweigh the status with which they come; of all others the status decides."""


class _Heard(threading.local):
    """What the answer's head said, to the thread that asked: the SDK's errors keep no headers, and not always the status."""

    status: int | None = None
    retry_after: str | None = None

    def forget(self) -> None:
        self.status = self.retry_after = None

    def note(self, response: Any, *_args: Any, **_kwargs: Any) -> None:
        self.status = response.status_code
        self.retry_after = response.headers.get("Retry-After")


class TwilioApi:
    """One account. Every request is made once: nothing below repeats it, and redirects are not followed."""

    def __init__(self, settings: TwilioSettings, now: Callable[[], datetime], timeout: float = TIMEOUT) -> None:
        self._now = now
        self._heard = _Heard()
        self._calls = BlockingCalls("twilio", settings.connections, 2 * timeout + 1)
        self._logged: set[int] = set()
        self._client = _client(settings, self._heard.note, timeout)
        # The SDK makes its parts when they are first asked for, which no two threads should do at once.
        self._messages, self._phone = self._client.messages, self._client.calls

    async def text(self, fields: Mapping[str, Any]) -> Outcome:
        """Create a message of ``fields`` as the SDK names them."""
        return await self._calls.run(partial(self._once, partial(self._messages.create, **fields), self._taken))

    async def call(self, fields: Mapping[str, Any]) -> Outcome:
        """Create a call of ``fields`` as the SDK names them."""
        return await self._calls.run(partial(self._once, partial(self._phone.create, **fields), self._taken))

    async def texts_to(self, number: str, sender: str | None) -> list[Record] | Unknown:
        """Return the latest messages to a number, at most ``MOST``, the newest first; of one sender if it is given.

        Not those of some days: a message that waits in Twilio's queue has no date of sending and would be left out.
        """
        return await self._listed(self._messages.list, number, sender)

    async def calls_to(self, number: str, sender: str | None) -> list[Record] | Unknown:
        """Return the latest calls to a number in the same way."""
        return await self._listed(self._phone.list, number, sender)

    def settled(self, record: Record) -> Outcome | None:
        """Return what Twilio has decided about a message or call, None where it has not failed."""
        if record.status not in _SETTLED:
            return None
        found = self._meant(record.code)
        return found or Rejected(Scope.MESSAGE, f"Twilio: {record.status}{_numbered(record.code)}")

    async def close(self) -> None:
        await self._calls.close()
        self._client.http_client.session.close()

    async def _listed(self, ask: Callable[..., Any], number: str, sender: str | None) -> list[Record] | Unknown:
        found: list[Record] = []

        def read(listed: Any) -> Outcome:
            found.extend(_record(one) for one in listed)
            return Sent()

        fields = {"to": number, "limit": MOST, "page_size": MOST} | ({} if sender is None else {"from_": sender})
        outcome = await self._calls.run(partial(self._once, partial(ask, **fields), read))
        match outcome:
            case Sent():
                return found
            case Retry(reason, after):
                return Unknown(reason, after)
            case _:
                return Unknown(outcome.reason)

    def _once(self, ask: Callable[[], Any], read: Callable[[Any], Outcome]) -> Outcome:
        self._heard.forget()
        try:
            return read(ask())
        except TwilioException as error:
            return self._refused(getattr(error, "code", None))
        except RequestException as error:
            return Retry("no connection") if _never_left(error) else InDoubt("no answer after the request had left")
        except Exception as error:  # whatever the SDK makes of an answer that is none of Twilio's: the request has left
            return InDoubt(f"the answer was not understood: {type(error).__name__}")

    def _taken(self, made: Any) -> Outcome:
        if self._heard.status != 201 or not (isinstance(made.sid, str) and _SID.fullmatch(made.sid)):
            return InDoubt("the answer was not Twilio's")
        if made.status not in _SETTLED:
            return Sent(receipt=made.sid)
        # No callback will tell what was decided at once.
        code = getattr(made, "error_code", None)
        return self._meant(code) or Rejected(Scope.MESSAGE, f"Twilio: {made.status} at once{_numbered(code)}")

    def _refused(self, code: object) -> Outcome:
        status = self._heard.status
        if (meant := self._meant(code)) is not None:
            return meant
        reason = f"answered {status}{_numbered(code)}"
        if status is None or status // 100 == 5:
            return InDoubt(reason)
        ended = classify_http(status, now=self._now(), retry_after=self._heard.retry_after, address=Scope.CHANNEL)
        return InDoubt(reason) if isinstance(ended, Sent) else replace(ended, reason=reason)

    def _meant(self, code: object) -> Outcome | None:
        """Return what a code means, None for one that is not in the table."""
        known = CODES.get(code) if isinstance(code, int) else None
        if known is None or not isinstance(code, int):
            return None
        if known.ours and code not in self._logged:
            self._logged.add(code)
            _log.warning("Twilio refuses with code %d: %s", code, known.words)
        reason = f"Twilio's code {code}: {known.words}"
        match known.ends:
            case Ends.RETRY:
                return Retry(reason, wait_of(self._heard.retry_after, self._now()))
            case Ends.DOUBT:
                return InDoubt(reason)
            case scope:
                return Rejected(Scope(scope.value), reason)


def _record(one: Any) -> Record:
    """Read what the SDK made of a listed message or call; raises for what is none."""
    if not (isinstance(one.sid, str) and _SID.fullmatch(one.sid) and isinstance(one.status, str)):
        raise ValueError("not a message or call")
    created = one.date_created if isinstance(one.date_created, datetime) else None
    body, code = getattr(one, "body", None), getattr(one, "error_code", None)
    return Record(one.sid, one.status, created, str(one.direction), body if isinstance(body, str) else None, code)


def _numbered(code: object) -> str:
    return (
        f", code {code}" if isinstance(code, int) and code > 999 else ""
    )  # the SDK puts the status where there is none


def _client(settings: TwilioSettings, note: Callable[..., None], timeout: float) -> Any:

    quiet = logging.getLogger(f"{__name__}.sdk")
    quiet.setLevel(logging.WARNING)  # it tells the account's id with every request
    http = TwilioHttpClient(timeout=timeout, request_hooks={"response": note}, logger=quiet)
    http.session.trust_env = False
    for scheme in ("https://", "http://"):
        http.session.mount(scheme, HTTPAdapter(pool_maxsize=settings.connections))
    user, secret = (settings.api_key, settings.api_secret) if settings.api_key else (settings.account_sid, None)
    secret = secret or settings.auth_token
    assert secret is not None
    # An environment of its own, not an empty one, which the SDK takes for none: TWILIO_EDGE and TWILIO_REGION would
    # rewrite the host.
    client = Client(user, secret.reveal(), settings.account_sid, http_client=http, environment={"TWILIO_EDGE": ""})
    client.api.base_url = settings.base_url
    return client


def _never_left(error: Exception) -> bool:
    """Whether requests failed before there was a connection, or before its certificate was trusted."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(reason, SSLError):
        return "CERTIFICATE_VERIFY_FAILED" in str(reason)
    return isinstance(error, ConnectTimeout) or isinstance(reason, NewConnectionError)
