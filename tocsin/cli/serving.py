"""``tocsin up`` and ``tocsin apply``: the server, and a changed configuration on its way to the log."""

import os
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from tocsin.cli.connection import DEFAULT_SERVER, KeyOption, TokenOption
from tocsin.cli.failures import FailedError
from tocsin.client import ApiClient, path_of
from tocsin.config import Config, load
from tocsin.config.catalogue import desired
from tocsin.stopping import until_stopped
from tocsin.web_address import url_of

ConfigOption = Annotated[Path, typer.Option("--config", metavar="FILE", help="The page's configuration.")]
DEFAULT_CONFIG = Path("tocsin.yaml")
DEFAULT_DATA = Path("tocsin-data")


def up(
    config: ConfigOption = DEFAULT_CONFIG,
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="The folder that holds all there is to back up.")]
    = DEFAULT_DATA,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535)] = 8080,
) -> None:  # fmt: skip
    """Serve a status page: everything in one process, until SIGTERM or Ctrl-C."""
    loaded = load(config, os.environ)
    from tocsin import server  # noqa: PLC0415 -- commands over HTTP start without the server's libraries

    ready = f"{loaded.page.name}: {url_of(host, port)}"
    try:
        with until_stopped():
            server.run(loaded, data, host, port, os.environ, on_ready=lambda: print(ready, flush=True))
    except server.StartError as error:
        raise FailedError(str(error)) from error


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
    if (data is None) == (server is None):
        raise typer.BadParameter(f"give one of --data DIR and --server URL (such as {DEFAULT_SERVER})")
    loaded = load(config, os.environ)
    if data is not None:
        lines = _apply_to_folder(loaded, data, dry_run=dry_run)
    else:
        assert server is not None
        lines = _apply_to_server(loaded, server, token, key, dry_run=dry_run)
    print("\n".join(lines) or "nothing to change")


def _apply_to_folder(config: Config, folder: Path, *, dry_run: bool) -> list[str]:
    from tocsin import server  # noqa: PLC0415 -- as above

    try:
        return list(server.apply(config, folder, os.environ, dry_run))
    except server.StartError as error:
        raise FailedError(str(error)) from error


def _apply_to_server(config: Config, url: str, token: str | None, key: str | None, *, dry_run: bool) -> list[str]:
    body = {"catalogue": msgspec.to_builtins(desired(config)), "dry_run": dry_run}
    with ApiClient(url, token) as client:
        answer = client.post(path_of("pages", config.page.id, "catalogue"), body, key=key)
    return [str(line) for line in answer.document["changes"]]
