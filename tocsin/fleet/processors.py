"""Which processors the distributed engine runs, in the order in which each takes a batch."""

from collections.abc import Sequence

from consumers.delivery.failing import PROCESSOR as FAILING
from consumers.delivery.fleet_planner import FollowedAudience, Recollection, asker, planner
from consumers.delivery.kept_audience import KeptAudience
from consumers.delivery.ledger_processor import LEDGER
from consumers.delivery.planned_before import Oblivion, PlansOnLog
from consumers.delivery.subscribers import PROCESSOR as SUBSCRIBERS
from consumers.projection.board import STATUS
from consumers.reliability.uptime import RELIABILITY
from streams.domain.episodes import EPISODES
from streams.domain.pages import PAGES
from streams.domain.processor import Processor
from streams.runtime.emissions import Emissions
from streams.runtime.partition_fold import PartitionFold
from streams.runtime.redis_kept import RedisKept
from tocsin.fleet.followed import Followed
from tocsin.fleet.ground import Ground


def processors(audience: FollowedAudience, recollection: Recollection) -> tuple[Processor, ...]:
    """Return them all; planners ask ``audience``, and of what was planned before ``recollection``."""
    planning = asker(audience), planner(audience, recollection)
    return EPISODES, PAGES, STATUS, RELIABILITY, SUBSCRIBERS, *planning, LEDGER, FAILING


def described() -> tuple[Processor, ...]:
    """Return them all for whoever reads their state and folds nothing."""
    return processors(FollowedAudience(lambda _topic: {}), Oblivion())


class Processors:
    """The processors of one worker, and the audience that its planners follow."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._emissions = Emissions(ground.log)
        audience = FollowedAudience(ground.log.end)
        kept = KeptAudience(RedisKept(ground.redis, ground.engine.namespace), ground.log)
        self.followed = Followed(
            ground, SUBSCRIBERS, audience.lean_tables(),
            on_load=audience.load, on_batch=audience.follow, begin=kept.begin, on_moved=kept.moved,
        )  # fmt: skip
        kept.attach(self.followed.follower)
        audience.attach(self.followed.follower)
        self.all = processors(audience, PlansOnLog(ground.log))

    def folds(self) -> Sequence[PartitionFold]:
        """Return their folds, which have no partitions yet."""
        return [
            PartitionFold(processor, self._ground.log, self._ground.store, emissions=self._emissions)
            for processor in self.all
        ]

    def start(self) -> None:
        """Begin to follow; planners wait for as long as it has not come to the end."""
        self.followed.follower.start()

    def stop(self) -> None:
        """Follow no more."""
        self.followed.stop()
