from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.acceptance.story.town import Install, Town, town
from tests.parts.tocsin import Tocsin, example


@pytest.fixture(
    scope="package",
    params=["embedded", pytest.param("distributed", marks=[pytest.mark.kafka, pytest.mark.redis])],
)
def install(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Install]:
    """Tell the story on both engines: one process over a folder, and workers over a real Kafka and a real Redis."""
    if request.param == "embedded":
        yield Tocsin
        return
    from tests.parts.fleet import Fleet
    from tests.parts.kafka import shared_broker
    from tests.parts.redis import new_redis

    servers = shared_broker().servers
    with new_redis(tmp_path_factory.mktemp("redis")) as redis:

        def make(folder: Path, configuration: str, environment: Mapping[str, str]) -> Tocsin:
            return Fleet(folder, configuration, environment, servers, redis.url)

        yield make


@pytest.fixture(scope="package")
def quiet_town(tmp_path_factory: pytest.TempPathFactory, install: Install) -> Iterator[Callable[[], Town]]:
    """Run the example as it is packaged. Chapters share it; one that breaks off leaves a new one to the next."""
    with ExitStack() as towns:
        made = towns.enter_context(town(tmp_path_factory.mktemp("story"), example(), install))

        def give() -> Town:
            nonlocal made
            if not made.is_quiet():
                towns.close()
                made = towns.enter_context(town(tmp_path_factory.mktemp("story"), example(), install))
            return made

        yield give


@pytest.fixture
def acme(quiet_town: Callable[[], Town]) -> Town:
    """Begin a chapter: nothing is open, and mails are counted from here."""
    found = quiet_town()
    found.begin()
    return found
