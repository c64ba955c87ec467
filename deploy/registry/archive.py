"""Fetches Apicurio Registry by Maven, and vouches for it; it starts nothing."""

import shutil
import subprocess
import tarfile
from hashlib import sha256
from pathlib import Path

from deploy.errors import PartUnavailableError
from deploy.turns import one_at_a_time

VERSION = "3.0.9"
"""The newest on Maven Central that runs on Java 17, as Kafka does."""
SHA256 = "2b28181501a20cbf6efcd77f9b7153908fc01f3d3a7c32024c0bd9e1b04c8a43"
RUNNER = f"apicurio-registry-app-{VERSION}-runner.jar"
CACHE = Path(__file__).parents[2] / ".parts" / "registry"
# Later versions of the plugin read the descriptors of a file's parents too, of which not all are on Maven Central.
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:2.10:copy"
_ARTIFACT = f"io.apicurio:apicurio-registry-app:{VERSION}:tar.gz:all"


def fetch(cache: Path = CACHE) -> Path:
    """Return the unpacked registry's runnable jar, fetched if need be; raises PartUnavailableError."""
    _require("java")
    # Named by the checksum: what lies there was checked when it was unpacked.
    folder = cache / f"apicurio-{VERSION}-{SHA256[:12]}"
    with one_at_a_time(cache):
        if not folder.exists():
            _require("mvn")
            _unpack(_download(cache / "archive"), folder)
    return folder / RUNNER


def _require(program: str) -> None:
    if shutil.which(program) is None:
        raise PartUnavailableError(f"it needs Java 17 and Maven, and there is no {program}")


def _download(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    command = ["mvn", "-q", "-B", _COPY, f"-Dartifact={_ARTIFACT}", f"-DoutputDirectory={folder.resolve()}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PartUnavailableError(f"Maven could not fetch {_ARTIFACT}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    [archive] = folder.iterdir()
    return archive


def _unpack(archive: Path, folder: Path) -> None:
    with archive.open("rb") as file:
        found = sha256(file.read()).hexdigest()
    if found != SHA256:
        raise PartUnavailableError(f"{archive.name} is not what deploy/registry names: its SHA-256 is {found}")
    unfinished = folder.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    with tarfile.open(archive) as packed:
        packed.extractall(unfinished, filter="data")
    unfinished.rename(folder)
    shutil.rmtree(archive.parent)
