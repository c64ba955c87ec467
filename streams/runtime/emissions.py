"""Knows what a processor that is folded anew has said before, so that it is not said again; it folds and appends nothing.

A store that lost everything is folded from the beginning of the log, on which the emissions of that very fold lie
already. Consumers pass over second copies, but the log would double. So what was completely said is held back: every
emission names the position from which its batch was folded (``streams.log.origin``), and a batch begins only after
all before it was acknowledged. A processor that asks more than its state (the planner asks who is subscribed *now*)
would also decide anew: it recalls by itself, and is only told for how long it must.
"""

from collections import defaultdict
from collections.abc import Mapping
from threading import Lock

from streams.log.origin import parse
from streams.log.port import EventLog

_READ = 1_000
_MARK = "emitted>"


class Emissions:
    """What lies on a log of every source's emissions. Thread-safe; one for a process, for it reads the whole log.

    It reads when it is first asked, and at each later question what was appended since.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._cursor: str | None = None
        self._complete: dict[str, int] = defaultdict(int)
        self._reading = Lock()

    def complete(self, source: str) -> int:
        """Return the offset below which all that follows from a source's causes lies on the log; raises LogError."""
        with self._reading:
            while True:
                found, self._cursor = self._log.scan(self._cursor, _READ)
                for stored in found:
                    origin = parse(stored.record.origin)
                    if origin is not None:
                        self._complete[origin.source] = max(self._complete[origin.source], origin.since)
                if not found:
                    return self._complete.get(source, 0)


class Silences:
    """For the topics of one partition, up to where its fold says nothing; kept among the store's origins.

    ``ends``: for each topic that is read from its beginning, where it ends now. What lies before may have been folded
    by somebody whose state was lost; whether it was is asked once, when something would be said.
    """

    def __init__(self, stored: Mapping[str, bytes], ends: Mapping[str, int]) -> None:
        marks = {name.removeprefix(_MARK): value for name, value in stored.items() if name.startswith(_MARK)}
        self._until = {topic: int(value) for topic, value in marks.items() if not value.endswith(b"?")}
        self._unsure = {topic: int(value[:-1]) for topic, value in marks.items() if value.endswith(b"?")}
        new = {topic: end for topic, end in ends.items() if end > 0 and topic not in marks}
        self._unsure |= new
        self._changed = set(new)

    def holds_back(self, topic: str, source: str, offset: int, emissions: Emissions) -> bool:
        """Return whether all that follows from the cause at ``offset`` of ``topic`` was said before."""
        if offset < self._unsure.get(topic, 0):
            del self._unsure[topic]
            self._until[topic] = emissions.complete(source)
            self._changed.add(topic)
        return offset < self._until.get(topic, 0)

    def is_again(self, topic: str, offset: int) -> bool:
        """Return whether the cause at ``offset`` lay there already when the fold began; for those who recall by themselves."""
        return offset < self._unsure.get(topic, 0)

    def drain(self) -> dict[str, bytes]:
        """Return what changed since the last call, as a store keeps it."""
        changed, self._changed = self._changed, set()
        return {
            f"{_MARK}{topic}": b"%d?" % self._unsure[topic] if topic in self._unsure else b"%d" % self._until[topic]
            for topic in sorted(changed)
        }
