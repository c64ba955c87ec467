"""``tocsin mailbox``: the demo's mail catcher by itself, for trying out a configuration without a mail server."""

import threading
from typing import Annotated

import typer

from tocsin.cli.failures import FailedError
from tocsin.stopping import until_stopped
from tocsin.web_address import url_of

_LOOPBACK = "127.0.0.1"
_PAGE = "http://127.0.0.1:8080/"


def mailbox(
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Where the mails are read.")] = 8025,
    smtp_port: Annotated[int, typer.Option("--smtp-port", min=1, max=65535, help="Where mail is handed in.")] = 2525,
) -> None:
    """Catch mail and show it in the browser; it delivers to nobody and forgets all when it ends."""
    from tocsin.demo.catcher import Mailbox  # noqa: PLC0415 -- commands over HTTP start without a server's libraries
    from tocsin.demo.ports import PortTakenError, bound  # noqa: PLC0415 -- as above
    from tocsin.demo.sidecar import Sidecar  # noqa: PLC0415 -- as above

    try:
        with (
            bound(_LOOPBACK, smtp_port, or_any=False) as smtp,
            bound(_LOOPBACK, port, or_any=False) as web,
            until_stopped(),
            Sidecar(Mailbox(), smtp, web, _PAGE),
        ):
            print(f"mail to smtp://{_LOOPBACK}:{smtp_port} is read at {url_of(_LOOPBACK, port)}", flush=True)
            threading.Event().wait()
    except PortTakenError as error:
        raise FailedError(str(error)) from error
