"""What processes keep for each other is there whole, or not at all."""

from typing import Any

import pytest

from schemas.ids import random_id
from streams.runtime.kept import KeptBytes
from streams.runtime.state_store import StoreUnavailableError
from tests.contract.store.stores import shared_redis


def test_nothing_is_kept_at_first(kept: KeptBytes) -> None:
    assert kept.read("index") is None
    assert kept.note("index") is None


@pytest.mark.parametrize("data", [b"", b"ab", b"abc", b"\x00" * 10, bytes(range(256))])
def test_what_was_written_is_read(kept: KeptBytes, data: bytes) -> None:
    kept.write("index", b"first", b"something longer than what comes")
    kept.write("other", b"another", b"other bytes")
    kept.write("index", b"7", data)
    assert (kept.read("index"), kept.note("index")) == (data, b"7")
    assert (kept.read("other"), kept.note("other")) == (b"other bytes", b"another")


@pytest.mark.redis
def test_redis_holds_one_of_each_and_lets_it_go_in_the_end() -> None:
    from streams.runtime.redis_client import redis_client
    from streams.runtime.redis_kept import KEPT, RedisKept

    client: Any = redis_client(shared_redis().url)
    namespace = f"{random_id()}."
    kept = RedisKept(client, namespace, piece=3)
    for data in (b"0123456789", b"abcdef"):
        kept.write("index", b"", data)
    keys = list(client.scan_iter(match=f"{namespace}*"))
    assert len(keys) == 3, "two pieces and what points at them"
    assert all(0 < client.ttl(key) <= KEPT.total_seconds() for key in keys)
    pieces = [key for key in keys if key.count(b"/") == 3]
    client.delete(pieces[0])
    assert kept.read("index") is None, "a piece is gone"
    client.close()


def test_a_redis_that_is_away_is_said() -> None:
    from streams.runtime.redis_client import redis_client
    from streams.runtime.redis_kept import RedisKept

    kept = RedisKept(redis_client("redis://127.0.0.1:1/0"), "")
    with pytest.raises(StoreUnavailableError):
        kept.read("index")
    with pytest.raises(StoreUnavailableError):
        kept.write("index", b"", b"data")
