"""Loads a configuration whole or says all that is wrong with it; the environment is passed in, nothing is guessed."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from tocsin.config.checks import check
from tocsin.config.document import MAX_BYTES, Document, read_document
from tocsin.config.models import Config
from tocsin.config.problems import ConfigError, KeyPath, Place, Problem
from tocsin.config.validate import Finding, assemble, validate

EXAMPLE = "example.yaml"
ENGINE_VARIABLES = {"kafka": "TOCSIN_KAFKA", "redis": "TOCSIN_REDIS", "registry": "TOCSIN_REGISTRY"}
"""What the environment says of the engine stands above the file: one file serves several clusters."""


def load(path: Path, environment: Mapping[str, str]) -> Config:
    """Load the file at ``path``; raises ConfigError, also where it cannot be read."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError([Problem(str(path), (), None, f"cannot be read: {error.strerror}")]) from error
    return parse(content, str(path), environment)


def load_example(environment: Mapping[str, str]) -> Config:
    """Load the example that comes with the package."""
    content = (files("tocsin") / "data" / EXAMPLE).read_bytes()
    return parse(content, EXAMPLE, environment)


def parse(content: bytes, name: str, environment: Mapping[str, str]) -> Config:
    """Load a file's content; ``name`` stands for the file in messages. Raises ConfigError."""
    if len(content) > MAX_BYTES:
        raise ConfigError([Problem(name, (), None, f"expected at most {MAX_BYTES} bytes")])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = Place(content.count(b"\n", 0, error.start) + 1)
        raise ConfigError([Problem(name, (), place, "expected UTF-8")]) from error
    document = read_document(text, environment)
    if isinstance(document.data, dict):
        _override(document, environment)
    problems = [Problem(name, path, place, message) for path, place, message in document.errors]
    if not isinstance(document.data, dict):
        raise ConfigError(problems)
    pieces = validate(document.data)
    said = {path for path, _, _ in document.errors if path}
    broken = {finding.path for finding in pieces.findings}
    findings = [*pieces.findings, *(one for one in check(pieces) if one.path not in broken)]
    problems += [_problem(name, document, one) for one in findings if not said.intersection(_prefixes(one.path))]
    if problems:
        raise ConfigError(problems)
    return assemble(pieces)


def _override(document: Document, environment: Mapping[str, str]) -> None:
    """Put what the environment says of the engine in the place of what the file says; an empty variable says nothing."""
    given = {key: name for key, name in ENGINE_VARIABLES.items() if environment.get(name)}
    section = document.data.setdefault("engine", {}) if given else None
    if not isinstance(section, dict):
        return  # absent, or no mapping: that is found by the checks
    for key, name in given.items():
        section[key] = environment[name]
        line = document.place(("engine", key)).line
        document.places["engine", key] = Place(line, (f"environment variable {name}",))
        document.errors = [error for error in document.errors if error[0] != ("engine", key)]


def _prefixes(path: KeyPath) -> list[KeyPath]:
    return [path[:length] for length in range(len(path) + 1)]


def _problem(name: str, document: Document, finding: Finding) -> Problem:
    """Say what was found only where it stood in the file: what the environment holds may be secret."""
    place = document.place(finding.path)
    got = f", got {finding.found}" if finding.found and not place.origins else ""
    return Problem(name, finding.path, place, finding.message + got)
