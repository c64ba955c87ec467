"""What a provider's answer means: one table for every HTTP status, one for SMTP replies. It does no I/O.

Whoever asks gets an ``Outcome`` and obeys it; no channel reads a status on its own. The scope of a refusal of access
(401, 402, 403, 407), and of nobody being there (404, 405, 410, redirects), depends on whose address it is: at a provider's
one address for all they condemn our account or settings and so the channel; at a subscriber's own server only this message,
or this recipient, because no stranger may stop a channel for everybody.
"""

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum

from consumers.delivery.outcome import InDoubt, Outcome, Rejected, Retry, Scope, Sent

LONGEST_WAIT = timedelta(days=1)
"""A Retry-After beyond this is cut: a stranger's server shall not park a notification for years."""


class Meaning(StrEnum):
    """What a status says about the message that it answers."""

    SENT = "sent"
    RETRY = "retry"
    MESSAGE = "message"
    RECIPIENT = "recipient"
    ACCESS = "access"


_EXCEPTIONS: dict[int, Meaning] = {
    # Access: credentials, payment, permission.
    401: Meaning.ACCESS,
    402: Meaning.ACCESS,
    403: Meaning.ACCESS,
    407: Meaning.ACCESS,
    # There is nothing at this address that takes messages.
    404: Meaning.RECIPIENT,
    405: Meaning.RECIPIENT,
    410: Meaning.RECIPIENT,
    # "Not now": timeout, conflict with a request under way, misdirected, locked, too early, too many.
    408: Meaning.RETRY,
    409: Meaning.RETRY,
    421: Meaning.RETRY,
    423: Meaning.RETRY,
    425: Meaning.RETRY,
    429: Meaning.RETRY,
    # The server says that it will never do this: method or HTTP version not supported.
    501: Meaning.MESSAGE,
    505: Meaning.MESSAGE,
}
_GONE = frozenset({404, 410})
"""Nothing is there, now or for ever (RFC 9110 15.5.5, 15.5.11); all else that condemns an address is a refusal."""
_BY_HUNDRED: dict[int, Meaning] = {
    1: Meaning.RECIPIENT,  # no final answer to a POST: whatever is there is no receiver of messages
    2: Meaning.SENT,
    3: Meaning.RECIPIENT,  # redirects are never followed: RFC 8058 and Standard Webhooks want none, SSRF guards neither
    4: Meaning.MESSAGE,
    5: Meaning.RETRY,
}
HTTP_MEANING: dict[int, Meaning] = {
    status: _EXCEPTIONS.get(status, _BY_HUNDRED[status // 100]) for status in range(100, 600)
}
"""Every HTTP status (RFC 9110) and what it means."""


def classify_http(
    status: int,
    *,
    now: datetime,
    retry_after: str | None = None,
    access: Scope = Scope.CHANNEL,
    address: Scope = Scope.RECIPIENT,
) -> Outcome:
    """Return what an HTTP answer means; a status outside 100..599 counts as in doubt.

    ``retry_after`` is the header as it came, ``access`` the scope of 401, 402, 403 and 407,
    ``address`` that of 404, 405, 410 and redirects: a channel whose provider has one address for all passes ``CHANNEL``.
    """
    reason = f"answered {status}"
    match HTTP_MEANING.get(status):
        case Meaning.SENT:
            return Sent()
        case Meaning.RETRY:
            return Retry(reason, wait_of(retry_after, now))
        case Meaning.MESSAGE:
            return Rejected(Scope.MESSAGE, reason)
        case Meaning.RECIPIENT:
            return Rejected(address, reason, gone=address is Scope.RECIPIENT and status in _GONE)
        case Meaning.ACCESS:
            return Rejected(access, reason)
        case None:
            return InDoubt(reason)


def classify_hook(status: int, *, now: datetime, retry_after: str | None = None) -> Outcome:
    """Return what an incoming webhook of a chat answers: it is the subscriber's own, at a vendor whom all subscribers share.

    A key in its URL opens it, so that 401 and 403 say that it was withdrawn: like 404 they condemn this one address.
    """
    access = Scope.RECIPIENT if status in (401, 403) else Scope.MESSAGE
    return classify_http(status, now=now, retry_after=retry_after, access=access)


def wait_of(retry_after: str | None, now: datetime) -> timedelta | None:
    """Return the wait that a Retry-After header asks for (RFC 9110 10.2.3), between 0 and a day; None if it says none.

    Seconds and HTTP dates are read; fractions of seconds too, which some providers send.
    """
    if retry_after is None:
        return None
    text = retry_after.strip()
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text, re.ASCII):
        wait = timedelta(seconds=float(text))
    else:
        try:
            until = parsedate_to_datetime(text)
        except ValueError:
            return None
        wait = until.replace(tzinfo=until.tzinfo or UTC) - now
    return min(max(wait, timedelta()), LONGEST_WAIT)


class Phase(StrEnum):
    """How far a mail had come when the server answered or fell silent."""

    CONNECT = "connect"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    END = "end of data"


_REFUSED_AT: dict[Phase, Scope] = {
    Phase.CONNECT: Scope.CHANNEL,
    Phase.AUTH: Scope.CHANNEL,
    Phase.MAIL: Scope.CHANNEL,
    Phase.RCPT: Scope.RECIPIENT,
    Phase.DATA: Scope.MESSAGE,
    Phase.END: Scope.MESSAGE,
}
_ACCOUNT_REFUSED = frozenset({530, 534, 535, 538})
"""RFC 4954: we are not, or not well enough, authenticated. It says nothing about recipient or message."""
_FULL = re.compile(r"5\.2\.2\b", re.ASCII)
"""A mailbox that is full (RFC 3463 3.3): emptied tomorrow, or never."""
_NOT_THE_ADDRESS = re.compile(r"5\.(?:7|2\.2|3|4)\b", re.ASCII)
"""Enhanced codes (RFC 3463) that refuse at RCPT without a word against the address: policy 5.7, full mailbox 5.2.2,
mail system 5.3, network 5.4. The message fails, the address stays."""


def classify_smtp(phase: Phase, code: int, text: str = "") -> Outcome:
    """Return what an SMTP reply in ``phase`` means (RFC 5321 4.2.1, 4.3.2); ``text`` may open with an enhanced code.

    Only a 2xx after the end of data is a success. Anything that is neither 4xx nor 5xx where that is not expected
    is a server out of step: worth another try before the end of data, in doubt after it.
    """
    reason = f"{code} at {phase}"
    match code // 100:
        case 2 if phase is Phase.END:
            return Sent()
        case 4:
            return Retry(reason, soft=phase is Phase.RCPT)
        case 5:
            return Rejected(_scope(phase, code, text), reason, soft=phase is Phase.RCPT and bool(_FULL.match(text)))
        case _:
            return InDoubt(reason) if phase is Phase.END else Retry(reason)


def _scope(phase: Phase, code: int, text: str) -> Scope:
    if code in _ACCOUNT_REFUSED:
        return Scope.CHANNEL
    if phase is Phase.RCPT and _NOT_THE_ADDRESS.match(text):
        return Scope.MESSAGE
    return _REFUSED_AT[phase]
