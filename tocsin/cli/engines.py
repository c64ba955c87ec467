"""Where a command finds its log: a data folder, or a cluster; opened for reading, so that nothing is made there."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from streams.log.port import EventLog, LogError
from tocsin.cli.datafolder import reading
from tocsin.cli.failures import FailedError

if TYPE_CHECKING:
    from schemas.wire import Framing

_KAFKA = "kafka://"
_SERVER = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}")
_NAMESPACE = re.compile(r"[A-Za-z0-9._-]{0,64}")

EngineOption = Annotated[
    str | None,
    typer.Option("--engine", metavar="kafka://HOST:PORT/[NAMESPACE]", help="A cluster in the place of a folder."),
]
RedisOption = Annotated[
    str | None, typer.Option("--redis", envvar="TOCSIN_REDIS", metavar="URL", help="The cluster's Redis.")
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="A configuration whose engine is meant.")
]


class KafkaAddress(NamedTuple):
    """A cluster's first brokers, and what stands before every name there."""

    servers: list[str]
    namespace: str


class Fleet(NamedTuple):
    """A distributed engine. The URLs of Redis and of the registry may hold passwords."""

    kafka: KafkaAddress
    redis: str | None
    registry: str | None


def read_kafka(text: str, hint: str) -> KafkaAddress:
    """Read ``kafka://host:port[,host:port]/[namespace]``; anything else is a usage error at the option ``hint``."""
    hosts, _, namespace = text.removeprefix(_KAFKA).partition("/")
    servers = hosts.split(",")
    known = text.startswith(_KAFKA) and all(map(_SERVER.fullmatch, servers)) and _NAMESPACE.fullmatch(namespace)
    if not known:
        raise typer.BadParameter(f"{text!r} is not kafka://host:port[,host:port]/[namespace]", param_hint=hint)
    return KafkaAddress(servers, namespace)


def chosen(engine: str | None, config: Path | None, redis: str | None = None) -> Fleet | None:
    """Return the distributed engine that the options name; None where they name none, so that a folder is meant."""
    match engine, config:
        case None, None:
            return None
        case str() as url, None:
            return Fleet(read_kafka(url, "--engine"), redis, None)
        case None, Path() as path:
            return _configured(path)
        case _:
            raise typer.BadParameter("give one of --engine and --config")


@contextmanager
def reading_log(data: Path, fleet: Fleet | None, *, chained: bool = False) -> Iterator[EventLog]:
    """Open the log for reading: the fleet's, or the folder's; ``chained`` matters for the former only.

    No log there is a failure, or in a folder a usage error.
    """
    if fleet is None:
        with reading(data) as log:
            yield log
        return
    try:
        opened = _open(fleet, chained=chained)
        try:
            yield opened
        finally:
            opened.close()
    except LogError as error:
        raise FailedError(str(error)) from error


def _open(fleet: Fleet, *, chained: bool) -> EventLog:
    from schemas.topics import TOPICS  # noqa: PLC0415 -- commands on a folder start without Kafka's library
    from streams.log.kafka import KafkaEventLog  # noqa: PLC0415 -- as above
    from streams.log.kafka.clusters import topics_in  # noqa: PLC0415 -- as above

    servers, namespace = fleet.kafka
    missing = {topic.name for topic in TOPICS} - topics_in(servers, namespace)
    if missing:
        raise FailedError(f"{','.join(servers)} holds no log here: it lacks the topic {namespace}{min(missing)}")
    return KafkaEventLog(servers, namespace=namespace, chained=chained, framing=_framing(fleet))


def _framing(fleet: Fleet) -> "Framing":
    from schemas.wire import SINGLE_OBJECT  # noqa: PLC0415 -- as above

    if fleet.registry is None:
        return SINGLE_OBJECT
    from streams.log.registry import registered  # noqa: PLC0415 -- as above

    return registered(fleet.registry)


def _configured(path: Path) -> Fleet:
    from tocsin.config import ConfigError, load  # noqa: PLC0415 -- as above

    try:
        engine = load(path, os.environ).engine
    except ConfigError as error:
        raise FailedError(str(error)) from error
    if engine is None:
        raise typer.BadParameter(f"{path} has no section engine", param_hint="--config")
    registry = None if engine.registry is None else engine.registry.get_secret_value()
    return Fleet(KafkaAddress(engine.servers, engine.namespace), engine.redis.get_secret_value(), registry)
