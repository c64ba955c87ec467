"""Which of the messages and calls that Twilio lists is ours: pure. How they are listed is ``twilio_api``'s.

https://www.twilio.com/docs/messaging/api/message-resource#read-multiple-message-resources: a message may be told by its number,
its sender and its day, and carries nothing of ours but its text. So the text is compared, among what was made since the notice
was published. A call carries no text: that there is none proves that none was made, and one that is there proves nothing.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from consumers.delivery.outcome import Retry, Unknown

MOST = 200
"""How many are looked at: nobody is told more within the time that matters."""
SLACK = timedelta(minutes=2)
"""By how much Twilio's clock may be behind ours."""
NOT_THERE = "Twilio does not have it"
_OURS = "outbound"
_TRIAL = "Sent from your Twilio trial account - "


class Record(NamedTuple):
    """A message or call. ``created`` is None where Twilio does not say; ``body`` is None for calls, ``code`` an ErrorCode."""

    sid: str
    status: str
    created: datetime | None
    direction: str
    body: str | None = None
    code: object = None


def text_among(
    records: Sequence[Record],
    text: str,
    published: datetime,
    *,
    combinable: bool = False,
    others: Collection[str] = (),
) -> Record | Retry | Unknown:
    """Return the message with this text that was made since then, or whether there is certainly none.

    ``others`` are the sids of messages that are known to be something else. What is ``combinable`` may have gone out in other words: then any message of that time may be it.
    """
    everything = _recent(records, published)
    recent = [one for one in everything if one.sid not in others]
    ours = {_bare(text), _bare(_TRIAL + text)}
    alike = [one for one in recent if one.body is not None and _bare(one.body) in ours]
    if alike:
        return alike[0]
    if any(not one.body for one in recent):  # an account may be set to keep no texts
        return Unknown("Twilio has a message to this number of that time and does not tell its text")
    if combinable and recent:
        return Unknown("Twilio has another message to this number of that time, which may hold this one", final=True)
    return _absence(records, everything)


def call_among(records: Sequence[Record], published: datetime, others: Collection[str] = ()) -> Retry | Unknown:
    """Return whether there is certainly no call since then but ``others``, by their sids."""
    recent = _recent(records, published)
    if any(one.sid not in others for one in recent):
        return Unknown("Twilio has a call to this number of that time, which may be another", final=True)
    return _absence(records, recent)


def _recent(records: Sequence[Record], published: datetime) -> list[Record]:
    since = published - SLACK
    return [one for one in records if one.direction.startswith(_OURS) and (one.created is None or one.created >= since)]


def _absence(records: Sequence[Record], recent: Sequence[Record]) -> Retry | Unknown:
    if len(records) >= MOST and len(recent) == len(records):
        return Unknown("Twilio has too many messages to this number to look through")
    return Retry(NOT_THERE)


def _bare(text: str) -> str:
    """Return a text without what is lost on the way: spaces at its ends, and more than one between its words."""
    return " ".join(text.split())
