"""What is asked of leaders when they move, are gone, or say no; told by stand-ins, for one real broker has no rivals."""

from collections.abc import Callable, Mapping
from threading import Event, Timer
from time import monotonic
from typing import Any

import pytest
from kafka.errors import (
    BrokerResponseError,
    KafkaConnectionError,
    KafkaError,
    NotLeaderForPartitionError,
    OutOfOrderSequenceNumberError,
    TopicAuthorizationFailedError,
)

from streams.log.kafka.batches import Place
from streams.log.kafka.brokers import Answer, Brokers, Question
from streams.log.kafka.connections import Address
from streams.log.kafka.leaders import Leaders

A, B, C = ("t", 0), ("t", 1), ("t", 2)
Asked = Mapping[Place, str]


class Cluster:
    """An admin client, and brokers that answer as they are told: an offset, the number of an error, or a fault."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.leaders: dict[Place, int] = {A: 1, B: 2, C: 1}
        self.asked: list[dict[int, list[Place]]] = []
        self.says: Callable[[int, Place], int | Exception] = lambda node, place: 100 * node + place[1]
        monkeypatch.setattr("streams.log.kafka.brokers.Links", lambda _: self)

    # --- as Links ---

    def ask(self, requests: Mapping[int, Asked], until: float) -> dict[int, list[Answer]]:
        self.asked.append({node: sorted(asked) for node, asked in requests.items()})
        return {node: [self._answer(node, place) for place in asked] for node, asked in requests.items()}

    def close(self) -> None: ...

    def _answer(self, node: int, place: Place) -> Answer:
        said = self.says(node, place)
        if isinstance(said, BrokerResponseError):
            return Answer(place, said.errno, -1)
        if isinstance(said, Exception):
            raise said
        return Answer(place, 0, said)

    # --- as an admin client ---

    def describe_topics(self, names: list[str]) -> list[dict[str, Any]]:
        partitions = [
            {"error_code": 0, "partition_index": place[1], "leader_id": node} for place, node in self.leaders.items()
        ]
        return [{"error_code": 0, "name": names[0], "partitions": partitions}]

    def describe_cluster(self) -> dict[str, Any]:
        return {"brokers": [{"broker_id": node, "host": f"host-{node}", "port": 9092} for node in (1, 2)]}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    return Cluster(monkeypatch)


def brokers(cluster: Cluster, closed: Event | None = None) -> Brokers:
    return Brokers(Leaders(cluster), closed or Event())


def offsets(asking: Brokers, *places: Place, seconds: float = 60) -> dict[Place, int]:
    question = Question(lambda asked, _: asked, lambda response: response)
    return asking.offsets(question, dict.fromkeys(places, ""), monotonic() + seconds)


def test_each_leader_is_asked_once_for_all_that_it_leads(cluster: Cluster) -> None:
    assert offsets(brokers(cluster), A, B, C) == {A: 100, B: 201, C: 102}
    assert cluster.asked == [{1: [A, C], 2: [B]}]


def test_a_leader_that_moved_is_found_and_who_answered_is_not_asked_again(cluster: Cluster) -> None:
    asking = brokers(cluster)
    assert offsets(asking, A, B) == {A: 100, B: 201}
    cluster.says = lambda node, place: NotLeaderForPartitionError() if (node, place) == (2, B) else node
    cluster.leaders[B] = 1
    assert offsets(asking, A, B) == {A: 1, B: 1}
    assert cluster.asked[1:] == [{1: [A], 2: [B]}, {1: [B]}]


def test_a_partition_without_a_leader_is_waited_for(cluster: Cluster) -> None:
    cluster.leaders[B] = -1
    Timer(0.3, lambda: cluster.leaders.update({B: 2})).start()
    assert offsets(brokers(cluster), A, B) == {A: 100, B: 201}


def test_a_lost_connection_is_made_anew(cluster: Cluster) -> None:
    answers = iter([ConnectionResetError(), TimeoutError(), KafkaConnectionError(), 7])
    cluster.says = lambda node, place: next(answers)
    assert offsets(brokers(cluster), A) == {A: 7}


@pytest.mark.parametrize("error", [OutOfOrderSequenceNumberError, TopicAuthorizationFailedError])
def test_what_no_repetition_mends_is_said_at_once(cluster: Cluster, error: type[KafkaError]) -> None:
    # Beside another that may pass.
    cluster.says = lambda _, place: error() if place == C else NotLeaderForPartitionError()
    with pytest.raises(error, match=r"t\[2\]"):
        offsets(brokers(cluster), A, B, C)
    assert len(cluster.asked) == 1


def test_patience_ends(cluster: Cluster) -> None:
    cluster.says = lambda *_: NotLeaderForPartitionError()
    with pytest.raises(NotLeaderForPartitionError, match=r"t\[0\]"):
        offsets(brokers(cluster), A, seconds=0.3)
    assert len(cluster.asked) > 1


def test_who_is_closed_does_not_try_again(cluster: Cluster) -> None:
    cluster.says = lambda *_: NotLeaderForPartitionError()
    closed = Event()
    Timer(0.3, closed.set).start()
    with pytest.raises(NotLeaderForPartitionError):
        offsets(brokers(cluster, closed), A, seconds=3_600)


def test_brokers_and_where_they_listen(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    leaders = Leaders(cluster)
    assert leaders.address(leaders.anybody()) == Address("host-1", 9092)
    with pytest.raises(KafkaConnectionError, match="broker 3 is gone"):
        leaders.address(3)
    leaders.forget()
    monkeypatch.setattr(cluster, "describe_cluster", lambda: {"brokers": []})
    with pytest.raises(KafkaConnectionError, match="no brokers"):
        leaders.anybody()
