"""What the benches of delivery share: one sender over an embedded engine, and a receiver in a process of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection

from consumers.delivery.channel import Channel
from consumers.delivery.dispatch import Dispatch, Policy
from consumers.delivery.folded import SequenceFolded
from consumers.delivery.ledger import LedgerStage
from consumers.delivery.sender import Ledger, Sender
from streams.runtime import failpoints
from streams.runtime.links import Links
from streams.runtime.metrics import Metrics
from tocsin.backend import Backend
from tocsin.interpreter import tune_interpreter


@asynccontextmanager
async def sending(backend: Backend, channel: Channel, metrics: Metrics) -> AsyncIterator[None]:
    """Send what waits on ``channel`` within the block; afterwards the channel is closed."""
    links = Links("http://status.example", backend.vault.signing_key, backend.clock)
    dispatch = Dispatch(backend.queue, backend.subscribers, backend.vault, links, backend.clock, Policy())
    folded = SequenceFolded(lambda: backend.driver.committed_position(LedgerStage.name))
    ledger = Ledger(backend.queue, backend.publisher, folded)
    sender = Sender(channel, ledger, dispatch, backend.clock, failpoints.none, metrics)
    loop = asyncio.get_running_loop()

    def wake() -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(sender.wake)

    tune_interpreter()
    backend.driver.listen(wake)
    await sender.recover()
    running = asyncio.create_task(sender.run())
    try:
        yield
    finally:
        sender.stop()
        await running
        await channel.close()


@contextmanager
def receiver(run: Callable[[Connection], None]) -> Iterator[tuple[int, Connection]]:
    """Run a server in a process of its own; yield the port, which it sends first, and the pipe to it."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=run, args=(theirs,), daemon=True)
    process.start()
    try:
        yield int(ours.recv()), ours
    finally:
        process.terminate()
        process.join()
