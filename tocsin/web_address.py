"""From the address that a server listens on to the URL under which a browser on this machine finds it."""

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- looked up, not bound


def url_of(host: str, port: int) -> str:
    """Return ``http://127.0.0.1:8080/`` for whatever ``host`` was listened on."""
    shown = _EVERYWHERE.get(host, host)
    return f"http://[{shown}]:{port}/" if ":" in shown else f"http://{shown}:{port}/"
