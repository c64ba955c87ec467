"""The embedded log on a disk that fills up, under load: what was accepted stays, what is refused is refused honestly.

A small file system in memory where the test may mount one; elsewhere a limit on the size of the server's files.
"""

import os
import resource
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import disk_usage, which

import httpx

from tests.builders.alertmanager import alert, body
from tests.faults.schedule import Report
from tests.kill.evidence import Said
from tests.kill.invariants import Judgement, judge
from tests.kill.siege import Siege, siege
from tests.parts.processes import wait_for
from tests.parts.tocsin import Tocsin

CHANNEL = "webhook"
_SIZE = 96 << 20
_LEFT = 256 << 10
_FULL_SECONDS = 3.0
_AFTERWARDS_SECONDS = 2.0


class Disk(ABC):
    """Where the data folder lies."""

    @abstractmethod
    def fill(self, tocsin: Tocsin) -> None:
        """Leave next to no room."""

    @abstractmethod
    def make_room(self, tocsin: Tocsin) -> None:
        """Let it be as large as it was."""


class SmallDisk(Disk):
    """A file system of its own, in which a file that means nothing takes the room: writes fail with ENOSPC."""

    def __init__(self, folder: Path) -> None:
        self._ballast = folder / "ballast"

    def fill(self, tocsin: Tocsin) -> None:
        with self._ballast.open("wb", buffering=0) as out:
            # The server writes meanwhile: in pieces, until there is none left to take.
            while disk_usage(self._ballast.parent).free > _LEFT:
                out.write(bytes(_LEFT // 4))

    def make_room(self, tocsin: Tocsin) -> None:
        self._ballast.unlink()


class SmallFiles(Disk):
    """A limit for the server's files, which it cannot tell from a disk that is full: writes fail with EFBIG."""

    def fill(self, tocsin: Tocsin) -> None:
        largest = max(each.stat().st_size for each in tocsin.data.iterdir())
        self._limit(tocsin, largest + _LEFT)

    def make_room(self, tocsin: Tocsin) -> None:
        if tocsin.is_alive:
            self._limit(tocsin, resource.RLIM_INFINITY)

    def _limit(self, tocsin: Tocsin, size: int) -> None:
        resource.prlimit(tocsin.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@contextmanager
def small_disk(folder: Path) -> Iterator[Disk]:
    """Yield a disk that can be filled, mounted at ``folder`` where that is allowed."""
    folder.mkdir(parents=True)
    mount, umount = which("mount"), which("umount")
    mounted = (
        os.geteuid() == 0
        and mount is not None
        and umount is not None
        and subprocess.run([mount, "-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", folder], check=False).returncode == 0
    )
    try:
        yield SmallDisk(folder) if mounted else SmallFiles()
    finally:
        if mounted:
            assert umount is not None
            subprocess.run([umount, folder], check=True)


@dataclass(frozen=True)
class Refusals:
    """What alerts were answered while the disk was full, by status; ``patient`` of the 503s said when to come again.

    ``page`` is the status that the status page had meanwhile.
    """

    answers: dict[int, int]
    patient: int
    page: int


@dataclass(frozen=True)
class Outcome:
    """What the judge found, and what was answered each time that the disk was full."""

    judged: Judgement
    refusals: tuple[Refusals, ...]

    @property
    def counts(self) -> dict[str, int]:
        """What is to be printed."""
        refused = sum(each.patient for each in self.refusals)
        return {"times full": len(self.refusals), "refused with 503 and Retry-After": refused, **self.judged.counts}


class Filled:
    """A siege whose disk fills up and gets room again."""

    def __init__(self, made: Siege, disk: Disk, report: Report) -> None:
        self._made = made
        self._disk = disk
        self._report = report
        self._asked = 0
        self.said: set[Said] = set()
        self.acknowledged: set[Said] = set()

    def fill_up(self) -> Refusals:
        """Fill the disk, and ask while it is full."""
        self._disk.fill(self._made.tocsin)
        wait_for("a refusal", lambda: self._ask().status_code == 503)
        self._report("the disk is full")
        answers: dict[int, int] = {}
        patient, until = 0, time.monotonic() + _FULL_SECONDS
        while time.monotonic() < until:
            answer = self._ask()
            answers[answer.status_code] = answers.get(answer.status_code, 0) + 1
            patient += answer.status_code == 503 and "retry-after" in answer.headers
        page = self._made.tocsin.http.get("/api/v2/summary.json").status_code
        return Refusals(answers, patient, page)

    def make_room(self) -> None:
        """Make room, and return when alerts are taken again."""
        self._disk.make_room(self._made.tocsin)
        wait_for("an alert to be taken again", lambda: self._ask().status_code == 202)
        self._report("there is room again, and alerts are taken")
        time.sleep(_AFTERWARDS_SECONDS)

    def kill(self) -> None:
        """Kill the server while the disk is full, and start it when there is room."""
        self._made.tocsin.kill()
        self._made.kills += 1
        self._disk.make_room(self._made.tocsin)
        self._made.tocsin.start()
        self._report("killed on a full disk, and started with room")
        time.sleep(_AFTERWARDS_SECONDS)

    def _ask(self) -> httpx.Response:
        """Post an alert that no rule matches: it changes nothing that the judge looks at."""
        self._asked += 1
        sent = alert("nobody", pod=f"probe-{self._asked}")
        answer = self._made.tocsin.ingest("prom", body([sent]), "prom-secret")
        self.said.add(Said(sent.fingerprint, sent.status))
        if answer.status_code == 202:
            self.acknowledged.add(Said(sent.fingerprint, sent.status))
        return answer


def run(folder: Path, seed: int, report: Report) -> Outcome:
    """Fill the disk twice, the second time with a kill, and judge what is left."""
    with small_disk(folder / "data") as disk, siege(folder, CHANNEL, seed) as made:
        report(f"the embedded log on {type(disk).__name__}")
        filled = Filled(made, disk, report)
        time.sleep(_AFTERWARDS_SECONDS)
        first = filled.fill_up()
        filled.make_room()
        second = filled.fill_up()
        filled.kill()
        evidence = made.end()
        said, acknowledged = evidence.said | filled.said, evidence.acknowledged | filled.acknowledged
        found = judge(replace(evidence, said=said, acknowledged=acknowledged))
        broken = list(found.broken)
        assert made.tocsin.stop() == 0, made.tocsin.printed()
        for words in (("replay", "--check"), ("log", "verify")):
            code, printed = made.tocsin.run(*words, "--data", made.tocsin.data)
            if code:
                broken.append(f"{' '.join(words)}: {printed}")
    refusals = (first, second)
    return Outcome(Judgement(found.counts, (*broken, *_dishonest(refusals))), refusals)


def _dishonest(refusals: Iterable[Refusals]) -> Iterator[str]:
    for each in refusals:
        # What is small may find room where what is large does not; then it is kept, as the judge sees.
        if not each.answers.keys() <= {202, 503} or each.patient != each.answers.get(503):
            yield f"on a full disk requests were answered {each.answers}, {each.patient} with Retry-After"
        if each.page != 200:
            yield f"on a full disk the page was answered {each.page}"
