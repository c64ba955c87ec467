"""The senders of a running server: one for each channel that is switched on, kept alive and drained at the end."""

import asyncio
import logging
from collections.abc import Mapping
from types import MappingProxyType

from limits.storage import MemoryStorage, Storage

from consumers.delivery.attempts import Attempts
from consumers.delivery.channel import Channel
from consumers.delivery.channels.registry import CHANNEL_OF_NAME
from consumers.delivery.conditions import Rest
from consumers.delivery.context import ChannelContext
from consumers.delivery.dispatch import Dispatch, Policy
from consumers.delivery.folded import SequenceFolded
from consumers.delivery.ledger import LedgerStage
from consumers.delivery.limited import limited
from consumers.delivery.limiter import Limiter
from consumers.delivery.rates import NONE, Limits
from consumers.delivery.sender import Ledger, Sender
from consumers.delivery.storm import Storm
from consumers.delivery.switched_off import SwitchedOff, SwitchedOffChannel
from consumers.delivery.verdicts import micros
from consumers.delivery.watch import Watch
from streams.runtime.failpoints import Failpoint
from streams.runtime.links import Links
from streams.runtime.metrics import Metrics
from tocsin.backend import Backend
from tocsin.config import Config
from tocsin.config.models import ChannelLimits

_log = logging.getLogger(__name__)
DRAIN_SECONDS = 20.0
_PAUSE_SECONDS = 1.0


def make_channels(config: Config, metrics: Metrics, watch: Watch | None = None) -> dict[str, Channel]:
    """Return the channels that the configuration switches on, by name; without a ``watch`` nothing is sent on them."""

    def rests(channel: str, provider: str, rest: Rest | None) -> None:
        if watch is not None:
            metrics.rests.labels(channel, provider).set(rest is not None)
            watch.rests(channel, provider, rest)

    context = ChannelContext(page=config.page.id, rests=rests)
    return {name: CHANNEL_OF_NAME[name].factory(settings, context) for name, settings in config.channels.items()}


def policy_of(config: Config) -> Policy:
    """Return what the page's owner decided of deliveries."""
    guard = config.delivery.storm
    storm = None if guard is None else Storm(guard.incidents, micros(guard.within))
    return Policy(combined_note=config.delivery.combined_note, storm=storm)


def allowed_of(name: str, channels: Mapping[str, Channel], limits: Mapping[str, ChannelLimits]) -> Limits:
    """Return what a channel may send: what its vendor allows, or what the configuration says instead.

    Of channels with one account, what is said of the account's limit of any holds for all of them together.
    """
    able = channels[name].capabilities
    sharing = [
        other.capabilities
        for other in channels.values()
        if other.capabilities.name == name or (able.account and other.capabilities.account == able.account)
    ]
    said = {each.name: limits.get(each.name, ChannelLimits()).account for each in sharing}
    accounts = {(each.limits.account if (one := said[each.name]) is None else one).strip() for each in sharing}
    chosen = limits.get(name, ChannelLimits())
    return able.limits.changed(", ".join(sorted(accounts - {"", NONE})), chosen.sender, chosen.destination)


def limiter_of(
    channel: Channel,
    allowed: Limits,
    secret: str,
    metrics: Metrics,
    watch: Watch,
    storage: Storage | None = None,
) -> Limiter:
    """Return what counts a channel's messages, and those of its account, against what is allowed."""
    name = channel.capabilities.name
    noted = watch.holds(name)

    def held(limit: str) -> None:
        metrics.held_back.labels(name, limit).inc()
        noted(limit)

    account = channel.capabilities.account
    return Limiter(name, allowed, secret=secret, account=account, storage=storage, held=held)


class Delivering:
    """Runs the senders; to be started and stopped from one event loop."""

    def __init__(
        self,
        backend: Backend,
        channels: Mapping[str, Channel],
        links: Links,
        policy: Policy,
        failpoint: Failpoint,
        metrics: Metrics,
        watch: Watch,
        limits: Mapping[str, ChannelLimits] = MappingProxyType({}),
    ) -> None:
        dispatch = Dispatch(backend.queue, backend.subscribers, backend.vault, links, backend.clock, policy)
        self._backend = backend
        self._channels = channels
        folded = SequenceFolded(lambda: backend.driver.committed_position(LedgerStage.name))
        ledger = Ledger(backend.queue, backend.publisher, folded)
        off = [SwitchedOffChannel(name) for name in CHANNEL_OF_NAME if name not in channels]
        attempts: list[tuple[Channel, Attempts]] = [
            *((channel, dispatch) for channel in channels.values()),
            *((channel, SwitchedOff()) for channel in off),
        ]
        counts = MemoryStorage()
        self._senders: dict[str, Sender] = {}
        for channel, how in attempts:
            name = channel.capabilities.name
            allowed = allowed_of(name, channels, limits) if name in channels else Limits()
            limiter = limiter_of(channel, allowed, links.secret, metrics, watch, counts)
            sender = Sender(limited(channel, limiter), ledger, how, backend.clock, failpoint, metrics, limiter=limiter)
            self._senders[name] = sender
            if name in channels:
                watch.look_at(name, sender.breaker, limiter)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Put in doubt what an earlier life left in hand, then send."""
        loop = asyncio.get_running_loop()
        for sender in self._senders.values():
            await sender.recover()
            self._tasks.append(asyncio.create_task(keep_running(sender)))
        self._backend.driver.listen(lambda: _wake(loop, self._senders))

    async def stop(self) -> None:
        """Finish what is in hand, within bounds; what is left then is in doubt and listed after the next start."""
        for sender in self._senders.values():
            sender.stop()
        if self._tasks:
            _, pending = await asyncio.wait(self._tasks, timeout=DRAIN_SECONDS)
            for task in pending:
                task.cancel()
        for channel in self._channels.values():
            await channel.close()


def _wake(loop: asyncio.AbstractEventLoop, senders: Mapping[str, Sender]) -> None:
    if not loop.is_closed():
        for sender in senders.values():
            loop.call_soon_threadsafe(sender.wake)


async def keep_running(sender: Sender) -> None:
    """Run a sender until it is told to stop."""
    while not sender.stopping:
        try:
            await sender.run()
        except Exception:  # one sender's fault must not end the others, nor go unseen
            _log.exception("a sender failed and is started again")
            await asyncio.sleep(_PAUSE_SECONDS)
