"""What the way in may ask of the projections without knowing them: a page's picture, and the verdict on an event."""

from typing import Protocol

import msgspec

from streams.domain.model import PageView


class Verdict(msgspec.Struct, frozen=True):
    """What the fold made of an event: applied, ignored with a reason, or not yet known."""

    known: bool
    reason: str | None = None

    @property
    def applied(self) -> bool:
        """Whether the event took effect."""
        return self.known and self.reason is None


class Views(Protocol):
    """Reads the status projection. Never blocks for longer than it takes to copy a page."""

    def pages(self) -> list[str]:
        """Return the ids of all pages."""

    def view(self, page: str) -> PageView | None:
        """Return the newest picture of a page, None where there is no such page."""

    async def verdict(self, page: str, event_id: str, offset: int, timeout: float) -> Verdict:
        """Wait at most ``timeout`` seconds until the projection has passed ``offset`` and say what became of the event."""
