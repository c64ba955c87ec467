"""Throws faults at an installation at moments that a seed chooses; what they break is for others to find."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from random import Random

from consumers.delivery.leases import LEASE
from streams.runtime.failpoints import NAMES, VARIABLE
from tests.faults.crew import API, CHANNELS, SENDERS, STREAMS
from tests.faults.installation import Installation

SESSION_SECONDS = 10.0
"""After this the broker gives a silent worker's partitions to another (the driver's default)."""
_LONGER = 4.0
_MOST_PASSES = 3
_FAILPOINT_SECONDS = 60.0
_BREATH = (0.3, 2.5)
_LAST = 4
Report = Callable[[str], None]
Fault = tuple[str, Callable[[], None]]


class Misfortune:
    """One installation, one seed. ``thrown`` counts by kind; ``complaints`` are faults that could not be thrown."""

    def __init__(self, installation: Installation, seed: int, report: Report) -> None:
        self.thrown: Counter[str] = Counter()
        self.complaints: list[str] = []
        self._installation = installation
        self._crew = installation.crew
        self._random = Random(seed)
        self._report = report
        self._paused: set[str] = set()
        self._stalls: list[threading.Timer] = []

    def round(self) -> None:
        """Throw one of each kind, in any order, while a sender of each channel is stalled for longer than its lease."""
        for channel in CHANNELS:
            self._stall(self._random.choice(SENDERS[channel]))
        senders: list[Fault] = [
            *((f"SIGKILL at {name}", partial(self._kill_at, name)) for name in NAMES),
            *((f"SIGKILL of {channel}", partial(self._kill, channel)) for channel in CHANNELS),
        ]
        others: list[Fault] = [
            *((f"SIGKILL of {kind}", partial(self._kill, kind)) for kind in ("streams", API)),
            ("SIGSTOP beyond the session", self._pause_streams),
            ("streams 1 -> 3 -> 2", self._rebalance),
            ("broker restarted", self._restart_broker),
            ("Redis restarted", self._restart_redis),
            ("Redis wiped", self._wipe_redis),
        ]
        for name, throw in self._mixed(senders, others):
            time.sleep(self._random.uniform(*_BREATH))
            began = time.monotonic()
            throw()
            self.thrown[name] += 1
            self._report(f"{name}: {time.monotonic() - began:.1f} s")
        self.end()

    def end(self) -> None:
        """Return when nothing is paused any more."""
        for stall in self._stalls:
            stall.join()
        self._stalls = []

    def _mixed(self, senders: list[Fault], others: list[Fault]) -> list[Fault]:
        """Return all in a random order, but that the last few are no sender's: what those held is missed for a minute."""
        self._random.shuffle(senders)
        self._random.shuffle(others)
        first, last = [*senders, *others[:-_LAST]], others[-_LAST:]
        self._random.shuffle(first)
        return [*first, *last]

    # --- workers ---

    def _stall(self, name: str) -> None:
        """Take all processor time from a sender until others have taken it for dead."""
        self._paused.add(name)
        self._crew.pause(name)

        def resume() -> None:
            self._crew.resume(name)
            self._paused.discard(name)
            self._report(f"{name} goes on")

        stall = threading.Timer(LEASE.total_seconds() + _LONGER, resume)
        stall.start()
        self._stalls.append(stall)
        self.thrown["SIGSTOP beyond the lease"] += 1
        self._report(f"{name} is stalled")

    def _kill(self, kind: str) -> None:
        names = [name for name in self._crew.at_work if name.startswith(kind) and name not in self._paused]
        self._crew.kill(self._random.choice(names))

    def _kill_at(self, failpoint: str) -> None:
        """Replace a sender by one that dies at a failpoint, and wait until it does."""
        awake = [name for names in SENDERS.values() for name in names if name not in self._paused]
        name = self._random.choice(awake)
        process = self._crew.doom(name, {VARIABLE: f"{failpoint}:{self._random.randint(1, _MOST_PASSES)}"})
        end = time.monotonic() + _FAILPOINT_SECONDS
        while process.poll() is None:
            if time.monotonic() > end:
                self.complaints.append(f"{name} did not come to {failpoint}")
                self._crew.kill(name)
                return
            time.sleep(0.05)

    def _pause_streams(self) -> None:
        name = self._random.choice([name for name in self._crew.at_work if name in STREAMS])
        self._crew.pause(name)
        time.sleep(SESSION_SECONDS + _LONGER)
        self._crew.resume(name)

    def _rebalance(self) -> None:
        """One worker of the streams, then three, then two."""
        first, *others = self._random.sample(STREAMS, len(STREAMS))
        self._crew.want([first])
        for name in others:
            self._dismiss(name)
        self._crew.wait_until_ready([first])
        self._crew.want(others)
        self._crew.wait_until_ready(others)
        time.sleep(self._random.uniform(*_BREATH))
        self._dismiss(self._random.choice(STREAMS))

    def _dismiss(self, name: str) -> None:
        if code := self._crew.dismiss(name):
            self.complaints.append(f"{name} was told to stop and ended with {code}:\n{self._crew.printed(name)}")

    # --- parts ---

    def _restart_broker(self) -> None:
        self._installation.restart_broker(self._random.uniform(0, 4))

    def _restart_redis(self) -> None:
        self._installation.restart_redis(self._random.uniform(0, 4))

    def _wipe_redis(self) -> None:
        self._installation.wipe_redis()
