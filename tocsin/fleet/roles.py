"""Starts and ends the roles of the distributed engine; each is a process that ends in good order on SIGTERM.

A role is imported when it is taken on: without the libraries of the others it starts in half the time.
"""

import logging
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from consumers.delivery.channels.registry import CHANNEL_OF_NAME
from schemas.events import EventData
from streams.domain.catalogue import Catalogue
from streams.log.port import LogError
from streams.runtime.follower import FollowerStoppedError
from streams.runtime.state_store import StoreUnavailableError
from tocsin.config import Config
from tocsin.config.models import Engine
from tocsin.fleet.followed import followed_board
from tocsin.fleet.ground import Ground
from tocsin.interpreter import share_interpreter
from tocsin.listening import StartError, bind

FAULT = 70
"""The exit code of a worker that met a fault (EX_SOFTWARE of sysexits.h): a supervisor starts another."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Assignment:
    """A role, with the channel where it is delivery."""

    role: str
    channel: str = ""


def run(
    config: Config,
    engine: Engine,
    assignment: Assignment,
    host: str,
    port: int,
    environment: Mapping[str, str],
    on_ready: Callable[[], None],
) -> int:
    """Be a worker until SIGTERM or SIGINT, and return its exit code: 0, or ``FAULT``. Raises StartError."""
    _require_channel(assignment)
    share_interpreter()
    listening = bind(host, port)
    try:
        ground = Ground(engine, environment)
        try:
            _serve(config, ground, assignment, environment, listening, on_ready)
        finally:
            ground.close()
    except (LogError, StoreUnavailableError) as error:
        raise StartError(f"{error}. `tocsin doctor` says what to do, and in what order.") from error
    except FollowerStoppedError:
        _log.critical("the worker cannot go on", exc_info=True)
        return FAULT
    finally:
        listening.close()
    return 0


def apply(
    config: Config, engine: Engine, wanted: Catalogue, environment: Mapping[str, str], *, dry_run: bool
) -> tuple[Catalogue, list[EventData]]:
    """Apply a configuration; return the former catalogue and the changes. Raises StartError."""
    from tocsin.fleet.applying import Applying  # noqa: PLC0415 -- see above

    ground = Ground(engine, environment)
    _, status = followed_board(ground)
    try:
        status.start()
        return Applying(ground, status).apply(config.page.id, wanted, dry_run=dry_run)
    except (LogError, StoreUnavailableError) as error:
        raise StartError(str(error)) from error
    finally:
        status.stop()
        ground.close()


def _serve(
    config: Config,
    ground: Ground,
    assignment: Assignment,
    environment: Mapping[str, str],
    listening: socket.socket,
    on_ready: Callable[[], None],
) -> None:
    match assignment.role:
        case "streams":
            from tocsin.fleet.streams import StreamsWorker  # noqa: PLC0415 -- see above

            StreamsWorker(ground).serve(listening, on_ready)
        case "delivery":
            from tocsin.fleet.delivery import DeliveryWorker  # noqa: PLC0415 -- see above

            DeliveryWorker(config, ground, assignment.channel, environment).serve(listening, on_ready)
        case role:
            from tocsin.fleet.faces import Face, FaceWorker  # noqa: PLC0415 -- see above

            FaceWorker(config, ground, Face(role)).serve(listening, on_ready)


def _require_channel(assignment: Assignment) -> None:
    if assignment.role == "delivery" and assignment.channel not in CHANNEL_OF_NAME:
        raise StartError(f"there is no channel {assignment.channel!r}; there are {', '.join(CHANNEL_OF_NAME)}")
