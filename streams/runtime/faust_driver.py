"""Runs stream processors in a Faust worker: the only module that imports Faust. What is done with a message it does not know.

``docs/decisions/0002`` says why it is built so: at least once, no Faust tables, nothing sent by Faust's producer, and
the consumer set to the store's positions where Faust would set it to the ones that its group committed.
"""

import asyncio
import faulthandler
import logging
import os
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from threading import Timer
from typing import Any, ClassVar, NamedTuple

import faust
import mode.loop
from faust.exceptions import ConsumerNotStarted
from faust.transport.drivers import aiokafka as transport
from faust.types import TP

from schemas.wire import SINGLE_OBJECT, Framing
from streams.log.message import ORIGIN, TYPE
from streams.log.port import EventLog, LogUnavailableError, TopicPartition
from streams.runtime.announcements import Announcer, AnnouncingLog, Placed
from streams.runtime.clock import Clock, system_clock
from streams.runtime.lanes import Folds, Lanes
from streams.runtime.partition_steps import Message
from streams.runtime.wakeups import Wakeups

GROUP = "streams"
FAULT = 70
"""The exit code of a worker that met a fault (EX_SOFTWARE of sysexits.h)."""
_LEAVE_SECONDS = 2.0
_TIMERS_SECONDS = 0.05
_FETCH_WAIT_MS = 100
_FETCH_SECONDS = 1.0
_FETCH_PACE_SECONDS = 0.25
"""How long after an answer the broker is asked again: by then what came is taken, so that all partitions are asked at
once. Asked without it, the others' answer has to be waited for; and a question of 40 partitions costs 2 ms on either side.
Nobody waits for the answer as long as what was appended is announced (``announcements``)."""
_log = logging.getLogger(__name__)
_aiokafka: Any = transport
"""For the names of aiokafka's that the module has and does not export: it is imported nowhere itself."""


class Spans(NamedTuple):
    """After how long a worker is given up.

    ``session``: of silence, then the broker gives its partitions to another; one that stops or meets a fault gives them back
    at once. ``stop``: of stopping, then it ends as it is.
    """

    session: timedelta = timedelta(seconds=10)
    stop: timedelta = timedelta(seconds=25)


USUAL = Spans()


