"""What every worker stands on: the log, the store, the keys and Redis of one engine, open and closed together."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, Protocol, TypeVar

from schemas.wire import SINGLE_OBJECT, Framing
from streams.keys.master import open_distributed_vault
from streams.keys.store import KeyStoreUnavailableError
from streams.keys.vault import WrongMasterKeyError
from streams.log.kafka import KafkaEventLog
from streams.log.port import LogError
from streams.log.registry import registered
from streams.runtime.clock import Clock, system_clock
from streams.runtime.redis_client import redis_client
from streams.runtime.redis_store import RedisStateStore
from streams.runtime.state_store import StoreUnavailableError
from tocsin.config.models import Engine
from tocsin.listening import StartError

T = TypeVar("T")


class _Closing(Protocol):
    def close(self) -> None: ...


C = TypeVar("C", bound=_Closing)


class Ground:
    """Opens everything, in the order in which one needs the other; raises StartError and leaves nothing open."""

    def __init__(self, engine: Engine, environment: Mapping[str, str], clock: Clock = system_clock) -> None:
        self.engine = engine
        self.clock = clock
        self._open = ExitStack()
        url = engine.redis.get_secret_value()
        try:
            self.framing = _named("engine.registry", lambda: _framing(engine))
            self.log = self._keep(_named("engine.kafka", lambda: _log(engine, self.framing)))
            self.redis: Any = self._keep(redis_client(url))
            self.store = self._keep(_named("engine.redis", lambda: _store(engine)))
            self.vault = self._keep(
                _named(
                    "the key store",
                    lambda: open_distributed_vault(
                        engine.servers, url, environment, namespace=engine.namespace, replication=engine.replication
                    ),
                )
            )
        except BaseException:  # an interrupt, too, leaves nothing open
            self.close()
            raise

    def close(self) -> None:
        """Release all of it, the last first."""
        self._open.close()

    def _keep(self, opened: C) -> C:
        self._open.callback(opened.close)
        return opened


def _framing(engine: Engine) -> Framing:
    return SINGLE_OBJECT if engine.registry is None else registered(engine.registry.get_secret_value())


def _log(engine: Engine, framing: Framing) -> KafkaEventLog:
    return KafkaEventLog(
        engine.servers, namespace=engine.namespace, replication=engine.replication, chained=False, framing=framing
    )


def _store(engine: Engine) -> RedisStateStore:
    store = RedisStateStore(engine.redis.get_secret_value(), engine.namespace)
    try:
        store.positions("status", 0)  # it connects at the first call: better now than at the first event
    except StoreUnavailableError:
        store.close()
        raise
    return store


def _named(what: str, make: Callable[[], T]) -> T:
    """Return what ``make`` makes; raises StartError that says which setting is in the way."""
    try:
        return make()
    except (LogError, StoreUnavailableError, KeyStoreUnavailableError, WrongMasterKeyError, OSError) as error:
        raise StartError(f"{what}: {error}. `tocsin doctor` says what to do, and in what order.") from error
