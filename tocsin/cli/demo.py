"""``tocsin demo``: a status page, a mailbox and an outage to watch; what it plays is in ``tocsin.demo``."""

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tocsin.cli.failures import FailedError


def demo(
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65535, help="The page's port. [default: 8080, or a free one]")
    ] = None,
    mailbox_port: Annotated[
        int | None,
        typer.Option("--mailbox-port", min=1, max=65535, help="The mailbox's. [default: 8025, or a free one]"),
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Keep the data there; absent: it is thrown away.")
    ] = None,
    speed: Annotated[
        float, typer.Option("--speed", min=0.1, max=10_000, help="How many times as fast as it was.")
    ] = 60,
    *,
    once: Annotated[
        bool,
        typer.Option("--once", help="Leave when the outage is over; exit code 1 if a mail is missing or too much."),
    ] = False,
) -> None:
    """Play a recorded outage on an example page, with mails to read in the browser."""
    from tocsin.config import ConfigError  # noqa: PLC0415 -- commands over HTTP start without the server's libraries
    from tocsin.demo import stage  # noqa: PLC0415 -- as above
    from tocsin.listening import StartError  # noqa: PLC0415 -- as above

    options = stage.Options(data, host, port, mailbox_port, speed, once)
    try:
        outcome = stage.run(options, os.environ, Console())
    except (StartError, stage.PortTakenError, ConfigError) as error:
        raise FailedError(str(error)) from error
    if outcome.problem:
        raise FailedError(outcome.problem)
