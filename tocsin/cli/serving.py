"""``tocsin up`` and ``tocsin apply``: the server, and a changed configuration on its way to the log."""

from pathlib import Path
from typing import Annotated

import typer

from schemas.ids import random_id
from tocsin.cli.connection import DEFAULT_SERVER, KeyOption, TokenOption

ConfigOption = Annotated[Path, typer.Option("--config", metavar="FILE", help="The page's configuration.")]
DEFAULT_CONFIG = Path("tocsin.yaml")
DEFAULT_DATA = Path("tocsin-data")
_CHOOSE = f"give one of --data DIR and --server URL (such as {DEFAULT_SERVER})"


def up(
    config: ConfigOption = DEFAULT_CONFIG,
    data: Annotated[
        Path, typer.Option("--data", metavar="DIR", help="The folder that holds all there is to back up.")
    ] = DEFAULT_DATA,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535)] = 8080,
) -> None:
    """Serve a status page: everything in one process, until SIGTERM or Ctrl-C."""
    from tocsin.cli import with_server  # noqa: PLC0415 -- commands over HTTP start without the server's libraries

    with_server.serve(config, data, host, port)


def apply(
    config: ConfigOption = DEFAULT_CONFIG,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="A folder that no server is using.")
    ] = None,
    server: Annotated[str | None, typer.Option("--server", metavar="URL", help="A running server.")] = None,
    token: TokenOption = None,
    key: KeyOption = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
) -> None:
    """Turn the difference between a configuration and the log's catalogue into events."""
    from tocsin.cli import with_server  # noqa: PLC0415 -- as above

    match data, server:
        case Path() as folder, None:
            lines = with_server.apply_to_folder(config, folder, dry_run=dry_run)
        case None, str() as url:
            lines = with_server.apply_to_server(config, url, token, key or random_id(), dry_run=dry_run)
        case None, None:
            lines = _apply_to_engine(config, dry_run=dry_run)
        case _:
            raise typer.BadParameter(_CHOOSE)
    print("\n".join(lines) or "nothing to change")


def _apply_to_engine(config: Path, *, dry_run: bool) -> list[str]:
    """Apply to Kafka, if that is what the configuration names; a usage error otherwise."""
    from tocsin.cli import with_fleet, with_server  # noqa: PLC0415 -- as above

    if not with_server.is_distributed(config):
        raise typer.BadParameter(_CHOOSE)
    return with_fleet.apply_to_kafka(config, dry_run=dry_run)
