"""Runs one processor in a Faust worker: the only module that imports Faust. What to do with a message it does not know.

``docs/decisions/0002`` says why it is built so: at least once, no Faust tables, nothing sent by Faust's producer, and
the consumer set to the store's positions where Faust would set it to the ones that its group committed.
"""

import asyncio
import logging
import os
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import faust
from faust.transport.drivers import aiokafka as transport
from faust.types import TP

from streams.log.message import TYPE
from streams.log.port import TopicPartition
from streams.runtime.partition_fold import Message, PartitionFold

_BATCH = 500
_WITHIN = 0.02
"""Seconds: Faust hands out a batch when it is full or at the next tick, so this is the price of a quiet hour too."""
FAULT = 70
"""The exit code of a worker that met a fault (EX_SOFTWARE of sysexits.h)."""
_log = logging.getLogger(__name__)


class FaustDriver:
    """One processor as a Faust application; start as many processes of it as there are partitions at the most.

    ``folder`` is where Faust keeps its own files, of which none matters. ``namespace`` is the log's.
    ``session`` is after how long of silence the broker gives a dead worker's partitions to another.
    """

    def __init__(
        self,
        fold: PartitionFold,
        servers: Sequence[str],
        folder: Path,
        *,
        namespace: str = "",
        session: timedelta = timedelta(seconds=15),
    ) -> None:
        self._fold = fold
        self._namespace = namespace
        self.app = _App(
            f"{namespace}{fold.processor.name}",
            broker=[f"kafka://{server}" for server in servers],
            datadir=folder,
            processing_guarantee="at_least_once",
            value_serializer="raw",
            key_serializer="raw",
            consumer_auto_offset_reset="earliest",
            broker_session_timeout=session.total_seconds(),
            broker_heartbeat_interval=session.total_seconds() / 5,
            stream_wait_empty=False,
            topic_allow_declare=False,
            topic_disable_leader=True,
            web_enabled=False,
        )
        self.app.positions = self.positions
        names = [namespace + topic for topic in fold.processor.topics]
        self.app.agent(self.app.topic(*names, value_type=bytes, key_type=bytes), name=fold.processor.name)(self._run)

    def run(self) -> None:
        """Work until the process is told to stop; a fault ends the process with ``FAULT``."""
        faust.Worker(self.app, loglevel="INFO").execute_from_commandline()

    async def positions(self, assigned: Sequence[TP]) -> dict[TP, int]:
        """Return where each of the assigned partitions is to be read from."""
        places = {self._place(at): at for at in assigned}
        found = await asyncio.to_thread(self._fold.assigned, list(places))
        return {places[place]: position for place, position in found.items()}

    async def _run(self, stream: Any) -> None:
        async for events in stream.take_events(_BATCH, within=_WITHIN):
            try:
                await asyncio.to_thread(self._all, [event.message for event in events])
            except Exception:  # whatever it was, this process ends
                # Faust acknowledges a batch whose handler failed and goes on with the next one, and its
                # own way to crash can hang in a rebalance. What must not be lost is safe on the log and in the store,
                # so the process ends here and a supervisor starts another.
                _log.exception("%s cannot go on", self._fold.processor.name)
                os._exit(FAULT)

    def _all(self, messages: Sequence[Any]) -> None:
        by_place: dict[TopicPartition, list[Message]] = defaultdict(list)
        for message in messages:
            kind = _header(message.headers, TYPE)
            by_place[self._place(message.tp)].append(Message(message.offset, kind, message.value))
        for place, batch in by_place.items():
            self._fold.fold(place, batch)

    def _place(self, at: TP) -> TopicPartition:
        return at.topic.removeprefix(self._namespace), at.partition


class _Consumer(transport.Consumer):
    """Faust's consumer, which after every rebalance asks where to go on: we answer from the store."""

    app: "_App"

    async def seek_to_committed(self) -> Mapping[TP, int]:
        positions = await self.app.positions(sorted(self.assignment()))
        await self.seek_wait(positions)
        return positions


class _Transport(transport.Transport):
    Consumer: ClassVar[type] = _Consumer


class _App(faust.App):
    positions: Callable[[Sequence[TP]], Awaitable[dict[TP, int]]]

    def _new_transport(self) -> Any:
        return _Transport(self.conf.broker_consumer, self)


def _header(headers: Any, name: str) -> str:
    pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
    return next((value.decode() for key, value in pairs if key == name), "")
