"""The image, read and not built: what its last stage holds, who runs it, and that what it names is there."""

import json
import re
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import packages_distributions
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from dockerfile_parse import DockerfileParser
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from deploy.child import free_port
from deploy.docker import alive
from tests.deploy.command_line import parse
from tests.unit.test_architecture import FILES, PACKAGES, imports_of

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "deploy" / "docker"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def instructions() -> list[dict[str, Any]]:
    parsed: list[dict[str, Any]] = DockerfileParser(str(DOCKER / "Dockerfile")).structure
    return [step for step in parsed if step["instruction"] != "COMMENT"]


def stages() -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []
    for step in instructions():
        if step["instruction"] == "FROM":
            found.append([])
        found[-1].append((step["instruction"], step["value"]))
    return found


BUILD, LAST = stages()


def values(stage: list[tuple[str, str]], instruction: str) -> list[str]:
    return [value for name, value in stage if name == instruction]


def pins(lock: Path) -> dict[str, str]:
    """Each pinned package with its version and hashes."""
    blocks = re.split(r"^(?=[A-Za-z0-9])", lock.read_text("utf-8"), flags=re.MULTILINE)[1:]
    return {
        re.split(r"[=\[]", block)[0]: " ".join(re.findall(r"==[^\s;\\]+|--hash=\S+", block.split(" # via")[0]))
        for block in blocks
    }


def test_both_stages_have_the_python_that_the_lock_was_made_for() -> None:
    [base] = {value.split(" AS ")[0] for stage in (BUILD, LAST) for value in values(stage, "FROM")}
    version = re.fullmatch(r"python:(\d+\.\d+)\.\d+-slim-\w+", base)
    assert version is not None
    assert version[1] in SpecifierSet(PROJECT["project"]["requires-python"])
    assert f"--python-version {version[1]} " in (ROOT / "Makefile").read_text("utf-8")
    assert f"/python{version[1]}/ensurepip" in " ".join(values(LAST, "RUN"))


def test_the_last_stage_is_run_by_a_user_of_its_own() -> None:
    [user] = values(LAST, "USER")
    number = user.split(":")[0]
    assert int(number) > 0
    assert f"--uid {number} " in values(LAST, "RUN")[0]
    assert LAST.index(("USER", user)) > max(LAST.index(step) for step in LAST if step[0] in {"RUN", "COPY"})


def test_the_last_stage_installs_nothing_and_can_install_nothing() -> None:
    [run] = values(LAST, "RUN")
    assert not re.search(r"\b(apt|apt-get|gcc|make|curl|wget|pip install)\b", run)
    assert "pip uninstall --yes --root-user-action ignore setuptools wheel pip" in run
    assert not [value for value in values(LAST, "COPY") if "lock" in value or "wheels" in value]
    assert "--without-pip" in " ".join(values(BUILD, "RUN"))


def test_what_is_installed_is_named_by_hash_and_no_place_to_fetch_it_from() -> None:
    commands = [part for run in values(BUILD, "RUN") for part in run.split("&&")]
    fetching = [part for part in commands if re.search(r"\bpip\b.*\b(install|wheel)\b", part)]
    assert len(fetching) == 4
    for part in fetching:
        assert "--require-hashes" in part or "--no-index" in part or "--no-deps --no-build-isolation" in part
    text = (DOCKER / "Dockerfile").read_text("utf-8")
    assert not re.search(r"https?://|index-url|find-links|PIP_INDEX|ADD ", text)


@pytest.mark.parametrize("lock", ["requirements.lock", "build.lock"])
def test_the_locks_of_the_image_are_a_part_of_the_project_s(lock: str) -> None:
    all_of_it, part = pins(ROOT / "requirements.lock"), pins(DOCKER / lock)
    assert part
    assert part.items() <= all_of_it.items()
    assert all("--hash=sha256:" in pin for pin in part.values())


def test_the_image_holds_what_the_product_imports_and_not_what_only_tests_need() -> None:
    held = {canonicalize_name(name) for name in pins(DOCKER / "requirements.lock")}
    where = packages_distributions()
    imported = {name.split(".")[0] for path in FILES for name in imports_of(path)}
    foreign = imported - set(PACKAGES) - sys.stdlib_module_names
    assert {name for name in foreign if not held & {canonicalize_name(dist) for dist in where[name]}} == set()
    assert not held & {"pytest", "mypy", "ruff", "uv", "setuptools", "pip", "playwright", "hypothesis"}


def test_what_is_copied_is_there_and_let_through_to_the_builder() -> None:
    ignored = [line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line[:1] != "#"]
    assert ignored[0] == "*"
    copied = [
        source
        for stage in (BUILD, LAST)
        for value in values(stage, "COPY")
        if "--from" not in value
        for source in value.split()[:-1]
    ]
    assert {line[1:] for line in ignored if line.startswith("!")} == set(copied)
    assert all((ROOT / source).exists() for source in copied)
    assert set(PACKAGES) <= set(copied)


def test_the_entrypoint_is_the_project_s_command() -> None:
    [entrypoint] = values(LAST, "ENTRYPOINT")
    [name] = json.loads(entrypoint)
    assert name in PROJECT["project"]["scripts"]
    assert "PATH=/opt/tocsin/bin:$PATH" in values(LAST, "ENV")[0]


def test_without_a_command_it_serves_where_it_is_exposed_and_keeps_its_data_in_the_volume() -> None:
    [words] = values(LAST, "CMD")
    command, given = parse(json.loads(words))
    assert (command, given["host"]) == ("up", "0.0.0.0")
    assert [str(given["port"])] == values(LAST, "EXPOSE")
    assert [str(given["data"])] == values(LAST, "VOLUME") == values(LAST, "WORKDIR")
    assert f"install --directory --owner tocsin --group tocsin --mode 0700 {given['data']}" in values(LAST, "RUN")[0]


def test_the_health_check_is_the_file_that_was_copied() -> None:
    [check] = values(LAST, "HEALTHCHECK")
    [program, path] = json.loads(check[check.index("[") :])
    assert program == "python"
    assert any(value.split() == ["deploy/docker/alive.py", path] for value in values(LAST, "COPY"))


@contextmanager
def answering(status: int) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1), (500, 1)])
def test_the_health_check_believes_only_200(status: int, code: int) -> None:
    with answering(status) as port:
        assert alive.main(port) == code


def test_the_health_check_notices_that_nobody_is_there() -> None:
    assert alive.main(free_port()) == 1