class FaustDriver:
    """All processors as one Faust application; start as many processes of it as there are partitions at the most.

    ``folds`` makes the processors, in the order in which they are given messages. ``folder`` is where Faust
    keeps its own files, of which none matters. ``namespace`` and ``framing`` are the log's.
    """

    def __init__(
        self,
        folds: Folds,
        log: EventLog,
        servers: Sequence[str],
        folder: Path,
        *,
        namespace: str = "",
        spans: Spans = USUAL,
        clock: Clock = system_clock,
        framing: Framing = SINGLE_OBJECT,
    ) -> None:
        self._namespace = namespace
        self._lanes = Lanes(folds, self.fail, framing)
        self._wakeups = Wakeups(AnnouncingLog(log, self._lanes), clock)
        self._topics = self._lanes.topics
        self._reached: dict[TP, int] = {}
        self._failing = False
        self._may_stop_for = spans.stop
        self._finished = False
        self.app = _App(
            f"{namespace}{GROUP}",
            broker=[f"kafka://{server}" for server in servers],
            datadir=folder,
            processing_guarantee="at_least_once",
            value_serializer="raw",
            key_serializer="raw",
            consumer_auto_offset_reset="earliest",
            broker_session_timeout=spans.session.total_seconds(),
            broker_heartbeat_interval=spans.session.total_seconds() / 5,
            # With none, Faust deals partitions out one by one; we need partition N of every topic at one worker.
            table_standby_replicas=1,
            stream_wait_empty=False,
            topic_allow_declare=False,
            topic_disable_leader=True,
            web_enabled=False,
        )
        self.app.driver = self
        names = [namespace + topic for topic in self._topics]
        self.app.agent(self.app.topic(*names, value_type=bytes, key_type=bytes, acks=False), name=GROUP)(
            self._nothing_left
        )
        self.app.on_partitions_revoked.connect(self._revoked)
        self.app.on_before_shutdown.connect(self._stopping)
        self.app.task(self._fire_timers)

    def run(self) -> None:
        """Work until the process is told to stop; a fault ends the process with ``FAULT``."""
        mode.loop.use("uvloop")
        _Worker(
            self.app, quiet=True, loglevel="INFO", redirect_stdouts=False, override_logging=not logging.root.handlers
        ).execute_from_commandline()

    def beside(self, task: Callable[[], Awaitable[None]]) -> None:
        """Have a coroutine run in the worker's event loop once it has joined its group; for whatever the role serves."""
        self.app.task(task)

    @property
    def partitions(self) -> frozenset[int]:
        """Those that this worker has now; may be asked from any thread."""
        return self._lanes.partitions

    def tell(self, others: Announcer) -> None:
        """Have ``others`` told of what this worker appends to their partitions."""
        self._lanes.tell(others)

    def told(self, placed: Sequence[Placed]) -> None:
        """Be told, by any thread, what another process appended: it need not be fetched before it is folded."""
        self._lanes.told(placed)

    def behind(self) -> dict[TopicPartition, int]:
        """Return for each place that this worker has how many messages some processor has yet to fold."""
        found = {}
        for at in self.app.consumer.assignment():
            place = self._place(at)
            with suppress(KeyError):  # taken away meanwhile
                end = self.app.consumer.highwater(at)
                found[place] = max(0, (end or 0) - self._lanes.position(place))
        return found

    # --- what the application below asks ---

    async def take_over(self, assigned: Collection[TP]) -> dict[TP, int]:
        """Return where each of the assigned partitions is to be read from."""
        places = {self._place(at): at for at in assigned}
        partitions = {partition for _, partition in places}
        if missing := {(topic, partition) for topic in self._topics for partition in partitions} - places.keys():
            # Their states would be folded by two workers. Only workers that read other topics, in one group, do this.
            raise RuntimeError(f"partitions of one number were torn apart, these are elsewhere: {sorted(missing)}")
        await self._lanes.assign(partitions)
        return {at: self._lanes.position(place) for place, at in places.items()}

    async def take(self, at: TP, message: Any) -> None:
        """Have a message folded, once there is room for it."""
        headers = dict(message.headers or ())
        kind, origin = headers.get(TYPE, b"").decode(), headers.get(ORIGIN, b"").decode()
        await self._lanes.put(self._place(at), Message(message.offset, kind, message.value or b"", origin))

    def committable(self, assigned: Collection[TP]) -> dict[TP, int]:
        """Return how far everything is folded: a hint for those who watch the group's lag, nobody here reads it."""
        for at in assigned:
            with suppress(KeyError):
                self._reached[at] = self._lanes.position(self._place(at))
        return {at: self._reached[at] for at in assigned if at in self._reached}

    def fail(self, error: BaseException) -> None:
        """End the process, after giving its partitions back if that can be done at once.

        Faust goes on after a handler that failed, and its own way to crash can hang in a rebalance. What must not be
        lost is safe on the log and in the store, so the process ends here and a supervisor starts another.
        """
        if self._failing:
            return
        self._failing = True
        _log.critical("the worker cannot go on", exc_info=error)
        _backstop(_LEAVE_SECONDS, lambda: os._exit(FAULT))
        self.app.leave_group(lambda: os._exit(FAULT))

    def stopping(self) -> None:
        """Have the process end in time, though something in the transport should wait for ever."""
        _backstop(self._may_stop_for.total_seconds(), self._cut_short)

    # --- inside ---

    def _cut_short(self) -> None:
        _log.critical(
            "the worker was told to stop and has not ended within %s: it ends now, %s",
            self._may_stop_for,
            "and all that it had in hand is done" if self._finished else "and others do again what it had in hand",
        )
        faulthandler.dump_traceback(all_threads=True)
        os._exit(0 if self._finished else FAULT)

    async def _nothing_left(self, stream: Any) -> None:
        """Be the agent that has Faust subscribe; the consumer below takes all messages before an agent gets any."""
        async for message in stream:
            raise RuntimeError(f"a message of {message!r:.100} went through Faust's streams")

    async def _fire_timers(self) -> None:
        while not self.app.should_stop:
            owned = [(partition, fold) for fold in self._lanes.folds for partition in self._lanes.partitions]
            try:
                await asyncio.to_thread(self._wakeups.fire, owned)
            except LogUnavailableError as error:
                _log.warning("timers wait: %s", error)
            except Exception as error:  # whatever it was: timers that are not fired are lost without a word
                self.fail(error)
            await asyncio.sleep(_TIMERS_SECONDS)

    async def _revoked(self, *_: Any, **__: Any) -> None:
        """Finish what is in hand before another worker begins: it would only do the same again."""
        await self._lanes.rest()

    async def _stopping(self, *_: Any, **__: Any) -> None:
        with suppress(ConsumerNotStarted):
            self.committable(self.app.consumer.assignment())  # to be committed on the way out, when the lanes are gone
        await self._lanes.close()
        self._finished = True

    def _place(self, at: TP) -> TopicPartition:
        return at.topic.removeprefix(self._namespace), at.partition


