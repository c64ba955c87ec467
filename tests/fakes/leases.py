"""Leases of a fleet in one process, by a clock that tests set; the contract suite holds them and the real ones together."""

from collections.abc import Callable


class FleetLeases:
    """Implements ``consumers.delivery.leases.Leases``; ``clock`` returns seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until: dict[tuple[str, str], float] = {}

    def renew(self, group: str, worker: str, seconds: float) -> list[str]:
        now = self._clock()
        self._until[group, worker] = now + seconds
        return sorted(name for (of, name), until in self._until.items() if of == group and until > now)

    def release(self, group: str, worker: str) -> None:
        self._until.pop((group, worker), None)

    def forget(self) -> None:
        """Know of nobody, as a store that was restarted empty."""
        self._until.clear()
