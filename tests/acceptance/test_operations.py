"""docs/operations.md, done as it says: every command in it, in order, on a real Kafka and Redis, with free ports."""

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Timer
from typing import IO, Any

import pytest
import yaml

from schemas.topics import TOPICS
from tests.parts.kafka import new_broker
from tests.parts.processes import PATIENCE, ask, free_port, running, wait_for
from tests.parts.redis import new_redis
from tests.parts.tocsin import example, example_with

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text("utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
USUAL = ("8080", "8081", "8082", "8083", "8084", "8085", "8090", "9092", "9093", "6379")
OPENED = re.compile(r'^tocsin incident open "([^"]+)"', re.MULTILINE)
ADMIN = {"name": "root", "role": "admin", "token": "admin-secret"}
UNHEARD = "Nobody hears of this"
_DONE = "--- block done ---"


class Operator:
    """One shell that does block after block; whatever it started and left running is ended with its group."""

    def __init__(self, folder: Path, mailbox: str, smtp: str) -> None:
        self._folder = folder
        self._mailbox = mailbox
        ports = {usual: str(free_port()) for usual in USUAL}
        self._moved = re.compile(rf"\b({'|'.join(ports)})\b")
        self._ports = ports
        self._log = folder / "shell.log"
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")},
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "SMTP_URL": smtp,
            "PAGE_URL": f"http://127.0.0.1:{ports['8080']}",
            "TOCSIN_SERVER": f"http://127.0.0.1:{ports['8080']}",
        }
        with self._log.open("wb") as errors:
            self._shell = subprocess.Popen(
                ["bash", "-eu"],
                cwd=folder, env=environment, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                start_new_session=True,
            )  # fmt: skip

    def do(self, block: str) -> str:
        """Do a block to its end and return what it printed; it must not fail."""
        asked, answered = _pipes(self._shell)
        script = self._moved.sub(lambda found: self._ports[found[0]], block)
        asked.write(f"{{\n{script}\n}} < /dev/null\nprintf '\\n{_DONE}\\n'\n")
        asked.flush()
        printed = ""
        hanging = Timer(4 * PATIENCE, self._shell.kill)
        hanging.start()
        try:
            for line in answered:
                if line.rstrip() == _DONE:
                    return printed
                printed += line
        finally:
            hanging.cancel()
        raise AssertionError(f"{block}\n{printed}{self._said()}")

    def subjects(self) -> list[str]:
        """Return what ada was told, in order."""
        mails: list[dict[str, Any]] = ask(f"{self._mailbox}/mails.json").json()["mails"]
        assert {to for mail in mails for to in mail["to"]} <= {"ada@shop.example"}
        return [mail["subject"] for mail in mails]

    def wait_for_mails(self, count: int) -> None:
        """Wait until ada was told as often."""
        wait_for(f"mail {count}", lambda: len(self.subjects()) >= count)

    def close(self) -> None:
        """End the shell and what it left running."""
        asked, answered = _pipes(self._shell)
        asked.close()
        with suppress(ProcessLookupError):
            os.killpg(self._shell.pid, signal.SIGKILL)
        self._shell.wait(30)
        answered.close()

    def _said(self) -> str:
        logs = sorted(self._folder.glob("*.log"))
        return "".join(f"\n--- {log.name}\n{log.read_text('utf-8', 'replace')[-2000:]}" for log in logs)


def _pipes(shell: "subprocess.Popen[str]") -> tuple[IO[str], IO[str]]:
    assert shell.stdin is not None
    assert shell.stdout is not None
    return shell.stdin, shell.stdout


@contextmanager
def operator(folder: Path) -> Iterator[Operator]:
    web, smtp = free_port(), free_port()
    tocsin = Path(sys.executable).with_name("tocsin")
    command: list[str | Path] = [tocsin, "mailbox", "--port", str(web), "--smtp-port", str(smtp)]
    url = f"http://127.0.0.1:{web}"
    configuration = example_with(operators=[*yaml.safe_load(example())["operators"], ADMIN])
    (folder / "tocsin.yaml").write_text(configuration, "utf-8")
    with running(command, ready=f"{url}/mails.json", log=folder / "mailbox.log"):
        one = Operator(folder, url, f"smtp://127.0.0.1:{smtp}")
        try:
            yield one
        finally:
            one.close()


@pytest.mark.slow
@pytest.mark.kafka
@pytest.mark.redis
def test_operations_work_as_they_are_written(tmp_path: Path) -> None:
    new_broker(tmp_path / "asked")  # whether there can be one; the document starts its own
    new_redis(tmp_path / "asked")
    told: list[str] = []
    with operator(tmp_path) as reader:
        for block in BLOCKS:
            reader.do(block)
            told += [f"[Acme Cloud] Investigating: {title}" for title in OPENED.findall(block) if title != UNHEARD]
            reader.wait_for_mails(len(told))
        assert Counter(reader.subjects()) == Counter(told), "nobody is told twice, whatever was lost and restored"
    assert len(told) == len(OPENED.findall(PAGE)) - 1 > 5


def test_the_table_of_topics_is_the_declared_one() -> None:
    rows = re.findall(r"^\| `(tocsin\.\w+)` \| (\d+) \| (for ever|\d+ days) \|$", PAGE, re.MULTILINE)
    declared = [
        (topic.name, str(topic.partitions), f"{topic.retention_days} days" if topic.retention_days else "for ever")
        for topic in TOPICS
    ]
    assert rows == declared
