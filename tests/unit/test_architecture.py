"""Rules of the house that import-linter and ruff cannot hold."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("schemas", "streams", "producers", "consumers", "tocsin")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
MOST_LINES = 400
CATALOGUES = {"schemas/events.py"}
"""Files that are one long list of declarations and better read in one piece."""

KAFKA_CLIENTS = {"kafka": "streams/log/kafka", "faust": "streams/runtime/faust_driver.py", "aiokafka": None}
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
CLOCKS = {("datetime", "now"), ("datetime", "today"), ("date", "today")}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found.add(node.module)
    return found


def calls_of(path: Path) -> list[ast.Call]:
    return [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]


def test_the_packages_are_where_this_test_looks() -> None:
    assert {name_of(path).split("/")[0] for path in FILES} == set(PACKAGES)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_can_be_read_in_one_sitting(path: Path) -> None:
    lines = len(path.read_text("utf-8").splitlines())
    assert lines <= MOST_LINES or name_of(path) in CATALOGUES


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_module_is_named_after_what_it_owns(path: Path) -> None:
    assert not FORBIDDEN_NAMES & set(name_of(path).removesuffix(".py").split("/"))


@pytest.mark.parametrize(("client", "home"), KAFKA_CLIENTS.items())
def test_a_kafka_client_is_imported_in_one_place(client: str, home: str | None) -> None:
    importers = {name_of(path) for path in FILES if client in {name.split(".")[0] for name in imports_of(path)}}
    assert all(home is not None and name.startswith(home) for name in importers), importers


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_broad_except_gives_its_reason(path: Path) -> None:
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        if re.search(r"^\s*except (Exception|BaseException)\b", line):
            assert "#" in line, f"{name_of(path)}:{number} catches everything and does not say why"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_suppression_gives_its_reason(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        if re.search(r"#\s*(noqa|type:\s*ignore)", line):
            explained = re.search(r"#\s*(noqa|type:\s*ignore)[^#]*\s(#|-+)\s*\w", line)
            above = lines[number - 2].strip() if number > 1 else ""
            assert explained or above.startswith("#"), f"{name_of(path)}:{number} is suppressed and does not say why"


@pytest.mark.parametrize("path", [path for path in FILES if name_of(path).startswith("streams/domain/")], ids=name_of)
def test_the_domain_does_not_look_at_the_clock(path: Path) -> None:
    for call in calls_of(path):
        if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
            assert (call.func.value.id, call.func.attr) not in CLOCKS, f"{name_of(path)}:{call.lineno}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_nothing_blocks_the_loop_by_sleeping(path: Path) -> None:
    for call in calls_of(path):
        if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
            assert (call.func.value.id, call.func.attr) != ("time", "sleep"), f"{name_of(path)}:{call.lineno}"


@pytest.mark.parametrize("path", [path for path in FILES if not name_of(path).startswith("tocsin/")], ids=name_of)
def test_only_the_command_line_prints(path: Path) -> None:
    for call in calls_of(path):
        assert not (isinstance(call.func, ast.Name) and call.func.id == "print"), f"{name_of(path)}:{call.lineno}"
