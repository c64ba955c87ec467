"""The checks of the distributed engine: Kafka, Redis, the keys, the schema registry and all of their clocks."""

from collections.abc import Mapping
from datetime import timedelta

from consumers.delivery.channel_report import ChannelReport
from consumers.delivery.fleet_conditions import FleetConditions
from consumers.delivery.fleet_queue import FleetQueue
from schemas.topics import DEFAULT_PARTITIONS
from streams.keys.master import open_distributed_vault
from streams.keys.vault import WrongMasterKeyError
from streams.log.kafka.checkup import KafkaCheckup
from streams.log.registry import SchemaRegistry
from streams.runtime.clock import system_clock
from streams.runtime.redis_bulletins import RedisBulletins
from streams.runtime.redis_checkup import RedisCheckup
from streams.runtime.redis_client import redis_client
from streams.runtime.redis_store import RedisStateStore
from tocsin.config import Config
from tocsin.config.models import Engine
from tocsin.doctor.channels import findings_of_channels
from tocsin.doctor.checks import reached, skewed
from tocsin.doctor.report import Finding, Found
from tocsin.fleet.processors import described

_PATIENCE = timedelta(seconds=10)


class FleetChecks:
    """Looks at what the engine's section names."""

    def __init__(self, engine: Engine, environment: Mapping[str, str]) -> None:
        self._engine = engine
        self._environment = environment
        self._url = engine.redis.get_secret_value()
        self._kafka = KafkaCheckup(
            engine.servers, namespace=engine.namespace, replication=engine.replication, timeout=_PATIENCE
        )
        self._redis = RedisCheckup(self._url, engine.namespace)

    def kafka(self) -> Found:
        """Look whether the cluster answers and can hold the replicas."""

        def look() -> list[Finding]:
            brokers, wanted = self._kafka.brokers(), self._engine.replication
            if brokers >= wanted:
                return []
            advice = "start the others, or set engine.replication to what there is"
            return [Finding(f"{brokers} brokers are up and engine.replication is {wanted}", advice)]

        return reached(look, self._engine.kafka, "see engine.kafka (TOCSIN_KAFKA), and that the broker is up")

    def topics(self) -> Found:
        """Look at partitions, replicas, retention and cleanup."""
        advice = "mend it with kafka-configs.sh, or kafka-reassign-partitions.sh for replicas; partitions cannot change"
        return reached(lambda: [Finding(one, advice) for one in self._kafka.topics()], "the topics", advice)

    def redis(self) -> Found:
        """Look whether Redis answers, and how it keeps what it acknowledged."""
        advice = "mend it in redis.conf, and start it anew"
        look_at = "see engine.redis (TOCSIN_REDIS), and that Redis is up"
        return reached(lambda: [Finding(one, advice) for one in self._redis.settings()], "Redis", look_at)

    def state(self, partitions: int) -> Found:
        """Look whether Redis kept a part of the state only."""
        advice = "stop the workers and empty Redis: all of it is folded anew from the log"
        counts = {processor.name: partitions for processor in described()}
        return reached(lambda: [Finding(one, advice) for one in self._redis.lost(counts)], "Redis", advice)

    def keys(self) -> Found:
        """Look whether the master key opens the store of keys."""
        engine = self._engine

        def look() -> list[Finding]:
            try:
                open_distributed_vault(
                    engine.servers,
                    self._url,
                    self._environment,
                    namespace=engine.namespace,
                    replication=engine.replication,
                    timeout=_PATIENCE,
                ).close()
            except WrongMasterKeyError as error:
                return [Finding(str(error), "set TOCSIN_MASTER_KEY to the key that this log was begun with")]
            return []

        return reached(look, "the key store", "mend what stands above first")

    def registry(self) -> Found:
        """Look whether the schema registry answers as one."""
        registry = self._engine.registry
        assert registry is not None, "asked for only where there is one"

        def look() -> list[Finding]:
            SchemaRegistry(registry.get_secret_value(), timeout=_PATIENCE).register(())
            return []

        return reached(look, "the schema registry", "see engine.registry, and that it is up")

    def channels(self, config: Config) -> Found:
        """Look how the channels stand, by what their senders say in Redis."""
        store = RedisStateStore(self._url, self._engine.namespace)
        client = redis_client(self._url)
        conditions = FleetConditions(RedisBulletins(client, self._engine.namespace))
        titles = {name: name for name in config.channels}
        report = ChannelReport(titles, conditions, FleetQueue(store, DEFAULT_PARTITIONS), system_clock)
        try:
            return reached(lambda: findings_of_channels(report.list(), system_clock()), "Redis", "see engine.redis")
        finally:
            client.close()
            store.close()

    def clocks(self) -> Found:
        """Look whether the clocks of this machine, Redis and a broker agree."""

        def look() -> list[Finding]:
            return [*skewed("Redis", self._redis.clock_ahead()), *skewed("Kafka", self._kafka.clock_ahead())]

        return reached(look, "the clocks", "mend what stands above first")
