"""What is appended lies there once and in order, whoever appends beside, and whatever becomes of the answers."""

import socket
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from threading import Event, Thread
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer
from kafka import TopicPartition as KafkaPartition
from kafka.errors import KafkaError, MessageSizeTooLargeError, UnknownTopicOrPartitionError

from schemas.ids import random_id
from streams.log.kafka.appender import Appender
from streams.log.kafka.batches import Place, Row, sequence_after
from streams.log.kafka.clients import settings
from streams.log.kafka.connections import Address
from streams.log.kafka.leaders import Leaders
from tests.parts.kafka import shared_broker

pytestmark = pytest.mark.kafka
PARTITIONS = 3
LARGEST = 2 * 1024 * 1024


class Gate:
    """Stands before a broker, and cuts a connection when it has passed on so many requests and heard the answer."""

    def __init__(self, address: Address) -> None:
        self._behind = address
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = Address(*self._server.getsockname())
        self._cuts: set[int] = set()
        self.asked = 0
        self._closed = Event()
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def cut(self, *numbers: int) -> None:
        """Keep the answers of these requests, of those that are asked from here on, to itself."""
        self._cuts = {self.asked + number for number in numbers}

    def close(self) -> None:
        self._closed.set()
        self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._server.close()

    def _serve(self) -> None:
        while not self._closed.is_set():
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            with client, socket.create_connection(self._behind) as broker:
                self._pass_on(client, broker)

    def _pass_on(self, client: socket.socket, broker: socket.socket) -> None:
        while request := framed(client):
            self.asked += 1
            broker.sendall(request)
            answer = framed(broker)
            if self.asked in self._cuts:
                return
            client.sendall(answer)


def framed(connection: socket.socket) -> bytes:
    """Return what is said next, with its length; nothing when nothing more is said."""
    read = b""
    while len(read) < 4 or len(read) < 4 + int.from_bytes(read[:4], "big"):
        more = connection.recv(65536)
        if not more:
            return b""
        read += more
    return read


class Detour(Leaders):
    """Says that every broker listens at the gate."""

    gate: Gate

    def address(self, node: int) -> Address:
        super().address(node)
        return self.gate.address


class Cluster:
    """A topic of the shared broker, a gate before it, and what lies there."""

    def __init__(self, stack: ExitStack) -> None:
        self.servers = [shared_broker().servers]
        self.topic = random_id()
        self.admin: Any = stack.enter_context(closing(KafkaAdminClient(**settings(self.servers))))
        configs = {"max.message.bytes": str(LARGEST)}
        self.admin.create_topics(
            {self.topic: {"num_partitions": PARTITIONS, "replication_factor": 1, "configs": configs}}
        )
        self.admin.wait_for_topics([self.topic])
        host, port = self.servers[0].split(":")
        self.gate = stack.enter_context(closing(Gate(Address(host, int(port)))))
        self._stack = stack

    def appender(self, timeout: float = 30) -> Appender:
        leaders = Detour(self.admin)
        leaders.gate = self.gate
        return self._stack.enter_context(closing(Appender(leaders, timeout)))

    def row(self, partition: int, value: bytes, topic: str = "") -> Row:
        return Row((topic or self.topic, partition), 1, b"key", value, [("id", b"1")])

    def values(self, partition: int = 0) -> list[bytes]:
        """Everything that lies in a partition, in its order."""
        place = KafkaPartition(self.topic, partition)
        with closing(KafkaConsumer(**settings(self.servers), enable_auto_commit=False)) as consumer:
            consumer.assign([place])
            consumer.seek_to_beginning(place)
            found: list[bytes] = []
            end = consumer.end_offsets([place])[place]
            while len(found) < end:
                found += [each.value for each in consumer.poll(timeout_ms=500).get(place, [])]
            return found


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with ExitStack() as stack:
        yield Cluster(stack)


