"""The audience index's snapshot that the planners of a fleet keep for each other, beside the store: a cache, never believed.

It names for each partition where it ends and which record lies before that. Where the log holds something else there, or
the snapshot cannot be read, a planner begins with the store's rows, as if there were none. Who follows far enough past it
writes the next one.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from consumers.delivery import audience_snapshot
from consumers.delivery.audience_index import AudienceIndex
from consumers.delivery.audience_snapshot import UnusableSnapshotError
from consumers.delivery.subscriber_book import IndexedTable
from consumers.delivery.subscribers import PROCESSOR, SUBSCRIBERS
from schemas.shapes import decoder
from schemas.topics import SUBSCRIPTIONS
from streams.log.port import EventLog, LogError
from streams.runtime.follower import Follower, Standpoint, Tables
from streams.runtime.kept import KeptBytes
from streams.runtime.state_store import StoreUnavailableError

_log = logging.getLogger(__name__)
NAME = "audience"
WORTH_KEEPING = 20_000
"""Subscribers below which nothing is kept: their rows are read in no time."""
_OFTEN, _SHARE = 100_000, 10
"""One is written when so many subscriptions are newer than the last one, and a tenth of all."""


class Place(msgspec.Struct, frozen=True):
    """What a snapshot is of, and what an index does not hold, as JSON by table, page and key: the page's tree, rare subscribers.

    ``before`` is by topic and partition the id of the record that lies before the standpoint.
    """

    standpoint: Standpoint
    before: dict[str, dict[int, str]]
    rows: list[tuple[str, str, str, bytes]]


class KeptAudience:
    """Begins a follower of lean tables with what is kept, and keeps what it follows. For the thread that folds."""

    def __init__(self, kept: KeptBytes, log: EventLog, *, worth: int = WORTH_KEEPING) -> None:
        self._kept = kept
        self._log = log
        self._worth = worth
        self._since: int | None = None
        """How many subscriptions lie before what is kept; None where nothing is, or nothing that can be used."""
        self._is_useless = False
        self._follower: Follower | None = None

    def attach(self, follower: Follower) -> None:
        """Name the follower; before it begins."""
        self._follower = follower

    def begin(self, tables: Tables) -> Standpoint | None:
        """Fill ``tables`` with what is kept and say how far that goes; None where it cannot be used, which is logged."""
        try:
            data = self._kept.read(NAME)
            return None if data is None else self._begin(tables, data)
        except (UnusableSnapshotError, StoreUnavailableError) as error:
            self._is_useless = True
            _log.warning("the kept index of audiences is not used, it is built anew: %s", error)
            return None

    def _begin(self, tables: Tables, data: bytes) -> Standpoint:
        index, place = audience_snapshot.load(data, Place)
        if place.before != self._before(place.standpoint):
            raise UnusableSnapshotError("it is of another log")
        rows = _decoded(place.rows)
        lean = tables[SUBSCRIBERS]
        assert isinstance(lean, IndexedTable), "only those that plan keep it"
        lean.index.pages = index.pages
        for table, page, key, value in rows:
            tables[table].fill(page, key, value)
        self._since = sum(place.standpoint.positions.get(SUBSCRIPTIONS.name, {}).values())
        return place.standpoint

    def moved(self) -> None:
        """Keep what is followed now, if enough is newer than what is kept."""
        follower, index = self._followed()
        reached, count = follower.reached(SUBSCRIPTIONS.name), len(index)
        newer = reached - (self._since or 0)
        if count >= self._worth and (self._since is None or (newer >= _OFTEN and newer * _SHARE >= count)):
            self._keep(follower, index, reached)
            self._since = reached

    def _keep(self, follower: Follower, index: AudienceIndex, reached: int) -> None:
        """Keep it, unless another process kept about as much; that it cannot be kept is logged."""
        try:
            note = None if self._is_useless else self._kept.note(NAME)
            if note is None or int(note) + _OFTEN <= reached:
                standpoint = follower.standpoint()
                place = Place(standpoint, self._before(standpoint), list(_rows(follower.tables)))
                self._kept.write(NAME, str(reached).encode(), audience_snapshot.dump(index, place))
                self._is_useless = False
        except (StoreUnavailableError, LogError, ValueError) as error:
            _log.warning("the index of audiences was not kept: %s", error)

    def _followed(self) -> tuple[Follower, AudienceIndex]:
        assert self._follower is not None, "it is attached before anything is folded"
        lean = self._follower.tables[SUBSCRIBERS]
        assert isinstance(lean, IndexedTable), "only those that plan keep it"
        return self._follower, lean.index

    def _before(self, standpoint: Standpoint) -> dict[str, dict[int, str]]:
        return {
            topic: {partition: self._id_before(topic, partition, position) for partition, position in positions.items()}
            for topic, positions in standpoint.positions.items()
        }

    def _id_before(self, topic: str, partition: int, position: int) -> str:
        found = self._log.read(topic, partition, position - 1, 1) if position else []
        return found[0].record.id if found and found[0].offset == position - 1 else ""


def _decoded(rows: Sequence[tuple[str, str, str, bytes]]) -> list[tuple[str, str, str, Any]]:
    specs = {spec.name: spec for spec in PROCESSOR.tables}
    try:
        return [(table, page, key, decoder(specs[table].value).decode(value)) for table, page, key, value in rows]
    except (KeyError, msgspec.DecodeError) as error:
        raise UnusableSnapshotError("its rows mean something else here") from error


def _rows(tables: Mapping[str, Any]) -> Iterator[tuple[str, str, str, bytes]]:
    for name, table in tables.items():
        if isinstance(table, IndexedTable):
            yield from ((name, page, key, msgspec.json.encode(known)) for page, key, known in table.rare())
            continue
        for page in table.pages():
            yield from ((name, page, key, msgspec.json.encode(value)) for key, value in table.items(page))
