"""The topic ``tocsin.keys`` on Apache Kafka, compacted so that what is erased leaves the disks. It reads no key.

How long that takes: Kafka compacts all but the newest segment, and begins a new segment only when something is
written. So a segment ends when it is a third of ``erased_within`` old, a tick that is as frequent sees to it that
something is written, and ``max.compaction.lag.ms`` makes it compactable whatever else is to be cleaned: two thirds at
the most, and the rest is for the cleaner. That holds while one process has the topic open and the broker's cleaner
runs; copies elsewhere (backups, mirrors) are not reached.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from threading import Event as Flag
from threading import Lock, Thread
from time import monotonic
from typing import Any, TypeAlias

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka import TopicPartition as KafkaPartition
from kafka.errors import KafkaError, NoError, TopicAlreadyExistsError, for_code

from streams.log.kafka.clients import settings
from streams.log.kafka.errors import translated
from streams.log.port import LogCorruptError, LogError, LogUnavailableError

NAME = "tocsin.keys"
ERASED_WITHIN = timedelta(hours=3)
_NOBODY = ""
"""Owner of the ticks: nothing is ever kept for it."""
_BATCH = 2_000
_Change: TypeAlias = tuple[str, bytes | None]


class KafkaKeyTopic:
    """Opens the topic and creates it, with one partition, where it does not exist (``streams.keys.topic.KeyTopic``).

    ``timeout`` is how long a call waits for the cluster before it raises LogUnavailableError.
    """

    def __init__(
        self,
        servers: Sequence[str],
        *,
        namespace: str = "",
        replication: int = 1,
        timeout: timedelta = timedelta(seconds=30),
        erased_within: timedelta = ERASED_WITHIN,
    ) -> None:
        self._at = KafkaPartition(namespace + NAME, 0)
        self._timeout = timeout.total_seconds()
        self._step = erased_within / 3
        self._common = settings(servers, timeout)
        self._closed = Flag()
        self._appending = Lock()
        self._producer: KafkaProducer | None = None
        with translated():
            self.identity = self._declare(replication)
        self._ticking = Thread(target=self._tick, name="keys-tick", daemon=True)
        self._ticking.start()

    def append(self, changes: Sequence[_Change]) -> None:
        with self._appending, translated():
            self._require_open()
            if self._producer is None:
                self._producer = self._new_producer()
            producer = self._producer
            try:
                sent = [producer.send(self._at.topic, row, owner.encode(), partition=0) for owner, row in changes]
                until = monotonic() + 2 * self._timeout
                for future in sent:
                    future.get(max(0.0, until - monotonic()))
            except (KafkaError, ValueError):
                # An idempotent producer is of no use after a fatal error, and must not repeat what its caller takes back.
                self._producer = None
                # See ``KafkaEventLog``: there is no public way to give up.
                producer._sender.force_close()  # noqa: SLF001
                producer.close(timeout=self._timeout)
                raise

    def replay(self) -> Iterator[list[_Change]]:
        with translated():
            self._require_open()
            consumer: Any = KafkaConsumer(
                **self._common, auto_offset_reset="earliest", enable_auto_commit=False, metrics_enabled=False
            )
            try:
                yield from self._up_to_the_end(consumer)
            finally:
                consumer.close(autocommit=False)

    def close(self) -> None:
        self._closed.set()
        self._ticking.join()
        with self._appending:
            producer, self._producer = self._producer, None
        if producer is not None:
            producer.close(timeout=self._timeout)

    @property
    def _timeout_ms(self) -> int:
        return int(self._timeout * 1000)

    def _require_open(self) -> None:
        if self._closed.is_set():
            raise LogUnavailableError("the topic of keys is closed")

    def _declare(self, replication: int) -> str:
        admin: Any = KafkaAdminClient(**self._common)
        try:
            wanted = {"num_partitions": 1, "replication_factor": replication, "configs": self._settings(replication)}
            for topic in admin.create_topics({self._at.topic: wanted}, raise_errors=False)["topics"]:
                error = for_code(topic["error_code"])
                if error not in (NoError, TopicAlreadyExistsError):
                    raise error(topic["error_message"])
            admin.wait_for_topics([self._at.topic], timeout_ms=self._timeout_ms)
            (found,) = admin.describe_topics([self._at.topic])
        finally:
            admin.close()
        if len(found["partitions"]) != 1:
            # The last word on an owner is found by offset: it must lie where the words before it lie.
            raise LogCorruptError(f"topic {self._at.topic} has {len(found['partitions'])} partitions and must have 1")
        return str(found["topic_id"])

    def _settings(self, replication: int) -> dict[str, str]:
        step = str(max(1, self._step // timedelta(milliseconds=1)))
        configs = {
            "cleanup.policy": "compact",
            "segment.ms": step,
            "segment.bytes": str(64 * 1024 * 1024),
            "max.compaction.lag.ms": step,
            "min.cleanable.dirty.ratio": "0.01",
            # How long a tombstone stays for those who are reading: a replay takes minutes.
            "delete.retention.ms": str(24 * 3600 * 1000),
            "min.insync.replicas": str(max(1, replication - 1)),
            "unclean.leader.election.enable": "false",
        }
        if replication == 1:
            # See ``topics.py``: with one replica an acknowledgement says nothing of its disk.
            configs["flush.messages"] = "1"
        return configs

    def _new_producer(self) -> KafkaProducer:
        return KafkaProducer(
            **self._common,
            acks="all",
            enable_idempotence=True,
            delivery_timeout_ms=self._timeout_ms,
            max_block_ms=self._timeout_ms,
            metrics_enabled=False,
        )

    def _up_to_the_end(self, consumer: Any) -> Iterator[list[_Change]]:
        consumer.assign([self._at])
        consumer.seek_to_beginning(self._at)
        end = consumer.end_offsets([self._at], timeout_ms=self._timeout_ms)[self._at]
        until = monotonic() + self._timeout
        while consumer.position(self._at) < end:
            batch = consumer.poll(timeout_ms=500, max_records=_BATCH).get(self._at, [])
            changes = [(message.key.decode(), message.value) for message in batch if message.key]
            if changes:
                yield changes
            if batch:
                until = monotonic() + self._timeout
            elif monotonic() > until:
                raise LogUnavailableError(f"no answer from the broker for {self._at.topic}")

    def _tick(self) -> None:
        while not self._closed.wait(self._step.total_seconds()):
            try:
                self.append([(_NOBODY, None)])
            except LogError:
                continue  # the broker is away, which others say aloud; the next tick does as well
