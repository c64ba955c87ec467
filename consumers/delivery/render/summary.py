"""Several messages for one endpoint as one that lists them: what a digest, and a storm of incidents, look like. Pure.

Each is told by its status, its title and the beginning of its text; the rest is read on the page. The summary is a notice like
any other, so that every channel can render it.
"""

import re
from collections.abc import Sequence

from msgspec.structs import replace

from consumers.delivery.channel import Message
from consumers.delivery.render.text import cut_to, plain_of
from consumers.delivery.render.words import instant, words_of, zone_of
from schemas.events import Notice
from schemas.ids import derive
from schemas.vocabulary import IMPACT_RANK, Kind

STATUS = "summary"
_TEXT_LIMIT = 280
"""Characters of each message's text."""
_MARKUP = re.compile(r"([\\`*\[]|(?<!\w)_|_(?!\w))")
"""What would be markup in a line of text. Mails show Markdown as it is written to who reads plain text, so no more is escaped."""


def summary_of(messages: Sequence[Message]) -> Message:
    """Return one message in the place of several (at least two) for one endpoint; it has the id of the first."""
    in_order = sorted(messages, key=lambda message: (message.notice.published_at, message.notification))
    first, last = messages[0], in_order[-1].notice
    notice = Notice(
        kind=Kind.SUMMARY,
        update=derive("summary", *(message.notification for message in in_order)),
        subject_id=derive("summary of", first.notification),
        title=_title([message.notice for message in in_order]),
        body="\n".join(_line(message) for message in in_order),
        status=STATUS,
        impact=max((message.notice.impact for message in in_order), key=IMPACT_RANK.__getitem__),
        impact_chosen=False,
        changes=[],
        affects=[],
        components=[],
        page_name=last.page_name,
        page_url=last.page_url,
        timezone=last.timezone,
        promise_at=None,
        started_at=in_order[0].notice.started_at,
        published_at=last.published_at,
    )
    return replace(first, notice=notice, over=False, earlier=())


def _title(notices: Sequence[Notice]) -> str:
    """Return how much there is: ``3 incidents, 1 maintenance``; of one incident only its newest update is told."""
    counts = [
        (sum(notice.kind is kind for notice in notices), kind.value) for kind in (Kind.INCIDENT, Kind.MAINTENANCE)
    ]
    return ", ".join(f"{count} {name}{'s' if count > 1 else ''}" for count, name in counts if count)


def _line(message: Message) -> str:
    words = words_of(message)
    at = instant(message.notice.published_at, zone_of(message.notice.timezone))
    text = cut_to(" ".join(plain_of(message.notice.body).split()), _TEXT_LIMIT)
    said = f": {_plain(text)}" if text else ""
    return f"- {_plain(words.status)}: {_plain(words.title)} ({at}){said}"


def _plain(text: str) -> str:
    """Return text for Markdown that shows as it is written."""
    return _MARKUP.sub(r"\\\1", text)
