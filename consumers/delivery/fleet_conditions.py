"""How the senders of a fleet stand: each says it where all can read it, for as long as it lives. It knows no Redis."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

import msgspec

from consumers.delivery.conditions import Condition, Conditions
from schemas.ids import random_id
from schemas.shapes import decoder

EVERY = timedelta(seconds=5)
LASTS = timedelta(seconds=30)
"""As long as a sender's lease: who is silent for longer counts as gone."""
_BOARD = "conditions"


class Bulletins(Protocol):
    """Words that run out, by board and by who says them. May be called from any thread; raises StoreUnavailableError."""

    def post(self, board: str, who: str, text: bytes, seconds: float) -> None:
        """Say ``text`` for ``seconds`` from now on, in the place of what ``who`` said before."""

    def remove(self, board: str, who: str) -> None:
        """Take back what ``who`` said."""

    def read(self, board: str) -> dict[str, bytes]:
        """Return what has not run out."""


class FleetConditions:
    """Implements ``Conditions`` over what all senders say."""

    def __init__(self, bulletins: Bulletins) -> None:
        self._bulletins = bulletins

    def all(self) -> Sequence[Condition]:
        found = self._bulletins.read(_BOARD)
        return [decoder(Condition).decode(text) for _, text in sorted(found.items())]


class Crier:
    """Says how the senders of one process stand; ``cry`` is to be called every ``EVERY``."""

    def __init__(self, bulletins: Bulletins, own: Conditions) -> None:
        self._bulletins = bulletins
        self._own = own
        self._who = random_id()

    def cry(self) -> None:
        """Say it. Blocks; raises StoreUnavailableError."""
        for one in self._own.all():
            self._bulletins.post(_BOARD, self._name(one), msgspec.json.encode(one), LASTS.total_seconds())

    def leave(self) -> None:
        """Take it back. Blocks; raises StoreUnavailableError."""
        for one in self._own.all():
            self._bulletins.remove(_BOARD, self._name(one))

    def _name(self, one: Condition) -> str:
        return f"{one.channel}/{self._who}"
