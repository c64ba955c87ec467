"""What the intake and the command API of a fleet are given: publishers, limits and memories that all of it share."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from consumers.delivery.fleet_queue import FleetQueue
from consumers.delivery.fleet_subscribers import StoredSubscribers
from consumers.delivery.subscribers import ACTIVE, PAUSED, REMOVED
from consumers.projection.board import StatusBoard
from producers.commands.deps import CommandDeps, Door, Standing
from producers.commands.limits import SignUpLimits
from producers.intake.deps import IntakeDeps
from producers.intake.intake import Intake
from producers.intake.letters import LetterDeps, Letters
from producers.receipts.deps import Listening, ReceiptDeps
from schemas.events import AnyEvent
from schemas.topics import NOTIFICATIONS
from streams.log.port import LogUnavailableError
from streams.runtime.access import Access
from streams.runtime.announcements import AnnouncingLog
from streams.runtime.fleet_instances import DepartingLog, FleetInstances
from streams.runtime.kafka_publisher import KafkaPublisher
from streams.runtime.links import Links
from streams.runtime.metrics import Metrics
from streams.runtime.redis_announcements import RedisAnnouncements
from streams.runtime.redis_departures import RedisDepartures
from streams.runtime.redis_limits import redis_limits
from streams.runtime.redis_memory import RedisMemory
from streams.runtime.remembering import RememberingPublisher
from streams.runtime.secrets import SourceTokens
from streams.runtime.state_store import StoreUnavailableError
from tocsin.faces import known_by
from tocsin.fleet.ground import Ground
from tocsin.fleet.pulse import sample_publisher

T = TypeVar("T")
_REPLACED = "replaced"


class WayIn:
    """Everything that one process takes in with; to be used from one event loop."""

    def __init__(self, ground: Ground, metrics: Metrics) -> None:
        self._ground = ground
        self._metrics = metrics
        namespace = ground.engine.namespace
        self._departures = RedisDepartures(ground.redis, namespace)
        log = AnnouncingLog(ground.log, RedisAnnouncements(ground.redis, namespace))
        self._departing = DepartingLog(log, self._departures)
        self._publisher = KafkaPublisher(self._departing)
        sample_publisher(metrics, self._publisher)
        memory = RedisMemory(ground.redis, namespace)
        self._commands = RememberingPublisher(self._publisher, ground.log, memory)
        self._subscribers = StoredSubscribers(ground.store)

    def intake(self, sources: SourceTokens) -> IntakeDeps:
        """Return what receiving alerts needs."""
        ground = self._ground
        instances = FleetInstances(self._departures)
        return IntakeDeps(self._publisher, instances, sources, ground.vault, ground.clock, self._metrics)

    def receipts(self, listening: Sequence[Listening]) -> ReceiptDeps:
        """Return what receiving receipts needs; its repeats are known for as long as those of commands."""
        ground = self._ground
        ledger = FleetQueue(ground.store, ground.log.partitions(NOTIFICATIONS.name))
        return ReceiptDeps(self._commands, ledger, ground.vault, ground.clock, self._metrics, listening)

    def commands(self, board: StatusBoard, access: Access, links: Links, doors: Mapping[str, Door]) -> CommandDeps:
        """Return what commands need."""
        ground = self._ground
        url = ground.engine.redis.get_secret_value()
        return CommandDeps(
            publisher=self._commands,
            views=board,
            access=access,
            vault=ground.vault,
            links=links,
            clock=ground.clock,
            find=self._find,
            notifications=FleetQueue(ground.store, ground.log.partitions(NOTIFICATIONS.name)),
            limits=SignUpLimits(storage=redis_limits(url, ground.engine.namespace)),
            standing=self._standing,
            doors=doors,
            known=lambda page, subscriber: _translated(
                lambda: known_by(self._subscribers.subscriber)(page, subscriber)
            ),
        )

    def letters(self, intake: Intake, sources: SourceTokens) -> Letters:
        """Return the dead letters."""
        ground = self._ground
        return Letters(LetterDeps(ground.log, self._publisher, ground.vault, sources, ground.clock, intake))

    def close(self) -> None:
        """Wait for appends that are under way."""
        self._publisher.close()
        self._departing.close()

    def _find(self, event_id: str) -> AnyEvent | None:
        return _translated(lambda: self._commands.find(event_id))

    def _standing(self, page: str, subscriber: str) -> Standing | None:
        known = _translated(lambda: self._subscribers.subscriber(page, subscriber))
        if known is None:
            return None
        if known.state == REMOVED:
            return Standing.REPLACED if known.reason == _REPLACED else Standing.ENDED
        # Who is suppressed stands as before, so that a list that is imported again brings nobody back.
        state = known.before or known.state
        return Standing.CONFIRMED if state in (ACTIVE, PAUSED) else Standing.WAITING


def _translated(ask: Callable[[], T]) -> T:
    """Ask the store; for a command, one that cannot answer is as bad as a log that cannot."""
    try:
        return ask()
    except StoreUnavailableError as error:
        raise LogUnavailableError(str(error)) from error
