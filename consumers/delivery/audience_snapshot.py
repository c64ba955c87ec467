"""The format of a snapshot of the audience index: bytes, and whom they hold for. It knows no file and no log.

A file of it is ``tocsin-audience``, a format number (a byte), the SHA-256 of what follows, and a MessagePack ``Snapshot``: for
each page the ids behind one another, states, words and bitmaps (Roaring's portable serialisation) as ``PageIndex`` has
them. It holds no address. It is worth something only beside the log position that it names; whoever cannot use it builds
the index anew, so no older format is ever read.
"""

import sys
from array import array
from hashlib import sha256
from typing import TypeVar

import msgspec
from pyroaring import BitMap

from consumers.delivery.audience_index import AudienceIndex
from consumers.delivery.page_index import IMPACTS, KINDS, STATES, PageIndex
from schemas.events import Cell
from schemas.vocabulary import Audience

P = TypeVar("P", bound=msgspec.Struct)
_MAGIC = b"tocsin-audience\x01"
_SUM = 32
_WORDS = [sys.byteorder, str(array("I").itemsize), *STATES, *KINDS, Audience.INTERNAL, *IMPACTS]
"""What the packed words mean: where it differs, they mean something else."""
_BETWEEN = "\n"


class UnusableSnapshotError(ValueError):
    """A snapshot is damaged, of another format, or of something else; says which."""


class _Page(msgspec.Struct, frozen=True):
    page: str
    ids: str
    states: bytes
    where: bytes
    words: bytes
    waste: int
    cells: list[Cell]
    by_cell: list[bytes]
    by_head: dict[int, bytes]
    by_channel: dict[str, bytes]


class Snapshot(msgspec.Struct, frozen=True):
    """All pages as of a place."""

    place: msgspec.Raw
    meaning: list[str]
    pages: list[_Page]


def dump(index: AudienceIndex, place: msgspec.Struct) -> bytes:
    """Return the snapshot of an index that holds what lies before ``place``; raises ValueError for an id of several lines."""
    pages = [_page(name, each) for name, each in index.pages.items()]
    body = msgspec.msgpack.encode(Snapshot(msgspec.Raw(msgspec.msgpack.encode(place)), _WORDS, pages))
    return _MAGIC + sha256(body).digest() + body


def load(data: bytes, place: type[P]) -> tuple[AudienceIndex, P]:
    """Return what ``dump`` was given, a place of this type; raises UnusableSnapshotError."""
    start = len(_MAGIC) + _SUM
    body = memoryview(data)[start:]
    if data[: len(_MAGIC)] != _MAGIC:
        raise UnusableSnapshotError("it is of another format")
    if sha256(body).digest() != data[len(_MAGIC) : start]:
        raise UnusableSnapshotError("it is damaged")
    try:
        found = msgspec.msgpack.decode(body, type=Snapshot)
        of = msgspec.msgpack.decode(found.place, type=place)
    except msgspec.DecodeError as error:
        raise UnusableSnapshotError("it is of another format") from error
    if found.meaning != _WORDS:
        raise UnusableSnapshotError("its words mean something else here")
    index = AudienceIndex()
    for page in found.pages:
        index.pages[page.page] = _index(page)
    return index, of


def _page(name: str, index: PageIndex) -> _Page:
    ids = _BETWEEN.join(index.ids)
    if ids.count(_BETWEEN) != max(0, len(index.ids) - 1):
        raise ValueError("an id has several lines")
    return _Page(
        page=name,
        ids=ids,
        states=bytes(index.states),
        where=index.where.tobytes(),
        words=index.words.tobytes(),
        waste=index.waste,
        cells=index.cells,
        by_cell=[members.serialize() for members in index.by_cell],
        by_head={head: members.serialize() for head, members in index.by_head.items()},
        by_channel={channel: members.serialize() for channel, members in index.by_channel.items()},
    )


def _index(page: _Page) -> PageIndex:
    index = PageIndex()
    index.ids = page.ids.split(_BETWEEN) if page.ids else []
    index.numbers = dict(zip(index.ids, range(len(index.ids)), strict=True))
    index.states = bytearray(page.states)
    index.where.frombytes(page.where)
    index.words.frombytes(page.words)
    index.waste = page.waste
    index.cells = page.cells
    index.cell_numbers = {(cell.component, cell.region): number for number, cell in enumerate(page.cells)}
    index.by_cell = [BitMap.deserialize(members) for members in page.by_cell]
    index.by_head = {head: BitMap.deserialize(members) for head, members in page.by_head.items()}
    index.by_channel = {channel: BitMap.deserialize(members) for channel, members in page.by_channel.items()}
    return index
