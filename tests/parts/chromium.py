"""A real Chromium for tests, as it is told to start where there is no desktop and nothing beyond this machine."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, expect, sync_playwright

from tests.parts.need import need

_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
_PATIENCE = 120_000
"""Milliseconds after which something is taken for never happening: no measure of how quick it should be."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run one; skip, or fail in CI, where there is none."""
    executable = need("chromium")
    expect.set_options(timeout=_PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=_FLAGS)
        yield browser
        browser.close()
