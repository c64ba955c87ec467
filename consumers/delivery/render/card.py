"""What chats that show cards are told of a message: a headline, a text, the cells, one link. Plain text; no vendor's markup.

Who writes a card cuts its parts to what the vendor takes, with ``cut_to``.
"""

from dataclasses import dataclass

from consumers.delivery.channel import Message
from consumers.delivery.render.text import parts_of
from consumers.delivery.render.words import words_of
from schemas.vocabulary import IncidentStatus, Kind, MaintenanceStatus

CELLS_LIMIT = 50
"""Lines of cells; what more there are is read on the page."""


@dataclass(frozen=True)
class Card:
    """Any part but ``headline`` and ``page`` may be empty; all but ``body`` are single lines. ``colour`` is ``#rrggbb``.

    ``link`` leads to the page, or confirms a sign-up; ``label`` says which. ``leave`` is the subscriber's way out.
    """

    headline: str
    body: str
    cells: tuple[str, ...]
    promise: str
    link: str
    label: str
    leave: str
    page: str
    colour: str


def card_of(message: Message) -> Card:
    """Return the card of a message of any kind."""
    parts, words = parts_of(message), words_of(message)
    asks = message.notice.kind is Kind.CONFIRMATION
    lines = [f"{cell.name}: {cell.status}" if cell.status else cell.name for cell in words.cells]
    return Card(
        headline=parts.headline,
        body=parts.body,
        cells=() if asks else _short(lines),
        promise=parts.promise,
        link=parts.link,
        label="Confirm" if asks else "Read more on the status page",
        leave="" if asks else message.unsubscribe_url,
        page=words.page,
        colour=words.colour,
    )


def is_over(message: Message) -> bool:
    """Whether nothing more is expected to happen: the incident is resolved, or told of afterwards; the maintenance is done."""
    return message.notice.status in {
        IncidentStatus.RESOLVED,
        IncidentStatus.POSTMORTEM,
        MaintenanceStatus.COMPLETED,
    }


def _short(lines: list[str]) -> tuple[str, ...]:
    kept = lines[:CELLS_LIMIT]
    return (*kept, f"and {len(lines) - len(kept)} more") if len(lines) > len(kept) else tuple(kept)
