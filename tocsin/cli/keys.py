"""``tocsin keys``: the wrapped keys of a distributed engine, out of its topic and into a file; it opens none of them."""

import os
from pathlib import Path
from typing import Annotated

import typer

from tocsin.cli.engines import ConfigOption, EngineOption, chosen
from tocsin.cli.failures import FailedError

app = typer.Typer(no_args_is_help=True, help="Back up the keys of a distributed engine.")


@app.callback()
def keys() -> None:
    """Take the name of a command, of which there is one so far."""


@app.command("export")
def export_command(
    file: Annotated[Path, typer.Argument(metavar="KEYS.db", help="What `keys.db` is in a data folder.")],
    engine: EngineOption = None,
    config: ConfigOption = None,
) -> None:
    """Write all keys, wrapped as they are, to a file; one that exists is replaced once the new one is whole."""
    from streams.keys.sqlite import SqliteKeyStore  # noqa: PLC0415 -- other commands start without Kafka's library
    from streams.keys.transfer import copy  # noqa: PLC0415 -- as above
    from streams.log.kafka.clusters import topics_in  # noqa: PLC0415 -- as above
    from streams.log.kafka.keys import NAME, KafkaKeyTopic  # noqa: PLC0415 -- as above
    from streams.log.port import LogError  # noqa: PLC0415 -- as above

    fleet = chosen(engine, config)
    if fleet is None:
        raise typer.BadParameter("give one of --engine and --config; of a data folder, back up keys.db itself")
    servers, namespace = fleet.kafka
    unfinished = file.with_name(f"{file.name}.partial")
    unfinished.unlink(missing_ok=True)
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        if NAME not in topics_in(servers, namespace):  # opening the topic would make it
            raise FailedError(f"{','.join(servers)} holds no keys here: it lacks the topic {namespace}{NAME}")
        topic = KafkaKeyTopic(servers, namespace=namespace)
        store = SqliteKeyStore(unfinished)
        try:
            count = copy(topic, store)
        finally:
            store.close()
            topic.close()
        unfinished.replace(file)
    except LogError as error:
        raise FailedError(str(error)) from error
    finally:
        unfinished.unlink(missing_ok=True)
    print(f"exported {count} keys to {file}")
