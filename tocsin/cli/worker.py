"""``tocsin worker ROLE``: one process of the distributed engine."""

from pathlib import Path
from typing import Annotated

import typer

from tocsin.cli.serving import DEFAULT_CONFIG, ConfigOption

app = typer.Typer(
    no_args_is_help=True, help="Run one role of the distributed engine: as many processes of each as you like."
)

HostOption = Annotated[str, typer.Option("--host", help="The address to listen on.")]
PortOption = Annotated[int, typer.Option("--port", min=1, max=65535, help="For requests and probes.")]
_HOST, _PORT = "127.0.0.1", 8080


@app.command()
def intake(config: ConfigOption = DEFAULT_CONFIG, host: HostOption = _HOST, port: PortOption = _PORT) -> None:
    """Take in alerts and commands."""
    _run("intake", config, host, port)


@app.command()
def web(config: ConfigOption = DEFAULT_CONFIG, host: HostOption = _HOST, port: PortOption = _PORT) -> None:
    """Answer with the page, the read API and the feeds."""
    _run("web", config, host, port)


@app.command()
def api(config: ConfigOption = DEFAULT_CONFIG, host: HostOption = _HOST, port: PortOption = _PORT) -> None:
    """Be intake and web in one process, so that all of HTTP is behind one address."""
    _run("api", config, host, port)


@app.command()
def streams(config: ConfigOption = DEFAULT_CONFIG, host: HostOption = _HOST, port: PortOption = _PORT) -> None:
    """Fold the log: episodes, pages, status, uptime, subscribers, plans and the ledger of deliveries."""
    _run("streams", config, host, port)


@app.command()
def delivery(
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="The channel to send on, such as email.")],
    config: ConfigOption = DEFAULT_CONFIG,
    host: HostOption = _HOST,
    port: PortOption = _PORT,
) -> None:
    """Send one channel's notifications."""
    _run("delivery", config, host, port, channel)


def _run(role: str, config: Path, host: str, port: int, channel: str = "") -> None:
    from tocsin.cli import with_fleet  # noqa: PLC0415 -- commands over HTTP start without the workers' libraries

    with_fleet.work(role, channel, config, host, port)
