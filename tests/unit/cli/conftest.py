from collections.abc import Callable, Iterator

import pytest
from typer.testing import CliRunner, Result

from tests.unit.cli.api import FakeApi, serving
from tocsin.cli import app

Run = Callable[..., Result]


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with serving() as fake:
        yield fake


@pytest.fixture
def run(api: FakeApi) -> Run:
    """Run a command against the fake server, as an operator of the page acme."""
    environment = {"TOCSIN_SERVER": api.url, "TOCSIN_TOKEN": "ops-secret", "TOCSIN_PAGE": "acme", "COLUMNS": "200"}

    def invoke(*words: str, env: dict[str, str | None] | None = None) -> Result:
        return CliRunner(env={**environment, **(env or {})}).invoke(app, list(words), catch_exceptions=False)

    return invoke