def _backstop(seconds: float, end: Callable[[], None]) -> None:
    timer = Timer(seconds, end)
    timer.daemon = True
    timer.start()


class _Worker(faust.Worker):
    app: "_App"

    def _flag_as_shutdown_by_signal(self) -> None:
        self.app.driver.stopping()
        super()._flag_as_shutdown_by_signal()


class _Thread(transport.AIOKafkaConsumerThread):
    """The thread with aiokafka's consumer."""

    def _create_worker_consumer(self, *arguments: Any) -> Any:
        consumer = super()._create_worker_consumer(*arguments)
        # While a partition's messages wait to be taken, the others are asked for alone, and until that question is
        # answered the partition is not asked for again. Faust has the broker hold an answer for 1.5 s.
        consumer._fetch_max_wait_ms = _FETCH_WAIT_MS  # noqa: SLF001 - there is no setting for it
        return consumer

    async def on_start(self) -> None:
        await super().on_start()
        fetcher = self._ensure_consumer()._fetcher  # noqa: SLF001 - there is no setting for its pace
        ask = fetcher._proc_fetch_request  # noqa: SLF001 - as above

        async def ask_and_pause(*question: Any) -> bool:
            answered: bool = await ask(*question)
            # What it wraps ends quietly and at once when it is cancelled. Whoever closes the consumer relies on that: while the
            # fetcher waits for a cancelled question it does not notice that it is cancelled itself, and never ends.
            task = asyncio.current_task()
            if task is None or not task.cancelling():
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(_FETCH_PACE_SECONDS)
            return answered

        fetcher._proc_fetch_request = ask_and_pause  # noqa: SLF001 - as above

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        # Faust crashes where this fails. Nobody needs what is committed here: it must not end a worker.
        try:
            return await self._commit_hint(offsets)
        except _aiokafka.KafkaError as error:
            self.log.warning("the group's positions stay behind: %r", error)
            return False

    async def _commit_hint(self, offsets: Mapping[TP, int]) -> bool:
        consumer = self._ensure_consumer()
        owned = consumer.assignment()
        found = {_aiokafka.ensure_aiokafka_TP(at): offset for at, offset in offsets.items()}
        wanted = {at: _aiokafka.OffsetAndMetadata(offset, "") for at, offset in found.items() if at in owned}
        if wanted:
            await consumer.commit(wanted)
        return bool(wanted)


class _Consumer(transport.Consumer):
    """Faust's consumer, which after every rebalance asks where to go on: we answer from the store."""

    app: "_App"

    def _new_consumer_thread(self) -> Any:
        return _Thread(self, loop=self.loop, beacon=self.beacon)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        positions = await self.app.driver.take_over(self.assignment())
        await self.seek_wait(positions)
        return positions

    async def force_commit(self, *_: Any, **__: Any) -> bool:
        return bool(await self._commit(self.app.driver.committable(self.assignment())))

    async def _drain_messages(self, fetcher: Any) -> None:
        # Faust's own makes four tasks, an event and an acknowledgement of each message: a fifth of a worker's time.
        try:
            while not (self.should_stop or fetcher.should_stop):
                async for at, message in self.getmany(timeout=_FETCH_SECONDS):
                    await self.app.driver.take(at, message)
                await asyncio.sleep(0)
        except (asyncio.CancelledError, *_aiokafka.Consumer.consumer_stopped_errors):
            if not self.app.should_stop:
                raise

    def leave_group(self, then: Callable[[], None]) -> None:
        """Tell the broker that this member is gone; ``then`` is called when it knows, in some thread."""
        coordinator = self._thread._ensure_consumer()._coordinator  # noqa: SLF001 - leaving without closing is no call of its own

        async def leave() -> None:
            await coordinator.maybe_leave_group()

        asyncio.run_coroutine_threadsafe(leave(), self._thread.thread_loop).add_done_callback(lambda _: then())


class _Transport(transport.Transport):
    Consumer: ClassVar[type] = _Consumer


class _App(faust.App):
    driver: FaustDriver

    def _new_transport(self) -> Any:
        return _Transport(self.conf.broker_consumer, self)

    def _crash(self, reason: BaseException) -> None:
        if self.should_stop or isinstance(reason, asyncio.CancelledError):
            super()._crash(reason)  # on the way out anyway, or a fetcher that a rebalance starts anew
        else:
            self.driver.fail(reason)

    def leave_group(self, then: Callable[[], None]) -> None:
        """Leave the group without stopping anything; ``then`` may not be called where that hangs."""
        consumer: Any = self.consumer
        try:
            consumer.leave_group(then)
        except Exception:  # a consumer that is not up, or half down: then there is nothing to leave
            _log.exception("the group learns by silence that this worker is gone")
            then()
