"""One real schema registry for a whole test run, started when the first test asks for it."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from deploy.errors import PartUnavailableError
from deploy.registry.server import Registry
from tests.parts.need import unavailable


@cache
def shared_registry() -> Registry:
    """Return the running registry; without Java and Maven the test that asks is skipped, in CI it fails."""
    folder = Path(tempfile.mkdtemp(prefix="tocsin-registry-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    registry = new_registry(folder).start()
    atexit.register(registry.kill)  # runs before the cleanup; nobody reads its data again
    return registry


def new_registry(folder: Path) -> Registry:
    """Return a registry of the test's own, not yet started."""
    try:
        return Registry(folder)
    except PartUnavailableError as error:
        unavailable(f"Apicurio Registry: {error}")
