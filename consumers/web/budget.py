"""How often a body may be rendered anew: at once while it is cheap, and never more than a share of the time."""

SHARE = 0.1
"""Seconds of rendering that each second allows."""
CREDIT = 0.25
"""Seconds of rendering that a quiet time saves up: so a change is shown at once though another has just been."""


class RenderBudget:
    """The budget of one body. Times are seconds of any clock that runs forward; nothing here asks for the time.

    A body that costs 5 ms is at most 50 ms old under a storm of changes, one that costs 100 ms a second, and one that
    costs a second is rendered every ten.
    """

    def __init__(self) -> None:
        self._credit = CREDIT
        self._at = 0.0

    def allows(self, now: float) -> bool:
        """Whether rendering may begin now."""
        self._earn(now)
        return self._credit > 0

    def spend(self, seconds: float, now: float) -> None:
        """Take the cost of a rendering that ended at ``now``."""
        self._earn(now)
        self._credit -= seconds

    def _earn(self, now: float) -> None:
        self._credit = min(CREDIT, self._credit + max(0.0, now - self._at) * SHARE)
        self._at = max(self._at, now)
