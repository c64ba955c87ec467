"""Pictures of a page as the public sees it: those of the board, without what is internal. It renders nothing and decides nothing."""

from typing import Protocol

from streams.domain.audiences import public_view
from streams.domain.model import PageView


class Pictures(Protocol):
    """Gives the newest picture of a page."""

    def view(self, page: str) -> PageView | None:
        """Return it, None where there is no such page. From any thread, without waiting; the same one until the page changes."""


class PublicPictures:
    """``Pictures`` for everybody; each is made once for each that ``pictures`` has of a page."""

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures
        self._made: dict[str, tuple[PageView, PageView]] = {}

    def view(self, page: str) -> PageView | None:
        whole = self._pictures.view(page)
        if whole is None:
            return None
        made = self._made.get(page)
        if made is None or made[0] is not whole:
            made = self._made[page] = (whole, public_view(whole))
        return made[1]
