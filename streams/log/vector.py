"""A cursor over a log that has no single order: one position for each partition, as one opaque URL-safe word."""

import binascii
from base64 import b64decode, urlsafe_b64encode
from collections import defaultdict
from collections.abc import Mapping
from typing import Annotated

import msgspec

from streams.log.port import Positions, TopicPartition

_Offset = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
_DECODER = msgspec.msgpack.Decoder(dict[str, dict[int, _Offset]])
_VERSION = "v1."


def encode(positions: Positions) -> str:
    """Return the cursor for ``positions``; equal positions give equal cursors, and 0 is the same as absent."""
    by_topic: dict[str, dict[int, int]] = defaultdict(dict)
    for (topic, partition), offset in sorted(positions.items()):
        if offset:
            by_topic[topic][partition] = offset
    return _VERSION + urlsafe_b64encode(msgspec.msgpack.encode(by_topic)).decode().rstrip("=")


def decode(cursor: str, declared: Mapping[str, int]) -> dict[TopicPartition, int]:
    """Return the positions of a cursor; raises ValueError for anything that ``encode`` did not make.

    ``declared`` holds the number of partitions of each topic. Topics and partitions that were added after the cursor
    was made start at 0, so that an old cursor stays valid.
    """
    positions = {
        (topic, partition): offset
        for topic, offsets in _unpack(cursor).items()
        for partition, offset in offsets.items()
    }
    if any(not 0 <= partition < declared.get(topic, 0) for topic, partition in positions):
        raise ValueError("the cursor names a partition that this log does not have")
    if encode(positions) != cursor:
        raise ValueError("malformed cursor")
    return positions


def _unpack(cursor: str) -> dict[str, dict[int, int]]:
    text = cursor.removeprefix(_VERSION)
    try:
        return _DECODER.decode(b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise ValueError("malformed cursor") from error