def test_where_each_row_lies(cluster: Cluster) -> None:
    appender = cluster.appender()
    assert appender.append([]) == []
    assert appender.append([cluster.row(at, b"first") for at in (0, 1, 1, 2, 1)]) == [0, 0, 1, 0, 2]
    assert appender.append([cluster.row(1, b"second"), cluster.row(0, b"second")]) == [3, 1]
    assert [len(cluster.values(at)) for at in range(PARTITIONS)] == [2, 4, 1]


def test_what_does_not_fit_into_one_batch_keeps_its_order(cluster: Cluster) -> None:
    values = [bytes([rank]) * size for rank, size in enumerate((600_000, 600_000, 10, 1_500_000, 10, 600_000, 600_000))]
    assert cluster.appender().append([cluster.row(0, value) for value in values]) == list(range(len(values)))
    assert cluster.values() == values


def test_many_append_at_once(cluster: Cluster) -> None:
    appender, each = cluster.appender(), 40

    def append_all(name: int) -> list[int]:
        return [appender.append([cluster.row(0, f"{name} {rank}".encode())])[0] for rank in range(each)]

    with ThreadPoolExecutor(12) as pool:
        offsets = list(pool.map(append_all, range(12)))
    values = cluster.values()
    assert len(values) == 12 * each
    for name, places in enumerate(offsets):
        assert places == sorted(places)
        assert [values[at] for at in places] == [f"{name} {rank}".encode() for rank in range(each)]
    assert cluster.gate.asked < 12 * each, "what waits goes together"


@pytest.mark.parametrize("cuts", [[1], [2], [3], [2, 3, 4], [1, 3]], ids=str)
def test_an_answer_that_is_lost(cluster: Cluster, cuts: Sequence[int]) -> None:
    appender = cluster.appender()
    cluster.gate.cut(*cuts)  # the first request asks for the producer's id
    assert [appender.append([cluster.row(0, b"%d" % rank), cluster.row(1, b"")]) for rank in range(5)] == [
        [rank, rank] for rank in range(5)
    ]
    assert cluster.values() == [b"%d" % rank for rank in range(5)]
    assert len(cluster.values(1)) == 5


def test_what_no_broker_takes_fails_and_the_next_does_not(cluster: Cluster) -> None:
    appender = cluster.appender()
    with pytest.raises(MessageSizeTooLargeError, match=cluster.topic):
        appender.append([cluster.row(0, b"x" * (LARGEST + 1))])
    assert appender.append([cluster.row(0, b"small")]) == [0]


def test_what_has_no_leader_in_time(cluster: Cluster) -> None:
    with pytest.raises(UnknownTopicOrPartitionError):
        cluster.appender(timeout=0.3).append([cluster.row(0, b"", topic="nowhere")])


def test_what_waits_behind_a_failure_fails_with_it(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    appender = cluster.appender()
    appender.append([cluster.row(0, b"first")])
    reached, failing = Event(), Event()
    usual = Detour.leader

    def held(leaders: Leaders, place: Place) -> int:
        reached.set()
        failing.wait()
        raise KafkaError("no more")

    monkeypatch.setattr(Detour, "leader", held)
    with ThreadPoolExecutor(2) as pool:
        failed = pool.submit(appender.append, [cluster.row(0, b"in front")])
        reached.wait()
        behind = pool.submit(appender.append, [cluster.row(0, b"behind")])
        while len(appender._waiting) < 1:
            pass
        failing.set()
        for each in (failed, behind):
            with pytest.raises(KafkaError, match="no more"):
                each.result()
    monkeypatch.setattr(Detour, "leader", usual)
    assert appender.append([cluster.row(0, b"again")]) == [1]
    assert cluster.values() == [b"first", b"again"]


def test_a_closed_one_stores_nothing(cluster: Cluster) -> None:
    appender = cluster.appender()
    appender.append([cluster.row(0, b"first")])
    appender.close()
    with pytest.raises(KafkaError, match="closed"):
        appender.append([cluster.row(0, b"second")])
    assert cluster.values() == [b"first"]


def test_sequence_numbers_begin_anew_behind_the_last_that_there_is() -> None:
    assert [sequence_after(5, 3), sequence_after(2**31 - 1, 1), sequence_after(2**31 - 3, 5)] == [8, 0, 2]
