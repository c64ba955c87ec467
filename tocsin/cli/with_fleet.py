"""What the commands of the distributed engine do; imported only by them, since the workers' libraries take long to load."""

import logging
import os
from pathlib import Path

import typer

from tocsin.cli.failures import FailedError
from tocsin.config import Config, ConfigError, load
from tocsin.config.catalogue import desired
from tocsin.config.describe import describe_all
from tocsin.config.models import Engine
from tocsin.listening import StartError
from tocsin.stopping import until_stopped
from tocsin.web_address import url_of

_MISSING = (
    "{file} has no engine section, which says where Kafka and Redis are (or set TOCSIN_KAFKA and TOCSIN_REDIS). "
    "Without them, `tocsin up` runs everything in one process."
)


def work(role: str, channel: str, file: Path, host: str, port: int) -> None:
    """Be a worker until a signal comes; raises FailedError, and typer.Exit with the code of a fault."""
    config, engine = loaded(file)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    # On a busy machine it warns of every task of its own that had to wait for a processor.
    logging.getLogger("kafka.net.selector").setLevel(logging.ERROR)
    name = f"{role} {channel}".strip()
    ready = f"{config.page.name}: {name} on {url_of(host, port)}"
    try:
        from tocsin.fleet.roles import Assignment, run  # noqa: PLC0415 -- it needs the distributed engine's libraries

        with until_stopped():
            code = run(
                config, engine, Assignment(role, channel), host, port, os.environ,
                on_ready=lambda: print(ready, flush=True),
            )  # fmt: skip
            if code:
                raise typer.Exit(code)
    except ImportError as error:
        raise FailedError(f"{error.name} is not installed: pip install 'tocsin[distributed]'") from error
    except StartError as error:
        raise FailedError(str(error)) from error


def apply_to_kafka(file: Path, *, dry_run: bool) -> list[str]:
    """Return a line for each change; raises FailedError."""
    config, engine = loaded(file)
    try:
        from tocsin.fleet.roles import apply  # noqa: PLC0415 -- as above

        current, changes = apply(config, engine, desired(config), os.environ, dry_run=dry_run)
    except ImportError as error:
        raise FailedError(f"{error.name} is not installed: pip install 'tocsin[distributed]'") from error
    except StartError as error:
        raise FailedError(str(error)) from error
    return list(describe_all(current, changes))


def loaded(file: Path) -> tuple[Config, Engine]:
    """Return a configuration and its engine; raises FailedError."""
    try:
        config = load(file, os.environ)
    except ConfigError as error:
        raise FailedError(str(error)) from error
    if config.engine is None:
        raise FailedError(_MISSING.format(file=file))
    return config, config.engine
