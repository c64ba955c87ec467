"""Reads docker-compose.yml as Compose does: anchors merged, ``${...}`` filled in from an environment."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"
_VARIABLE = re.compile(r"\$\{(\w+)(?:(:-|:\?)([^}]*))?\}|\$\$")


class MissingVariableError(ValueError):
    """Compose would refuse the file: a variable that must be set is not."""


def example() -> dict[str, str]:
    """Return the variables of .env.example, empty ones included."""
    lines = (ROOT / ".env.example").read_text("utf-8").splitlines()
    pairs = (line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return {name: value for name, value in pairs}  # noqa: C416 -- dict() of lists of str is not what mypy takes


def variables() -> dict[str, str]:
    """Return each variable that the file reads, with how: ``:?`` must be set, ``:-`` has a default."""
    return {match[1]: match[2] for match in _VARIABLE.finditer(FILE.read_text("utf-8")) if match[1]}


def read(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the whole document; raises MissingVariableError."""
    document: dict[str, Any] = _filled(yaml.safe_load(FILE.read_text("utf-8")), environment)
    return document


def _filled(value: Any, environment: Mapping[str, str]) -> Any:
    match value:
        case str():
            return _VARIABLE.sub(lambda match: _looked_up(match, environment), value)
        case list():
            return [_filled(item, environment) for item in value]
        case dict():
            return {key: _filled(item, environment) for key, item in value.items()}
        case _:
            return value


def _looked_up(match: re.Match[str], environment: Mapping[str, str]) -> str:
    if match[0] == "$$":
        return "$"
    name, how, text = match.groups()
    value = environment.get(name, "")
    if not value and how == ":?":
        raise MissingVariableError(f"{name}: {text}")
    return value or (text if how == ":-" else "")
