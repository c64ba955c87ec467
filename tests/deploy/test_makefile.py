"""``make help`` lists what there is, and what it says of ports is so."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "Makefile").read_text("utf-8")
TARGETS = TEXT.split(".PHONY: ")[1].splitlines()[0].split()


def make(*words: str) -> str:
    return subprocess.run(["make", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_help_lists_every_target_and_no_other() -> None:
    assert sorted(re.findall(r"^  make (\w+)", make("help"), re.MULTILINE)) == sorted(TARGETS)


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_can_be_made(target: str) -> None:
    assert make("--dry-run", "--old-file=.venv/.installed", target)


@pytest.mark.parametrize("server", ["kafka", "redis"])
def test_a_server_listens_where_help_says(server: str) -> None:
    [port] = re.findall(rf"make {server} .*127\.0\.0\.1:(\d+)", make("help"))
    source = (ROOT / "deploy" / server / "__main__.py").read_text("utf-8")
    assert f'"--port", type=int, default={port}' in source


def test_ci_makes_what_a_person_makes() -> None:
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    [targets] = re.findall(r"^make (.+)$", script, re.MULTILINE)
    assert set(targets.split()) <= set(TARGETS)
    assert 'export CI="${CI:-true}"' in script


def test_the_servers_are_run_by_the_modules_that_make_names() -> None:
    for module in re.findall(r"-m (deploy\.\w+)", TEXT):
        done = subprocess.run(
            [sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert "--data" in done.stdout
