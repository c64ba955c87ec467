"""The stages that a replay folds: those of the server, without what belongs to a running one."""

from consumers.delivery.failing import PROCESSOR as FAILING
from consumers.delivery.ledger import LedgerStage
from consumers.delivery.subscriber_stage import SubscriberStage
from consumers.projection.board import STATUS
from consumers.reliability.uptime import RELIABILITY
from streams.domain.episodes import EPISODES
from streams.domain.pages import PAGES
from streams.domain.processor import Processor
from streams.runtime.stage import FoldStage, Stage


def replay_stages() -> list[Stage]:
    """Return fresh stages. The planner is not among them: what it makes lies on the log and is the record."""
    return [
        FoldStage(EPISODES),
        FoldStage(PAGES),
        FoldStage(STATUS),
        FoldStage(RELIABILITY),
        SubscriberStage(),
        LedgerStage(),
        FoldStage(FAILING),
    ]


def processors() -> tuple[Processor, ...]:
    """Return the processors among the stages: they know where their timers lie on the log."""
    return tuple(stage.processor for stage in replay_stages() if isinstance(stage, FoldStage))
