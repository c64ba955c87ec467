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

_DISTRIBUTED = """{file} has an engine section (or TOCSIN_KAFKA or TOCSIN_REDIS is set): `tocsin up` is for one folder.
Start `tocsin worker api`, `tocsin worker streams`{channels}; or take the section out."""


def serve(file: Path, folder: Path, host: str, port: int) -> None:
    """Serve until a signal comes; raises FailedError."""
    config = _loaded(file)
    if config.engine is not None:
        raise FailedError(_DISTRIBUTED.format(file=file, channels=_channels(config)))
    ready = f"{config.page.name}: {url_of(host, port)}"
    try:
        with until_stopped():
            server.run(config, folder, host, port, os.environ, on_ready=lambda: print(ready, flush=True))
    except StartError as error:
        raise FailedError(str(error)) from error


def is_distributed(file: Path) -> bool:
    """Return whether a configuration names Kafka and Redis, which one that does not exist cannot; raises FailedError."""
    return file.exists() and _loaded(file).engine is not None


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


def _channels(config: Config) -> str:
    return "".join(f" and `tocsin worker delivery {name}`" for name in config.channels)
