import re
from pathlib import Path

import pytest

from tocsin.config import parse
from tocsin.config.table import Setting, settings

PAGE = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
DOCUMENTED = re.findall(r"^\| `([a-z_]+(?:\[\])?\.[^`]+)` \|", PAGE, re.MULTILINE)


def key_of(setting: Setting) -> str:
    return setting.key


@pytest.mark.parametrize("setting", settings(), ids=key_of)
def test_a_setting_is_documented_as_it_is(setting: Setting) -> None:
    row = f"| `{setting.key}` | {setting.expected} | {setting.default} | {setting.description} |"
    assert row in PAGE.splitlines()


def test_nothing_else_is_documented() -> None:
    assert [setting.key for setting in settings()] == DOCUMENTED


@pytest.mark.parametrize("setting", settings(), ids=key_of)
def test_a_setting_says_what_it_is_for(setting: Setting) -> None:
    assert setting.description.endswith(".")
    assert "|" not in setting.expected + setting.description


def test_the_examples_are_together_a_complete_file_that_uses_every_setting() -> None:
    config = parse("".join(EXAMPLES).encode(), "configuration.md", {})
    assert config.model_fields_set == set(type(config).model_fields)
    used = "".join(EXAMPLES)
    unused = [setting.key for setting in settings() if not re.search(rf"\b{setting.key.rpartition('.')[2]}:", used)]
    assert unused == []
