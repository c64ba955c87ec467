"""Carries wrapped keys into the topic of the distributed store, and out of it, as they are; it opens none of them."""

from collections.abc import Callable
from hashlib import sha256

import msgspec

from streams.keys.sqlite import SqliteKeyStore
from streams.keys.store import KeyStore
from streams.keys.topic import KeyTopic, kept_of, row_of
from streams.keys.vault import PROOF

_CHUNK = 1_000


class KeyTransferError(Exception):
    """The target holds other keys, or not what was carried over."""


class CarriedKeys(msgspec.Struct, frozen=True):
    """What both stores hold: how many keys, and one hash (64 hex digits) over all of them."""

    keys: int
    hash: str


def standing(source: KeyStore, topic: KeyTopic) -> dict[str, bytes | None]:
    """Return what the topic lacks: rows by owner, None for what was erased in the source since an earlier transfer.

    Raises KeyTransferError where the topic holds the keys of another installation, and what both raise.
    """
    here, there = _held(source), _last_words(topic)
    if there and there.get(PROOF) != here.get(PROOF):
        raise KeyTransferError("the target holds the keys of another installation")
    # The proof first: by it a later run knows that what it finds was its own.
    lacking: dict[str, bytes | None] = {owner: here[owner] for owner in (PROOF, *sorted(here)) if owner in here}
    lacking = {owner: row for owner, row in lacking.items() if there.get(owner) != row}
    return lacking | dict.fromkeys(there.keys() - here.keys())


def carry(topic: KeyTopic, lacking: dict[str, bytes | None], progress: Callable[[int], None]) -> None:
    """Write what ``standing`` returned."""
    changes = list(lacking.items())
    for start in range(0, len(changes), _CHUNK):
        topic.append(changes[start : start + _CHUNK])
        progress(min(start + _CHUNK, len(changes)))


def verify(source: KeyStore, topic: KeyTopic) -> CarriedKeys:
    """Return what both hold; raises KeyTransferError where they differ."""
    here, there = _held(source), _last_words(topic)
    if here != there:
        differing = sum(here.get(owner) != there.get(owner) for owner in here.keys() | there.keys())
        raise KeyTransferError(f"{differing} keys differ between the source and the target")
    digest = sha256()
    for owner, row in sorted(there.items()):
        digest.update(msgspec.msgpack.encode((owner, row)))
    return CarriedKeys(len(there), digest.hexdigest())


def copy(topic: KeyTopic, into: SqliteKeyStore) -> int:
    """Write what the topic holds into a new file and return how many keys there are; raises what both raise."""
    return into.fill((owner, kept_of(row)) for owner, row in sorted(_last_words(topic).items()))


def _held(source: KeyStore) -> dict[str, bytes]:
    found = ((owner, source.get(owner)) for owner in source.owners())
    return {owner: row_of(kept) for owner, kept in found if kept is not None}


def _last_words(topic: KeyTopic) -> dict[str, bytes]:
    last: dict[str, bytes] = {}
    for batch in topic.replay():
        for owner, row in batch:
            if row:
                last[owner] = row
            else:
                last.pop(owner, None)
    return last
