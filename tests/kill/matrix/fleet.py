"""The matrix on the distributed engine: the sender of one channel is killed, beside a broker, a Redis and workers that live on."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from deploy.kafka.broker import Broker
from deploy.redis.server import Redis
from tests.kill.matrix.outside import Outside, Road
from tests.kill.matrix.ward import Ward
from tests.kill.siege import configured
from tests.parts.fleet import API, STREAMS, Fleet, Role
from tests.parts.processes import answers
from tests.parts.tocsin import Spawn, Tocsin

FAILPOINTS = ("claimed", "sent")
ROADS = ("discord", "webhook", "mastodon")
"""What is tried unless more is asked for: a claim of the dead is known by its lease, so that each death takes a minute."""
_PATIENCE = 300.0


class Workers(Fleet):
    """An api, a streams worker and one sender, which can be started anew by itself."""

    def __init__(
        self, folder: Path, configuration: str, channel: str, servers: str, redis: str, spawned: Spawn
    ) -> None:
        self._sender: Role = ("delivery", channel)
        super().__init__(folder, configuration, None, servers, redis, (STREAMS, self._sender, API), spawned)

    @property
    def sends(self) -> bool:
        """Whether the sender runs."""
        return self._workers[self._sender].poll() is None

    @property
    def is_ready_to_send(self) -> bool:
        """Whether it says so itself."""
        return answers(f"http://127.0.0.1:{self._ports[self._sender]}/readyz")

    def kill_sender(self) -> None:
        """End it with no chance to clean up."""
        self._workers[self._sender].kill()
        self._workers[self._sender].wait()

    def start_sender(self, environment: Mapping[str, str]) -> None:
        """Start it and do not wait for it."""
        self._lives += 1
        self._workers[self._sender] = super()._start(self._sender, environment)

    def _log_of(self, role: Role) -> Path:
        return self.folder / f"{'-'.join(role)}.log" if role != self._sender else super()._log_of(role)


class FleetWard(Ward):
    """A ward whose patient is the sender alone."""

    patience = _PATIENCE
    tocsin: Workers

    def __init__(self, tocsin: Workers, outside: Outside, road: Road) -> None:
        super().__init__(tocsin, outside, road)
        self.tocsin = tocsin

    def _kill(self) -> None:
        self.tocsin.kill_sender()

    def _start(self, environment: Mapping[str, str]) -> None:
        self.tocsin.start_sender(environment)

    @property
    def _is_alive(self) -> bool:
        return self.tocsin.sends

    def _is_ready(self) -> bool:
        return self.tocsin.is_ready_to_send

    def _post(self, path: str, document: Mapping[str, Any], text: str) -> httpx.Response:
        # Not as ``Fleet`` does it, who waits for workers that must all be alive.
        return Tocsin.post(self.tocsin, path, {**document, "body": text}, by="ops", **{"Idempotency-Key": text})

    def _events(self) -> Sequence[Mapping[str, Any]]:
        """Return what lies on the log, each id once: what is there twice, word for word, is passed over by every reader."""
        return list({event["id"]: event for event in reversed(self.tocsin.events())}.values())[::-1]


@contextmanager
def wards() -> Iterator[Callable[[Path, Road, Spawn], AbstractContextManager[Ward]]]:
    """Start a broker and a Redis, and yield what makes wards on them."""
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory()))
        broker = parts.enter_context(Broker(folder / "kafka"))
        redis = parts.enter_context(Redis(folder / "redis"))

        @contextmanager
        def ward(place: Path, road: Road, spawned: Spawn) -> Iterator[Ward]:
            with road.opened() as outside:
                configuration = configured({road.channel: outside.settings})
                tocsin = Workers(place, configuration, road.channel, broker.servers, redis.url, spawned)
                made = FleetWard(tocsin, outside, road)
                try:
                    made.begin()
                    yield made
                finally:
                    tocsin.kill()
                    tocsin.http.close()

        yield ward
