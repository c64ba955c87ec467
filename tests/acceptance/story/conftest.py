from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.acceptance.story.town import Town, town
from tests.parts.tocsin import example


@pytest.fixture(scope="package")
def quiet_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Town]]:
    """Run the example as it is packaged. Chapters share it; one that breaks off leaves a new one to the next."""
    with ExitStack() as towns:
        made = towns.enter_context(town(tmp_path_factory.mktemp("story"), example()))

        def give() -> Town:
            nonlocal made
            if not made.is_quiet():
                towns.close()
                made = towns.enter_context(town(tmp_path_factory.mktemp("story"), example()))
            return made

        yield give


@pytest.fixture
def acme(quiet_town: Callable[[], Town]) -> Town:
    """Begin a chapter: nothing is open, and mails are counted from here."""
    found = quiet_town()
    found.begin()
    return found
