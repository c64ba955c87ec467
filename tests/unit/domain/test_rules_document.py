"""docs/rules.md and the tests that hold it name each other: no table without its test, no test of the rules unmentioned."""

import re
from pathlib import Path

HERE = Path(__file__).parent
DOCS = HERE.parents[2] / "docs"
RULES = (DOCS / "rules.md").read_text("utf-8")
TESTS = {path.name: path.read_text("utf-8") for path in HERE.glob("test_*.py") if path.name != Path(__file__).name}


def test_every_test_that_it_names_is_there() -> None:
    assert set(re.findall(r"test_\w+\.py", RULES)) <= TESTS.keys()
    classes = set(re.findall(r"class (Test\w+)", "\n".join(TESTS.values())))
    assert set(re.findall(r"`(Test\w+)`", RULES)) <= classes


def test_every_test_of_the_domain_is_named() -> None:
    named = set(re.findall(r"test_\w+\.py", RULES + (DOCS / "status.md").read_text("utf-8")))
    assert TESTS.keys() <= named


def test_every_section_names_its_tests() -> None:
    sections = re.split(r"^## ", RULES, flags=re.MULTILINE)[1:]
    assert [section.split("\n")[0] for section in sections if "test_" not in section] == []
