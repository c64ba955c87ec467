"""What ``tocsin up`` and ``tocsin apply`` do; imported only by them, since the server's libraries take a second to load."""

import os
from pathlib import Path

import msgspec

from tocsin import server
from tocsin.cli.failures import FailedError
from tocsin.client import ApiClient, path_of
from tocsin.config import Config, ConfigError, load
from tocsin.config.catalogue import desired
from tocsin.listening import StartError
from tocsin.stopping import until_stopped
from tocsin.web_address import url_of


def serve(file: Path, folder: Path, host: str, port: int) -> None:
    """Serve until a signal comes; raises FailedError."""
    config = _loaded(file)
    ready = f"{config.page.name}: {url_of(host, port)}"
    try:
        with until_stopped():
            server.run(config, folder, host, port, os.environ, on_ready=lambda: print(ready, flush=True))
    except StartError as error:
        raise FailedError(str(error)) from error


def apply_to_folder(file: Path, folder: Path, *, dry_run: bool) -> list[str]:
    """Return a line for each change; raises FailedError."""
    try:
        return list(server.apply(_loaded(file), folder, os.environ, dry_run))
    except StartError as error:
        raise FailedError(str(error)) from error


def apply_to_server(file: Path, url: str, token: str | None, key: str, *, dry_run: bool) -> list[str]:
    """Return a line for each change; raises FailedError and ClientError."""
    config = _loaded(file)
    body = {"catalogue": msgspec.to_builtins(desired(config)), "dry_run": dry_run}
    with ApiClient(url, token) as client:
        answer = client.post(path_of("pages", config.page.id, "catalogue"), body, key=key)
    return [str(line) for line in answer.document["changes"]]


def _loaded(file: Path) -> Config:
    try:
        return load(file, os.environ)
    except ConfigError as error:
        raise FailedError(str(error)) from error
