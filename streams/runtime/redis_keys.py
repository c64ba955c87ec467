"""The key store that workers share: the topic ``tocsin.keys`` is its truth, Redis the projection that answers.

Kafka cannot say "unless there is one", so Redis decides and the topic follows: a decision is noted as unsettled,
written to the topic, and settled once the topic has acknowledged it. Whoever meets an unsettled decision writes it
too, and whoever wrote something else than what Redis says in the end writes once more: the last word on the topic is
always what Redis says. What lies in Redis belongs to a *generation*, named after the topic and filled from it; where
Redis is empty or belongs to another topic, a new generation is filled before anything is answered.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from threading import Event as Flag
from threading import Lock
from time import monotonic
from typing import Any
from uuid import uuid4

import msgspec
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from streams.keys.store import Kept, KeyStoreUnavailableError
from streams.keys.topic import Change, KeyTopic, kept_of, row_of
from streams.log.port import LogError
from streams.runtime import redis_key_scripts as scripts

REMEMBERED = 30.0
"""Seconds: so long a process may go on with a key that another one erased."""
_FILLING_SECONDS = 60
_WAIT_SECONDS = 0.2
_CHUNK = 500
_AT_ONCE = 16
_STALE = b"stale"
_decode_owners = msgspec.msgpack.Decoder(list[str]).decode


class _StaleError(Exception):
    """The generation is gone: Redis was emptied, or filled from another topic."""


class RedisKeyStore:
    """A ``KeyStore`` for any number of processes. It opens ``topic``, and closes it in the end.

    Raises KeyStoreUnavailableError where Redis or the topic cannot be reached within ``timeout``.
    """

    remembered: float | None = REMEMBERED

    def __init__(
        self,
        url: str,
        topic: Callable[[], KeyTopic],
        *,
        namespace: str = "",
        timeout: timedelta = timedelta(seconds=30),
    ) -> None:
        seconds = timeout.total_seconds()
        retry = Retry(NoBackoff(), 1)
        self._redis: Any = redis.Redis.from_url(
            url, socket_timeout=seconds, socket_connect_timeout=seconds, retry=retry, protocol=2
        )
        self._run = {name: self._redis.register_script(text) for name, text in scripts.ALL.items()}
        # In braces: a cluster keeps all of it in one slot, and a script may touch no other.
        self._prefix = f"{{{namespace}tocsin.keys}}"
        self._timeout = seconds
        self._closed = Flag()
        self._joining = Lock()
        self._generation = ""
        with self._translated():
            self._topic = topic()
        try:
            self._join()
            self._settle_leftovers()
        except BaseException:  # whatever it was: nothing stays open
            self.close()
            raise

    # --- the port ---

    def add(self, owner: str, kept: Kept) -> None:
        row = row_of(kept)
        self._decide(owner, lambda: self._call("add", owner, row))

    def add_all(self, kept: Sequence[tuple[str, Kept]]) -> None:
        # Each waits for the topic's acknowledgement: many wait at once.
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for _ in pool.map(lambda pair: self.add(*pair), kept):
                pass

    def get(self, owner: str) -> Kept | None:
        row = self._asked("get", owner)
        return None if row is None else kept_of(row)

    def get_all(self, owners: Sequence[str]) -> dict[str, Kept]:
        found: dict[str, Kept] = {}
        for start in range(0, len(owners), _CHUNK):
            some = owners[start : start + _CHUNK]
            rows = self._asked("get_all", *some)
            found |= {owner: kept_of(row) for owner, row in zip(some, rows, strict=True) if row is not None}
        return found

    def find(self, lookup: bytes) -> list[str]:
        found = self._asked("find", lookup)
        return [] if found is None else sorted(_decode_owners(found))

    def erase(self, owner: str) -> bool:
        return self._decide(owner, lambda: self._call("erase", owner))

    def owners(self) -> Iterable[str]:
        while True:
            generation = self._generation
            with self._translated():
                found = {name.decode() for name, _ in self._redis.hscan_iter(self._key("rows"), count=1000)}
                if self._current() == generation.encode():
                    return found
            self._join()

    def close(self) -> None:
        self._closed.set()
        self._redis.close()
        self._topic.close()

    # --- decisions ---

    def _decide(self, owner: str, begin: Callable[[], Any]) -> bool:
        """Bring about a decision and settle it; False if ``begin`` says that there is nothing to decide."""
        decided = late = False
        while True:
            try:
                undecided = bool(begin())
                if not (undecided or late):
                    return decided
                decided = decided or undecided
                self._settle(owner)
                late = False
            except _StaleError:
                # What was written meanwhile may have come after the new generation was filled: write its word once more.
                late = True
                self._join()

    def _settle(self, owner: str) -> None:
        """Write to the topic what Redis says of ``owner``, until both say the same."""
        wanted = self._call("wanted", owner)
        while True:
            with self._translated():
                self._topic.append([(owner, wanted or None)])
            if self._call("settled", owner, wanted):
                return
            wanted = self._call("wanted", owner)

    def _settle_leftovers(self) -> None:
        """Finish what processes that died had begun: an erasure above all."""
        with self._translated():
            owners = self._redis.hkeys(self._key("unsettled"))
        for owner in owners:
            self._decide(owner.decode(), partial(self._call, "unsettled", owner))

    # --- Redis ---

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (redis.RedisError, OSError) as error:
            raise KeyStoreUnavailableError(f"the keys in Redis: {type(error).__name__}") from error
        except LogError as error:
            raise KeyStoreUnavailableError(f"the topic of keys: {error}") from error

    def _call(self, script: str, *arguments: Any) -> Any:
        keys = [f"{self._prefix}/current", *(self._key(name) for name in ("rows", "lookups", "unsettled"))]
        with self._translated():
            answer = self._run[script](keys=keys, args=[self._generation, *arguments])
        if answer == _STALE:
            raise _StaleError
        return answer

    def _asked(self, script: str, *arguments: Any) -> Any:
        while True:
            try:
                return self._call(script, *arguments)
            except _StaleError:
                self._join()

    def _current(self) -> Any:
        return self._redis.get(f"{self._prefix}/current")

    def _key(self, name: str, generation: str = "") -> str:
        return f"{self._prefix}/{generation or self._generation}/{name}"

    # --- generations ---

    def _join(self) -> None:
        """Go on with the generation that Redis holds, or fill one: one process does, the others wait for it."""
        until = monotonic() + self._timeout
        token = uuid4().hex
        with self._joining:
            while True:
                with self._translated():
                    current = self._current()
                    if current is not None and current.startswith(f"{self._topic.identity}.".encode()):
                        self._generation = current.decode()
                        return
                    lease = self._redis.set(f"{self._prefix}/filling", token, nx=True, ex=_FILLING_SECONDS)
                    if lease:
                        self._fill(f"{self._topic.identity}.{token}", current or b"")
                        continue
                    if self._redis.exists(f"{self._prefix}/filling"):
                        until = monotonic() + self._timeout
                if self._closed.wait(_WAIT_SECONDS) or monotonic() > until:
                    raise KeyStoreUnavailableError("the keys in Redis are not filled yet")

    def _fill(self, generation: str, before: bytes) -> None:
        """Fold the topic into a generation of its own, then make it the current one unless somebody else was quicker."""
        parts = (self._key(name, generation) for name in ("rows", "lookups", "unsettled", "pieces"))
        keys = [f"{self._prefix}/current", *parts, f"{self._prefix}/filling"]
        pieces = 0
        for batch in self._topic.replay():
            for start in range(0, len(batch), _CHUNK):
                pairs = [part for change in batch[start : start + _CHUNK] for part in _pair(change)]
                self._run["fill"](keys=keys, args=[generation, _FILLING_SECONDS, pieces, *pairs])
                pieces += 1
        if self._run["filled"](keys=keys, args=[generation, before, pieces]) and before:
            self._redis.unlink(*(self._key(name, before.decode()) for name in ("rows", "lookups", "unsettled")))


def forget_keys(url: str, namespace: str = "") -> None:
    """Empty the projection, so that whoever opens the store next fills it from the topic; for a topic written past it."""
    client: Any = redis.Redis.from_url(url)
    try:
        prefix = f"{{{namespace}tocsin.keys}}"
        generation = client.get(f"{prefix}/current")
        if generation is not None:
            names = ("rows", "lookups", "unsettled")
            client.unlink(f"{prefix}/current", *(f"{prefix}/{generation.decode()}/{name}" for name in names))
    except (redis.RedisError, OSError) as error:
        raise KeyStoreUnavailableError(f"the keys in Redis: {type(error).__name__}") from error
    finally:
        client.close()


def _pair(change: Change) -> tuple[str, bytes]:
    owner, row = change
    return owner, row or b""
