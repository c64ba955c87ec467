"""``tocsin migrate``: an installation on its way from a data folder to the distributed engine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tocsin.cli.datafolder import Bar
from tocsin.cli.engines import read_kafka
from tocsin.cli.failures import FailedError

if TYPE_CHECKING:
    from tocsin.migration import Done, Plan

_SQLITE = "sqlite:"
_AGAIN = "nothing is lost; the same command goes on where this one stopped"


def migrate(
    source: Annotated[str, typer.Option("--from", metavar="sqlite:DIR", help="The data folder; no server may use it.")],
    target: Annotated[
        str, typer.Option("--to", metavar="kafka://HOST:PORT/[NAMESPACE]", help="The cluster; brokers with commas.")
    ],
    redis: Annotated[
        str | None,
        typer.Option("--redis", envvar="TOCSIN_REDIS", metavar="URL", help="Fill it with the keys, and see that it is empty."),
    ] = None,
    replication: Annotated[int, typer.Option("--replication", min=1, help="How many brokers hold each new topic.")] = 1,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be carried over.")] = False,
) -> None:  # fmt: skip
    """Carry the log and the keys over, not a byte of an event changed; may be killed and run again at any point."""
    from streams.keys.store import KeyStoreUnavailableError  # noqa: PLC0415 -- other commands start without all this
    from streams.log.port import LogError, LogUnavailableError  # noqa: PLC0415 -- as above
    from streams.runtime.state_store import StoreUnavailableError  # noqa: PLC0415 -- as above
    from tocsin.folder import FolderInUseError  # noqa: PLC0415 -- as above
    from tocsin.migration import Migration, MigrationError, Target, plan  # noqa: PLC0415 -- as above

    folder = _folder(source)
    address = read_kafka(target, "--to")
    where = Target(address.servers, address.namespace, replication)
    try:
        if dry_run:
            _print_plan(plan(folder, where, redis))
            return
        with Migration(folder, where, redis) as migration:
            done = migration.run(Bar)
    except (LogUnavailableError, KeyStoreUnavailableError, StoreUnavailableError) as error:
        raise FailedError(f"{error}\n{_AGAIN}") from error
    except (MigrationError, FolderInUseError, LogError) as error:
        raise FailedError(str(error)) from error
    except ValueError as error:  # redis-py's word for a URL that is none
        raise typer.BadParameter(str(error), param_hint="--redis") from error
    _print_done(done, filled=redis is not None)


def _folder(text: str) -> Path:
    from streams.log.sqlite import FILE_NAME  # noqa: PLC0415 -- as above

    if not text.startswith(_SQLITE):
        raise typer.BadParameter(f"{text!r} is not sqlite:DIR", param_hint="--from")
    folder = Path(text.removeprefix(_SQLITE))
    if not (folder / FILE_NAME).is_file():
        raise typer.BadParameter(f"{folder} holds no log ({FILE_NAME})", param_hint="--from")
    return folder


def _print_plan(found: "Plan") -> None:
    print(f"would carry over {found.events - found.arrived} events and what is missing of {found.keys} keys")
    if found.arrived:
        print(f"{found.arrived} events arrived in an earlier run")


def _print_done(done: "Done", *, filled: bool) -> None:
    records = sum(each.records for each in done.partitions.values())
    expired = sum(each.expired for each in done.partitions.values())
    repeated = sum(each.repeated for each in done.partitions.values())
    keys = "no keys: the folder has none" if done.keys is None else f"{done.keys.keys} keys"
    print(f"both logs hold the same {records} events in {len(done.partitions)} partitions; {keys}")
    if expired:
        print(f"{expired} dead letters were older than the target keeps them, and stayed behind")
    if repeated:
        print(f"{repeated} events arrived twice; every fold passes over the second copy")
    for (topic, partition), each in sorted(done.partitions.items()):
        print(f"  {topic}[{partition}] {each.records} {each.hash}")
    print(f"Redis is {'filled with the keys' if filled else 'filled when the first worker starts'}")
    print("Next: give the workers this folder's master key (TOCSIN_MASTER_KEY), start them, and start no server here.")
