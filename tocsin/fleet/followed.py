"""What a process of the fleet follows by itself: the status board and who subscribed, each from the log's own end."""

import time
from collections.abc import Callable
from typing import Any

from consumers.delivery.fleet_planner import FollowedAudience
from consumers.delivery.subscriber_book import SubscriberBook
from consumers.delivery.subscribers import PROCESSOR as SUBSCRIBERS
from consumers.projection.board import STATUS, StatusBoard
from schemas.topics import PAGES, partition_of
from streams.domain.processor import Processor
from streams.log.port import LogUnavailableError
from streams.runtime.backlog import Backlog, Behind
from streams.runtime.follower import Follower, FollowerStoppedError, Tables
from tocsin.fleet.ground import Ground

_WAIT_SECONDS = 5.0
START_SECONDS = 600.0
"""How long a process that starts may take to read what the store does not know yet."""


class Followed:
    """A follower of this process, and how far it is behind."""

    def __init__(
        self, ground: Ground, processor: Processor, tables: Tables | None = None, **told: Callable[..., Any]
    ) -> None:
        self.follower = Follower(processor, ground.log, ground.store, tables=tables, **told)
        self.processor = processor
        self._backlog = Backlog(ground.log, ground.store)

    def start(self) -> None:
        """Follow, and return when all that the log holds now is folded; raises as ``catch_up``."""
        self.follower.start()
        self.catch_up(START_SECONDS)

    def catch_up(self, seconds: float) -> None:
        """Wait until what the log holds now is folded; raises LogUnavailableError and FollowerStoppedError."""
        ends = self._backlog.ends(self.processor.topics)
        until = time.monotonic() + seconds
        while not self.follower.wait_for(ends, _WAIT_SECONDS):
            if time.monotonic() > until:
                raise LogUnavailableError(f"{self.processor.name} did not catch up with the log within {seconds:.0f} s")

    def behind(self) -> Behind:
        """Return what is not folded yet."""
        ends = self._backlog.ends(self.processor.topics)
        positions = {place: self.follower.position(place) for place in ends}
        return self._backlog.behind(self.processor, positions, ends)

    def require_sound(self) -> None:
        """Raise FollowerStoppedError where a fault ended the following."""
        if self.follower.fault is not None:
            raise FollowerStoppedError(f"{self.processor.name} is not followed any more") from self.follower.fault

    def stop(self) -> None:
        """Follow no more."""
        self.follower.stop()


def followed_subscribers(ground: Ground) -> tuple[SubscriberBook, Followed]:
    """Return the book of subscribers, with its index of audiences, and what feeds it, once started."""
    audience = FollowedAudience(ground.log.end)
    followed = Followed(ground, SUBSCRIBERS, on_load=audience.load, on_batch=audience.follow)
    return audience.book, followed


def followed_board(ground: Ground) -> tuple[StatusBoard, Followed]:
    """Return a status board and what feeds it, once started."""
    board = StatusBoard()
    followed = Followed(ground, STATUS, on_batch=board.committed)
    board.follow(
        lambda page, offset: followed.follower.passed((PAGES.name, partition_of(page, PAGES.partitions)), offset)
    )
    return board, followed
