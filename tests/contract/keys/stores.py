"""The stores that the contract suite of keys runs over; adding one is one line of ``STORES``."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from streams.keys.sqlite import SqliteKeyStore
from streams.keys.store import KeyStore
from tests.parts.kafka import shared_broker


@dataclass(frozen=True)
class Site:
    """Where one test's keys live: a folder, a name that no other test has, and the port of a Redis."""

    folder: Path
    name: str
    redis_port: Callable[[], int]


@dataclass(frozen=True)
class Store:
    """``open`` opens the store of a site, new or as it was left."""

    name: str
    open: Callable[[Site], KeyStore]
    marks: tuple[pytest.MarkDecorator, ...] = ()


def _sqlite(site: Site) -> KeyStore:
    return SqliteKeyStore(site.folder / "keys.db")


def distributed(site: Site) -> KeyStore:
    from streams.log.kafka.keys import KafkaKeyTopic
    from streams.runtime.redis_keys import RedisKeyStore

    namespace = f"{site.name}."
    servers = [shared_broker().servers]
    url = f"redis://127.0.0.1:{site.redis_port()}/0"
    return RedisKeyStore(url, lambda: KafkaKeyTopic(servers, namespace=namespace), namespace=namespace)


STORES = (
    Store("sqlite", _sqlite),
    Store("distributed", distributed, marks=(pytest.mark.kafka, pytest.mark.redis)),
)
