"""The embedded log on a disk that is full, and one that is full when the process is killed."""

from pathlib import Path

import pytest

from tests.faults import disk
from tests.faults.report import of_disk

pytestmark = pytest.mark.slow


def test_what_was_accepted_survives_a_full_disk_and_what_is_refused_is_told_to_come_again(tmp_path: Path) -> None:
    found = disk.run(tmp_path, 1, print)
    print(f"\n{of_disk(found)}")
    assert not found.judged.broken, "\n".join(found.judged.broken)
    assert found.counts["alerts"] > 50
    assert all(each.answers[503] > 5 for each in found.refusals)
