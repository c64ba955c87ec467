"""docs/tutorial.md, done as it says: every command in it, in order, with free ports in place of the usual ones."""

import os
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.parts.processes import ask, free_port, running, wait_for

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"
BLOCKS = re.findall(r"^```sh( background)?\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
USUAL = {"8080": "page", "8025": "mailbox", "2525": "smtp"}
PROGRAMS = {"tocsin mailbox": "--port 8025 --smtp-port 2525", "tocsin up": "--port 8080"}
READY = {"tocsin mailbox": "http://127.0.0.1:8025/mails.json", "tocsin up": "http://127.0.0.1:8080/readyz"}
MAILS_AFTER = {"firing.*critical.*Checkout": 1, "incident update": 2, '"status": "resolved"': 3, "draft approve": 4}
"""What a reader sees in the mailbox before going on."""
WORDS = ("1 would be told: email 1", '"accepted":1', "approval", "+ component mails (Order mails)")


class Reader:
    """Does what the tutorial says. Variables of a block are kept for the blocks after it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = {name: free_port() for name in USUAL.values()}
        self.environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "TOCSIN_SERVER": self.moved("http://127.0.0.1:8080"),
        }
        self.output = ""
        self.catches_mail = False

    def moved(self, text: str) -> str:
        """Put free ports in place of the usual ones."""
        for usual, name in USUAL.items():
            text = re.sub(rf"\b{usual}\b", str(self._ports[name]), text)
        return text

    def start(self, block: str, programs: ExitStack) -> None:
        name = next(name for name in PROGRAMS if block.startswith(name))
        script = f"cd {self._folder}; exec {self.moved(f'{block.strip()} {PROGRAMS[name]}')}"
        log = self._folder / f"{name.rpartition(' ')[2]}.log"
        ready = self.moved(READY[name])
        self.catches_mail = True
        programs.enter_context(running(["bash", "-c", script], ready=ready, log=log, environment=self.environment))

    def run(self, block: str) -> None:
        kept = self._folder / ".variables"
        keep = f"declare -p | grep -E '^declare -[-x] (TOCSIN_TOKEN|INCIDENT|DRAFT)=' > {kept} || true"
        script = f"set -eu; touch {kept}; . {kept}\n{self.moved(block)}\n{keep}"
        done = subprocess.run(
            ["bash", "-c", script], cwd=self._folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
        self.output += done.stdout

    def mails(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = ask(self.moved("http://127.0.0.1:8025/mails.json")).json()["mails"]
        return found

    def drafts(self) -> list[Any]:
        headers = {"Authorization": "Bearer your-secret"}
        found: list[Any] = ask(self.moved("http://127.0.0.1:8080/api/v1/pages/shop/drafts"), headers=headers).json()
        return found

    def look(self, block: str) -> None:
        """Wait as a reader does, until what the block brings about can be seen."""
        expected = max((count for done, count in MAILS_AFTER.items() if re.search(done, block, re.DOTALL)), default=0)
        wait_for(f"mail {expected}", lambda: len(self.mails()) >= expected)
        if '"id": "search"' in block:
            wait_for("the draft", lambda: self.drafts() or None)


def test_the_tutorial_works_as_it_is_written(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    with ExitStack() as programs:
        for background, block in BLOCKS:
            if background:
                reader.start(block, programs)
            else:
                reader.run(block)
                if reader.catches_mail:
                    reader.look(block)
        mails = reader.mails()
    assert {to for mail in mails for to in mail["to"]} == {"ada@shop.example"}
    assert len(mails) == 4
    assert [words for words in WORDS if words not in reader.output] == []
