"""Counts what a channel sends against its limits: in this process, or where the storage is, for a fleet together.

What is over a limit of the account or the sender is not claimed and keeps its turn, so that what is urgent, and each page,
still comes when it is its turn. What is over a limit of its destination is put off by itself. It knows no vendor.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.errors import StorageError
from limits.storage import MemoryStorage, Storage
from limits.strategies import MovingWindowRateLimiter

from consumers.delivery.closings import Closing
from consumers.delivery.rates import Limits, Rate, rates_of
from schemas.events import Micros
from schemas.ids import derive
from streams.runtime.state_store import StoreUnavailableError

_MOST_SLOTS = 10_000
_SHORTEST = 0.01
_AWAY = "the counts of rate limits cannot be reached"
_NO_LIMITS = Limits()


class Limiter:
    """The limits of one channel. Windows move: no span of a window's length ever holds more than its amount.

    Channels that name one ``account`` count towards its limits together, and are closed together.
    ``secret`` keeps what destinations are called in the storage from being guessed; ``held`` is called with whose limit
    held something back. Methods that count raise StoreUnavailableError.
    """

    def __init__(
        self,
        channel: str,
        limits: Limits = _NO_LIMITS,
        *,
        secret: str = "",
        account: str = "",
        storage: Storage | None = None,
        held: Callable[[str], object] = lambda _limit: None,
    ) -> None:
        self._channel = channel
        self._limits = limits
        self._secret = secret
        self._held = held
        self._overall = [
            *(("account", account or channel, item) for item in _items(rates_of(limits.account))),
            *(("sender", channel, item) for item in _items(rates_of(limits.sender))),
        ]
        rates = rates_of(limits.destination)
        self._to_one = _items(rates)
        self._spacing = max((rate.seconds / rate.amount for rate in rates), default=0.0)
        self._windows = _windows(storage) if self._overall or self._to_one else None
        self._slots: dict[str, float] = {}
        self._open_at = 0.0
        self._closing = Closing(account, storage)

    # --- account and sender ---

    def take(self, wanted: int) -> int:
        """Return how many of ``wanted`` messages account and sender allow now, and count them as sent."""
        if wanted == 0:
            return 0
        try:
            if time.time() < self._closing.until():
                self._held("provider")
                return 0
            return wanted if self._windows is None or not self._overall else self._take(self._windows, wanted)
        except StorageError:
            raise StoreUnavailableError(_AWAY) from None

    def pause(self) -> timedelta:
        """Return how long account or sender allow nothing more, as far as ``take`` has found, or the provider: zero, or more."""
        return timedelta(seconds=max(0.0, max(self._open_at, self._closing.known()) - time.time()))

    def close_for(self, span: timedelta) -> None:
        """Allow nothing more for a while: the provider said when it wants to be asked again.

        Where the counts cannot be reached the other channels of the account, and other processes, learn it by themselves.
        """
        with suppress(StorageError):
            self._closing.close(time.time() + span.total_seconds())

    def _take(self, windows: MovingWindowRateLimiter, wanted: int) -> int:
        granted = wanted
        for name, whose, item in self._overall:
            reset, left = windows.get_window_stats(item, whose, name)
            if left < wanted:
                self._held(name)
            if left <= 0:
                self._open_at = max(self._open_at, reset)
            granted = max(0, min(granted, left))
        # Where another was faster nothing is granted: what was counted too much frees itself with the window.
        if granted and all(windows.hit(item, whose, name, cost=granted) for name, whose, item in self._overall):
            return granted
        return 0

    # --- destinations ---

    @property
    def limits_destinations(self) -> bool:
        """Whether there is a limit of destinations at all."""
        return bool(self._to_one)

    @property
    def by_destination(self) -> str:
        """What the limit of one destination is, as it is written."""
        return self._limits.destination

    def wait(self, address: str) -> timedelta | None:
        """Return how long a message to ``address`` has to wait; None: it may go now, and is counted.

        Those that wait for one destination are told different times, so that they do not all come again at once.
        """
        if not self._to_one or self._windows is None:
            return None
        try:
            return self._wait(self._windows, address)
        except StorageError:
            raise StoreUnavailableError(_AWAY) from None

    def _wait(self, windows: MovingWindowRateLimiter, address: str) -> timedelta | None:
        name = derive("limited", self._channel, self._limits.counts_by.of(address), self._secret)
        resets = [
            windows.get_window_stats(item, self._channel, name).reset_time
            for item in self._to_one
            if not windows.test(item, self._channel, name)
        ]
        if not resets and all(windows.hit(item, self._channel, name) for item in self._to_one):
            return None
        self._held("destination")
        now = time.time()
        slot = max(now + _SHORTEST, *resets, self._slots.get(name, 0.0) + self._spacing)
        self._keep(name, slot, now)
        return timedelta(seconds=slot - now)

    def _keep(self, name: str, slot: float, now: float) -> None:
        if len(self._slots) >= _MOST_SLOTS:
            self._slots = {key: at for key, at in self._slots.items() if at > now}
        self._slots[name] = slot


def _items(rates: Sequence[Rate]) -> list[RateLimitItem]:
    return [RateLimitItemPerSecond(rate.amount, rate.seconds) for rate in rates]


def _windows(storage: Storage | None) -> MovingWindowRateLimiter:
    return MovingWindowRateLimiter(storage or MemoryStorage())


def micros_of(span: timedelta) -> Micros:
    """Return a span in whole microseconds."""
    return span // timedelta(microseconds=1)
