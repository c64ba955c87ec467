"""An announcer that notes what it is given to tell."""

from collections.abc import Sequence

from streams.runtime.announcements import Placed


class NotedAnnouncements:
    """Implements ``Announcer``; ``placed`` is all that was announced, in order."""

    def __init__(self) -> None:
        self.placed: list[Placed] = []

    def announce(self, placed: Sequence[Placed]) -> None:
        self.placed += placed
