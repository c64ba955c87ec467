"""The guide to the sources names each of them and shows how to point it here."""

import re
from pathlib import Path

import pytest
import yaml

from producers.sources import fields, generic
from producers.sources.registry import KIND_OF_NAME, KINDS
from producers.sources.source import SourceKind
from tests.unit.sources.bodies import check, request

GUIDE = (Path(__file__).parents[3] / "docs/sources.md").read_text("utf-8")


def section(name: str) -> str:
    return GUIDE.partition(f'<a id="{name}"></a>')[2].partition("<a id=")[0]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_has_its_section(kind: SourceKind) -> None:
    path, _, anchor = kind.docs.partition("#")
    assert (path, anchor) == ("sources.md", kind.name)
    text = section(anchor)
    assert kind.title in text
    assert f"kind: {kind.name}" in text
    assert all(endpoint in text for endpoint in kind.endpoints)


def test_the_generic_shape_is_described_whole() -> None:
    text = section("generic")
    names = (
        generic.ID,
        generic.TITLE,
        generic.STATUS,
        generic.SEVERITY,
        generic.DESCRIPTION,
        generic.STARTS,
        generic.ENDS,
    )
    for words in (*names, generic.URL, generic.PLACE, generic.STATUS_OF_WORD):
        assert [word for word in words if f"`{word}`" not in text] == []


def test_the_bounds_are_the_ones_in_the_code() -> None:
    for bound in (fields.MAX_TEXT, fields.MAX_NAME, fields.MAX_LABELS):
        assert f"{bound:,}" in GUIDE


@pytest.mark.parametrize("name", ["generic", "pagerduty_events"])
def test_the_bodies_in_the_guide_are_understood(name: str) -> None:
    bodies = re.findall(r"-d '(\{.*?\})'", section(name), re.DOTALL)
    assert bodies
    for body in bodies:
        parsed = KIND_OF_NAME[name].parse(request(body.encode()))
        assert len(parsed.alerts) == 1
        assert (parsed.problems, parsed.warnings) == ([], [])
        check(parsed, body.encode())


def test_the_configurations_in_the_guide_are_yaml() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    assert all(isinstance(yaml.safe_load(block), dict) for block in blocks)
    assert len(blocks) > len(KINDS)
