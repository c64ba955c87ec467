"""Tests that share what is dear to set up stay together, and what takes long begins first."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.groups import LONG, group_of, rank_of

ROOT = Path(__file__).parents[2]
TEST = """
import os
import pytest

@pytest.mark.parametrize("number", range(40))
def test_it(number):
    with open("ran", "a") as file:
        file.write(f"{__name__} {os.getpid()}\\n")
"""


@pytest.mark.parametrize(
    ("nodeid", "group"),
    [
        ("tests/unit/web/test_page.py::test_it", "unit/web/test_page.py"),
        ("tests/contract/log/test_read.py::test_it[kafka]", "contract/log/test_read.py"),
        ("tests/integration/kafka/test_fleet.py::test_it", "integration/kafka"),
        ("tests/acceptance/test_demo.py::test_it", "acceptance/test_demo.py"),
        ("tests/acceptance/story/test_alerts.py::test_it[distributed]", "acceptance/story[distributed]"),
        ("tests/acceptance/story/test_sign_up.py::test_it[embedded-wanted0]", "acceptance/story[embedded]"),
        ("tests/kill/test_kill.py::test_it[email-the body of an event]", "kill/test_kill.py[email]"),
        ("tests/kill/matrix/test_matrix.py::test_it[sms (callbacks)]", "kill/matrix[sms (callbacks)]"),
        ("tests/kill/matrix/test_matrix.py::test_every_class_is_tried", "kill/matrix"),
    ],
)
def test_a_group_is_a_file_or_a_folder_of_shared_parts(nodeid: str, group: str) -> None:
    assert group_of(nodeid) == group


@pytest.mark.parametrize("name", LONG)
def test_what_takes_long_exists_and_begins_before_the_rest(name: str) -> None:
    assert (ROOT / "tests" / name.partition("[")[0]).exists()
    assert rank_of(name) < rank_of("unit/web/test_page.py")


def test_processes_get_whole_groups(tmp_path: Path) -> None:
    names = [f"test_{letter}" for letter in "abcd"]
    for name in names:
        (tmp_path / f"{name}.py").write_text(TEST, "utf-8")
    (tmp_path / "conftest.py").write_text("from tests.conftest import pytest_xdist_make_scheduler\n", "utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", "utf-8")
    run = [sys.executable, "-m", "pytest", "-q", "-n", "2"]
    done = subprocess.run(run, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    ran = {tuple(line.split()) for line in (tmp_path / "ran").read_text("utf-8").splitlines()}
    assert len(ran) == len(names), "each file in one process"
    assert len({process for _, process in ran}) == 2
