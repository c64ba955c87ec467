"""Gives the embedded engine subscribers as if it had folded them: signing them up is not what is measured."""

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import islice
from sqlite3 import Connection

from consumers.delivery.subscriber_stage import SubscriberStage
from consumers.delivery.subscribers import SUBSCRIBERS, Subscriber
from tocsin.backend import Backend

_STEP = 10_000


def seat(backend: Backend, page: str, people: Iterable[Subscriber]) -> None:
    """Put rows into the file and the index; what is in memory of them beside it is no more than a stage keeps."""
    rest = iter(people)
    while some := list(islice(rest, _STEP)):
        backend.log.submit(partial(_seat, backend.subscribers, page, some)).result()


def _seat(stage: SubscriberStage, page: str, people: Sequence[Subscriber], connection: Connection) -> None:
    for one in people:
        stage.tables[SUBSCRIBERS].put(page, one.id, one)
        stage.book.changed(page, one.id, one)
    stage.save(connection)
    stage.committed()
