"""Which broker leads which partition, and where it listens: asked when it is needed, and again when it is not so any more."""

from typing import Any

from kafka.errors import KafkaConnectionError, for_code

from streams.log.kafka.batches import Place
from streams.log.kafka.connections import Address


class Leaders:
    """What an admin client says of a cluster, remembered. For one thread at a time."""

    def __init__(self, admin: Any) -> None:
        self._admin = admin
        self._addresses: dict[int, Address] = {}
        self._leaders: dict[Place, int] = {}

    def leader(self, place: Place) -> int:
        """Return the id of the partition's leader; raises the library's errors, also where there is none now."""
        if place not in self._leaders:
            self._learn(place[0])
        if place not in self._leaders:
            raise KafkaConnectionError(f"{place[0]}[{place[1]}] has no leader")
        return self._leaders[place]

    def address(self, node: int) -> Address:
        """Return where a broker listens; raises the library's errors, also for a broker that is gone."""
        if node not in self._known():
            raise KafkaConnectionError(f"broker {node} is gone")
        return self._known()[node]

    def anybody(self) -> int:
        """Return the id of some broker; raises the library's errors."""
        return next(iter(self._known()))

    def _known(self) -> dict[int, Address]:
        if not self._addresses:
            brokers = self._admin.describe_cluster()["brokers"]
            if not brokers:
                raise KafkaConnectionError("the cluster names no brokers")
            self._addresses = {each["broker_id"]: Address(each["host"], each["port"]) for each in brokers}
        return self._addresses

    def forget(self) -> None:
        """Ask anew what is needed next."""
        self._addresses.clear()
        self._leaders.clear()

    def _learn(self, topic: str) -> None:
        for found in self._admin.describe_topics([topic]):
            if found["error_code"]:
                raise for_code(found["error_code"])(topic)
            for partition in found["partitions"]:
                if not partition["error_code"] and partition["leader_id"] >= 0:
                    self._leaders[topic, partition["partition_index"]] = partition["leader_id"]
