import re
from pathlib import Path

import pytest

from tocsin.config import parse
from tocsin.config.table import Setting, settings

"""Every setting stands in the documentation as it is: those of channels in docs/channels.md, all others in docs/configuration.md."""

DOCS = Path(__file__).parents[3] / "docs"
PAGE, CHANNELS = ((DOCS / name).read_text("utf-8") for name in ("configuration.md", "channels.md"))
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
DOCUMENTED = re.findall(r"^\| `([a-z_]+(?:\[\])?\.[^`]+)` \|", PAGE + CHANNELS, re.MULTILINE)


def key_of(setting: Setting) -> str:
    return setting.key


def is_of_channel(setting: Setting) -> bool:
    return setting.key.startswith("channels.")


@pytest.mark.parametrize("setting", settings(), ids=key_of)
def test_a_setting_is_documented_as_it_is(setting: Setting) -> None:
    row = f"| `{setting.key}` | {setting.expected} | {setting.default} | {setting.description} |"
    assert row in (CHANNELS if is_of_channel(setting) else PAGE).splitlines()


def test_nothing_else_is_documented() -> None:
    of_channels = [setting.key for setting in settings() if is_of_channel(setting)]
    others = [setting.key for setting in settings() if not is_of_channel(setting)]
    documented = [key for key in DOCUMENTED if key.startswith("channels.")]
    assert [key for key in DOCUMENTED if key not in documented] == others
    assert sorted(documented) == sorted(of_channels)


@pytest.mark.parametrize("setting", settings(), ids=key_of)
def test_a_setting_says_what_it_is_for(setting: Setting) -> None:
    assert setting.description.endswith(".")
    assert "|" not in setting.expected + setting.description


def test_the_examples_are_together_a_complete_file_that_uses_every_setting() -> None:
    config = parse("".join(EXAMPLES).encode(), "configuration.md", {})
    assert config.model_fields_set == set(type(config).model_fields)
    used = "".join(EXAMPLES)
    unused = [
        setting.key
        for setting in settings()
        if not is_of_channel(setting) and not re.search(rf"\b{setting.key.rpartition('.')[2]}:", used)
    ]
    assert unused == []
