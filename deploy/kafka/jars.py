"""Fetches the jars that Apache Kafka needs, by Maven, and vouches for them; it starts nothing."""

import shutil
import subprocess
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from deploy.errors import PartUnavailableError
from deploy.turns import one_at_a_time

HERE = Path(__file__).parent
POM = HERE / "pom.xml"
CHECKSUMS = HERE / "jars.sha256"
CACHE = HERE.parent.parent / ".parts" / "kafka" / "libs"


def expected() -> dict[str, str]:
    """Return the SHA-256 of each jar by file name, as committed."""
    pairs = (line.split() for line in CHECKSUMS.read_text("utf-8").splitlines())
    return {name: digest for digest, name in pairs}


def fetch(cache: Path = CACHE) -> Path:
    """Return the folder that holds exactly the committed jars, fetched if need be; raises PartUnavailableError."""
    _require("java")
    with one_at_a_time(cache.parent):
        if digests(cache) != expected():
            _require("mvn")
            _download(cache)
            _verify(cache, expected())
    return cache


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each jar in ``folder`` by file name."""
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.jar"))}


def _require(program: str) -> None:
    if shutil.which(program) is None:
        raise PartUnavailableError(f"it needs Java 17 and Maven, and there is no {program}")


def _download(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder.resolve()}"]
    done = subprocess.run(["mvn", "-q", "-B", "-f", str(POM), *goal], capture_output=True, text=True, check=False)
    if done.returncode:
        raise PartUnavailableError(f"Maven could not fetch Apache Kafka:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def _verify(folder: Path, wanted: Mapping[str, str]) -> None:
    found = digests(folder)
    wrong = sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))
    if wrong:
        raise PartUnavailableError(f"these jars are not what deploy/kafka/jars.sha256 names: {', '.join(wrong)}")
