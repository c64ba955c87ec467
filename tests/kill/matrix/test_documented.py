"""The table in docs/delivery.md has a line for each class of channels and each failpoint there is, and nothing is broken in it."""

from pathlib import Path

from streams.runtime.failpoints import NAMES
from tests.kill.matrix.roads import classes
from tests.kill.matrix.table import of_classes
from tests.kill.matrix.verdict import COUNTS, MUST_BE_ZERO

TEXT = (Path(__file__).parents[3] / "docs" / "delivery.md").read_text("utf-8")


def marked(name: str) -> str:
    """Return what stands between the markers of a table."""
    return TEXT.partition(f"<!-- {name} -->\n")[2].partition(f"\n<!-- end of {name} -->")[0].strip()


def lines_of(table: str) -> list[dict[str, str]]:
    head, _, *lines = ([cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines())
    return [dict(zip(head, line, strict=True)) for line in lines]


def test_the_classes_are_those_that_there_are() -> None:
    assert marked("classes") == of_classes(classes())


def test_every_class_stands_there_with_every_failpoint() -> None:
    *lines, sums = lines_of(marked("kill matrix"))
    assert [(line["class"], line["failpoint"]) for line in lines] == [
        (kind, f"`{failpoint}`") for kind in classes() for failpoint in NAMES
    ]
    assert list(sums) == ["class", "failpoint", "kills", *COUNTS]
    for name in ("kills", *COUNTS):
        assert int(sums[name]) == sum(int(line[name]) for line in lines)


def test_nothing_is_lost_unaccounted_for_or_doubled_there() -> None:
    for line in lines_of(marked("kill matrix")):
        assert [line[name] for name in MUST_BE_ZERO] == ["0"] * len(MUST_BE_ZERO)
        if line["failpoint"]:
            assert int(line["planned"]) == sum(int(line[name]) for name in ("sent", "superseded", "failed", "in doubt"))
            assert int(line["kills"]) > 0
