"""``tocsin doctor``: what is misconfigured or out of reach, in the order in which to mend it."""

import json
from pathlib import Path
from typing import Annotated

import typer

from tocsin.cli.connection import DEFAULT_SERVER, JsonOption, ServerOption, TokenOption
from tocsin.cli.serving import DEFAULT_CONFIG, DEFAULT_DATA, ConfigOption


def doctor(
    config: ConfigOption = DEFAULT_CONFIG,
    data: Annotated[
        Path, typer.Option("--data", metavar="DIR", help="The data folder; the distributed engine has none.")
    ] = DEFAULT_DATA,
    server: ServerOption = DEFAULT_SERVER,
    token: TokenOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Say what is misconfigured or out of reach, in the order in which to mend it."""
    from tocsin.cli import with_doctor  # noqa: PLC0415 -- commands over HTTP start without the server's libraries
    from tocsin.doctor.channels import Asked  # noqa: PLC0415 -- the same

    report = with_doctor.examined(config, data, Asked(server, token))
    if as_json:
        print(json.dumps(report.document(), ensure_ascii=False, indent=2))
    else:
        with_doctor.show(report)
    if not report.is_well:
        raise typer.Exit(1)
