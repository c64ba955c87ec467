"""The role that folds: every processor over the partitions that this worker is given."""

import asyncio
import socket
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Thread

from streams.runtime.backlog import Backlog, Behind
from streams.runtime.faust_driver import FaustDriver
from streams.runtime.metrics import Metrics
from streams.runtime.redis_announcements import RedisAnnouncements
from tocsin.fleet.ground import Ground
from tocsin.fleet.probes import NoLife, probes
from tocsin.fleet.processors import Processors
from tocsin.fleet.pulse import Pulse, sample_backlog
from tocsin.listening import web_server

_WATCH_SECONDS = 1.0


class StreamsWorker:
    """Folds in Faust's event loop, and answers probes in a thread of its own from before it has joined its group.

    Its metrics speak of the whole fleet's folds, its readiness of its own partitions.
    """

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._processors = Processors(ground)
        self._metrics = Metrics()
        self._backlog = Backlog(ground.log, ground.store)
        self._driver: FaustDriver | None = None
        self._joined = False
        self._pulse = Pulse(self._own, ground.clock, self._further)
        sample_backlog(self._metrics, self._all, ground.clock)

    def serve(self, listening: socket.socket, on_ready: Callable[[], None]) -> None:
        """Fold until told to stop; raises FollowerStoppedError, and a fault of a fold ends the process with 70."""
        self._processors.start()
        self._pulse.start()
        server = web_server(probes(self._pulse, self._metrics, NoLife()), on_ready)
        thread = Thread(target=server.run, args=([listening],), name="probes", daemon=True)
        thread.start()
        try:
            with tempfile.TemporaryDirectory(prefix="tocsin-streams-") as folder:
                self._drive(Path(folder))
        finally:
            server.should_exit = True
            thread.join()
            self._pulse.stop()
            self._processors.stop()

    def _drive(self, folder: Path) -> None:
        ground = self._ground
        self._driver = FaustDriver(
            self._processors.folds,
            ground.log,
            ground.engine.servers,
            folder,
            namespace=ground.engine.namespace,
            clock=ground.clock,
            framing=ground.framing,
        )
        self._driver.beside(self._watch)
        announcements = RedisAnnouncements(ground.redis, ground.engine.namespace)
        announcements.listen(self._driver.told)
        self._driver.tell(announcements)
        try:
            self._driver.run()
        finally:
            announcements.close()

    async def _watch(self) -> None:
        """Note that the group was joined, and end the process where its planners cannot go on."""
        self._joined = True
        # Asked and not told: a follower's thread knows nothing of this loop.
        while (fault := self._processors.followed.follower.fault) is None:  # noqa: ASYNC110
            await asyncio.sleep(_WATCH_SECONDS)
        assert self._driver is not None, "it is made before it runs this"
        self._driver.fail(fault)

    def _own(self) -> Mapping[str, Behind]:
        partitions = self._driver.partitions if self._driver is not None else []
        return self._backlog.of(self._processors.all, partitions)

    def _all(self) -> Mapping[str, Behind]:
        return self._backlog.of(self._processors.all)

    def _further(self) -> Sequence[str]:
        return [] if self._joined else ["it has not joined the group of the streams yet"]
