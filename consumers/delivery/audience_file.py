"""The audience index's snapshot beside an embedded log: a cache that may be missing, old or damaged, and is never believed.

It holds for the place on the log that it names; of whom the log tells behind it is to be read where the fold keeps them. Where the log holds something
else at that place, or the snapshot cannot be read, whoever asked builds the index anew.
"""

import logging
from contextlib import suppress
from pathlib import Path

import msgspec

from consumers.delivery import audience_snapshot
from consumers.delivery.audience_index import AudienceIndex
from consumers.delivery.audience_rebuild import touched
from consumers.delivery.audience_snapshot import UnusableSnapshotError
from streams.log.port import LogCorruptError
from streams.log.sqlite import SqliteEventLog

_log = logging.getLogger(__name__)
NAME = "audience.snapshot"


class Place(msgspec.Struct, frozen=True):
    """What a snapshot is of: all before offset ``position`` of the log whose hash chain reads ``last`` (hex) at the record before it."""

    position: int
    last: str


class AudienceFile:
    """The file ``audience.snapshot`` in a data folder; ``log`` is what it is a snapshot of."""

    def __init__(self, folder: Path, log: SqliteEventLog) -> None:
        self._path = folder / NAME
        self._log = log

    def read(self, position: int) -> tuple[AudienceIndex, set[tuple[str, str]]] | None:
        """Return an index and by page and id who may stand otherwise by what lies before ``position``.

        None where there is no snapshot, or none that can be used, which is logged.
        """
        try:
            index, place = audience_snapshot.load(self._path.read_bytes(), Place)
            self._require(place, position)
            return index, touched(self._log, place.position, position)
        except FileNotFoundError:
            return None
        except (UnusableSnapshotError, LogCorruptError, OSError) as error:
            _log.warning("%s is not used, the index of audiences is built anew: %s", NAME, error)
            return None

    def write(self, index: AudienceIndex, position: int) -> None:
        """Keep the index as of ``position``, whole or not at all; that it cannot be kept is logged."""
        unfinished = self._path.with_suffix(".unfinished")
        try:
            unfinished.write_bytes(audience_snapshot.dump(index, self._place(position)))
            unfinished.replace(self._path)
        except (OSError, ValueError) as error:
            _log.warning("%s was not written: %s", NAME, error)
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)

    def _require(self, place: Place, position: int) -> None:
        if place.position > position:
            raise UnusableSnapshotError("it is of a longer log")
        if place != self._place(place.position):
            raise UnusableSnapshotError("it is of another log")

    def _place(self, position: int) -> Place:
        rows = self._log.query("select hex(chain) from log where seq = ?", (position - 1,))
        return Place(position, rows[0][0] if rows else "")
