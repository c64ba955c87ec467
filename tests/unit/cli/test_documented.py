"""docs/cli.md has a section for each command, which names each of its options and no other."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.core import TyperGroup

from tocsin.cli import app

PAGE = (Path(__file__).parents[3] / "docs" / "cli.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^### `tocsin ([a-z ]+)`\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))
SHARED = {"--help", "--server", "--token", "--page", "--json", "--idempotency-key"}
OPTION = re.compile(r"--[a-z][a-z-]*")


def commands(group: TyperGroup, above: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from commands(command, (*above, name))
        else:
            yield " ".join((*above, name)), command


ROOT = typer.main.get_command(app)
assert isinstance(ROOT, TyperGroup)
COMMANDS = dict(commands(ROOT))


def test_every_command_is_documented_and_nothing_else() -> None:
    assert sorted(SECTIONS) == sorted(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_documented_with_its_options(name: str) -> None:
    known = {option for parameter in COMMANDS[name].params for option in parameter.opts if option.startswith("--")}
    said = set(OPTION.findall(SECTIONS.get(name, "")))
    assert known - SHARED <= said <= known


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_what_it_does(name: str) -> None:
    assert COMMANDS[name].help


def test_the_shared_options_are_documented() -> None:
    assert SHARED - {"--help"} <= set(OPTION.findall(PAGE))
