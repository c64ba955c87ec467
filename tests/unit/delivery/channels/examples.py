"""The examples in docs/channels.md: settings of every channel, by its name."""

import re
from pathlib import Path
from typing import Any

import yaml

TEXT = (Path(__file__).parents[4] / "docs" / "channels.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    """Return the code blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


WRITTEN: list[tuple[str, Any]] = [
    (name, given) for block in map(yaml.safe_load, blocks("yaml")) for name, given in block["channels"].items()
]
"""Every example, in the order of the document: a channel with two providers has two."""
EXAMPLES: dict[str, Any] = dict(reversed(WRITTEN))
"""The first example of each."""
