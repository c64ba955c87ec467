"""Who of a channel's senders is alive: the port, the embedded engine's answer, and one sender's membership.

A sender that dies keeps what it had claimed; the others may put that in doubt once nobody has heard of it for as long as its
lease lasts. A sender that was paused for longer must not send what it holds: its own clock tells it.
"""

import time
from collections.abc import Callable
from datetime import timedelta
from math import inf
from typing import Protocol

from consumers.delivery.queue import WHOLE, Share
from schemas.ids import random_id

LEASE = timedelta(seconds=30)
_MARGIN = 0.2
"""The part of a lease that its holder does not use: between its look at the clock and the first byte some time passes."""
_RENEWALS = 3


class Leases(Protocol):
    """Short promises to be alive, by group (a channel). May be called from any thread; raises StoreUnavailableError."""

    def renew(self, group: str, worker: str, seconds: float) -> list[str]:
        """Let ``worker`` count as alive for ``seconds`` from now on, and return all of the group who are, sorted."""

    def release(self, group: str, worker: str) -> None:
        """Let ``worker`` count as gone."""


class SoleLeases:
    """The embedded engine's: one process is alone, and whoever else ever claimed is gone."""

    def renew(self, group: str, worker: str, seconds: float) -> list[str]:
        return [worker]

    def release(self, group: str, worker: str) -> None: ...


class Membership:
    """One sender among those of its channel. ``worker`` is the name it claims by; it changes when a lease ran out.

    ``lease`` None is for a sender without others: it never runs out, and all others are gone at once.
    """

    def __init__(
        self,
        leases: Leases,
        group: str,
        lease: timedelta | None = LEASE,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._leases = leases
        self._group = group
        self._seconds = inf if lease is None else lease.total_seconds()
        self._patience = 0.0 if lease is None else lease.total_seconds()
        self._monotonic = monotonic
        self._until = -inf
        self._alive: list[str] = []
        self._missing: dict[str, float] = {}
        self.worker = self._name()

    @property
    def is_valid(self) -> bool:
        """Whether others still have to take us for alive."""
        return self._monotonic() < self._until

    @property
    def share(self) -> Share:
        """Our part of the channel's work."""
        if self.worker not in self._alive:
            return WHOLE
        return Share(self._alive.index(self.worker), len(self._alive))

    @property
    def pause(self) -> float:
        """Seconds between renewals."""
        return self._seconds / _RENEWALS

    def now(self) -> float:
        """Return the moment by our own clock, in seconds."""
        return self._monotonic()

    def renew(self) -> bool:
        """Extend our lease, or begin another under a new name where it ran out; return whether the name is new.

        Blocks. Raises StoreUnavailableError; then the lease goes on to run out.
        """
        began = self._monotonic()
        lapsed = self._until != -inf and began >= self._until
        worker = self._name() if lapsed else self.worker
        alive = self._leases.renew(self._group, worker, self._seconds)
        self.worker, self._alive = worker, alive
        self._until = began + self._seconds * (1 - _MARGIN)
        self._missing = {name: since for name, since in self._missing.items() if name not in alive}
        return lapsed

    def is_gone(self, worker: str) -> bool:
        """Return whether ``worker`` was looked for, and not found alive, for as long as a lease lasts.

        A single look is not enough: a store that was restarted empty knows of nobody until all have renewed.
        """
        if worker == self.worker or worker in self._alive or not self.is_valid:
            return False
        now = self._monotonic()
        return now - self._missing.setdefault(worker, now) >= self._patience

    def leave(self) -> None:
        """Say that we are gone; a later ``renew`` begins anew."""
        self._until, self._alive = -inf, []
        worker, self.worker = self.worker, self._name()
        self._leases.release(self._group, worker)

    def _name(self) -> str:
        return f"{self._group}-{random_id()[:12]}"


def alone(group: str) -> Membership:
    """Return the membership of the only sender there is."""
    return Membership(SoleLeases(), group, None)
