"""Messages of every kind, with parts as long and as strange as they come, for the channels of chats."""

from typing import Any

import msgspec
from hypothesis import strategies as st

from consumers.delivery.channel import Message
from schemas.events import Effect
from schemas.vocabulary import CellStatus, Impact, Kind
from tests.unit.delivery.channels.messages import message, notice

CONFIRM_URL = "https://status.acme.example/confirm/t0ken"
CONFIRMATION = notice(kind=Kind.CONFIRMATION, status="pending", affects=[], components=[], promise_at=None)
RESOLVED = notice(update="u9", status="resolved", body="All is well again.", promise_at=None)
MAINTENANCE = notice(kind=Kind.MAINTENANCE, status="scheduled", impact=Impact.NONE, title="Move of the database")
REMINDER = notice(kind=Kind.REMINDER)
STRANGE = st.text(alphabet=st.sampled_from("ab &<>|*_~`\\[]()#@!\n-é世🏳️‍🌈👩‍👩‍👧\u202e\x00\ud800"), max_size=60)
LONG = st.builds(lambda text, times: text * times, STRANGE, st.sampled_from([1, 40, 200]))
CELLS = st.lists(STRANGE, max_size=80)


def _told(title: str, body: str, names: list[str], **changes: Any) -> Message:
    effects = [Effect(f"c{n}", None, CellStatus.PARTIAL_OUTAGE) for n in range(len(names))]
    about = notice(title=title, body=body, components=names, affects=effects)
    return message(about, **changes)


MESSAGES = st.one_of(
    st.builds(_told, LONG, LONG, CELLS, drill=st.booleans(), over=st.booleans()),
    st.builds(message, st.sampled_from([RESOLVED, MAINTENANCE, REMINDER])),
    st.just(message(CONFIRMATION, confirm_url=CONFIRM_URL)),
    st.just(message(CONFIRMATION)),
)


LONGEST = _told("*x <y> " * 100, "*w* <o> & d\n" * 4_000, ["A_very_long_name " * 20] * 80)
"""As much as can be told at all, and all of it wants escaping."""


def to(address: str, about: Message) -> Message:
    """Return a message for another address."""
    return msgspec.structs.replace(about, endpoint=msgspec.structs.replace(about.endpoint, address=address))
