"""Take pictures of the status page from its real templates: ``python -m tests.tools.screenshot FOLDER`` for a look at
every state, ``--readme`` for the one picture that the README shows. Needs Debian's chromium.
"""

import argparse
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from consumers.web.render.assets import FOLDER
from consumers.web.render.page import Pages
from deploy.debian import program
from tests.builders import acme
from tests.builders.views import NOW

README_PICTURE = Path(__file__).parents[2] / "docs" / "images" / "status-page.png"
WIDTHS = {"wide": 1280, "narrow": 390}
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--virtual-time-budget=2000",
)  # fmt: skip


def pages() -> Iterator[tuple[str, bytes]]:
    """Yield each state of the page with a name; the assets are those of this checkout."""
    made = Pages(lambda name: (FOLDER / name).as_uri())
    yield "quiet", made.index(acme.quiet(), acme.uptime(), NOW)
    yield "outage", made.index(acme.outage(), acme.uptime(outage_today=True), NOW)
    yield "maintenance", made.index(acme.in_maintenance(), acme.uptime(), NOW)
    panel = made.index(acme.quiet(), acme.uptime(), NOW)
    yield (
        "panel",
        panel.replace(b'id="subscribe"', b'id="subscribe" open').replace(b'value="some"', b'value="some" checked'),
    )
    yield "empty", made.index(acme.empty(), {}, NOW)
    yield "incident", made.incident(acme.outage(), acme.open_outage())
    yield "postmortem", made.incident(acme.outage(), acme.past_incidents()[1])
    yield "history", made.history(acme.outage(), 1, NOW) or b""
    yield "subscribe", made.subscribe(acme.outage(), "That is not an email address.")
    yield "confirm", made.confirm(acme.outage(), "/confirm/token")
    yield "error", made.error(None, 500)


def take(html: bytes, target: Path, *, width: int, height: int, dark: bool = False) -> None:
    """Write a PNG of a page."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "page.html"
        source.write_bytes(html.replace(b'data-stream="/events/stream"', b""))
        theme = ["--blink-settings=preferredColorScheme=0"] if dark else ["--blink-settings=preferredColorScheme=1"]
        subprocess.run(
            [program("chromium"), *FLAGS, *theme, f"--user-data-dir={folder}/profile", f"--window-size={width},{height}",
             f"--screenshot={target}", source.as_uri()],
            check=True, capture_output=True, timeout=120, env=os.environ | {"TZ": "Europe/Berlin"},
        )  # fmt: skip


def main() -> None:
    """Take the pictures that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--readme", action="store_true")
    parser.add_argument("--only", nargs="*", default=[])
    asked = parser.parse_args()
    if asked.readme:
        take(dict(pages())["outage"], README_PICTURE, width=1280, height=1094)
    for name, html in pages() if asked.folder else ():
        for label, width in WIDTHS.items():
            for dark in (False, True):
                if not asked.only or name in asked.only:
                    target = asked.folder / f"{name}-{label}{'-dark' if dark else ''}.png"
                    take(html, target, width=width, height=2000 if label == "wide" else 3200, dark=dark)


if __name__ == "__main__":
    main()
