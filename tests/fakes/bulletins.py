"""Bulletins of a fleet in one process, by a clock that tests set; the contract suite holds them and the real ones together."""

from collections.abc import Callable


class FleetBulletins:
    """Implements ``consumers.delivery.fleet_conditions.Bulletins``; ``clock`` returns seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._said: dict[tuple[str, str], tuple[float, bytes]] = {}

    def post(self, board: str, who: str, text: bytes, seconds: float) -> None:
        self._said[board, who] = (self._clock() + seconds, text)

    def remove(self, board: str, who: str) -> None:
        self._said.pop((board, who), None)

    def read(self, board: str) -> dict[str, bytes]:
        now = self._clock()
        return {who: text for (on, who), (until, text) in self._said.items() if on == board and until > now}
