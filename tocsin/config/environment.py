"""``${NAME}`` in a text: replaced from a mapping that is passed in; the process's own environment is not read here."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_REFERENCE = re.compile(r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|\$\{(?P<broken>)")
EXPECTED = "${NAME} or ${NAME:-default} ($${ stands for a plain ${)"


@dataclass(frozen=True)
class Substituted:
    """A text after substitution, where its parts came from, and what was wrong with it."""

    text: str
    origins: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()


def substitute(text: str, environment: Mapping[str, str]) -> Substituted:
    """Replace each ``${NAME}``; like a shell, ``:-`` also stands in for a variable that is set to nothing."""
    if "${" not in text:
        return Substituted(text)
    origins: list[str] = []
    errors: list[str] = []

    def replace(found: re.Match[str]) -> str:
        name, default = found["name"], found["default"]
        if found["broken"] is not None:
            errors.append(f"expected {EXPECTED}")
        if name is None:
            return "${"
        value = environment.get(name)
        if value or (value is not None and default is None):
            origins.append(f"environment variable {name}")
            return value
        if default is not None:
            origins.append(f"the default of ${{{name}}}")
            return default
        errors.append(f"expected environment variable {name} to be set, or a default: ${{{name}:-default}}")
        return ""

    return Substituted(_REFERENCE.sub(replace, text), tuple(origins), tuple(errors))
