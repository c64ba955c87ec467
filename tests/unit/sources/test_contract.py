"""What every source promises, over the registry: fixtures with expected results, totality, and strings that are text."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producers.sources.registry import KIND_OF_NAME, KINDS
from producers.sources.source import Parse
from tests.unit.sources.bodies import PARSERS, as_json, check, every_parser, request

ROOT = Path(__file__).parents[3]
FIXTURES = ROOT / "tests/fixtures/sources"
RECORDED = ROOT / "../shared/payloads"

CASES = [
    (name, path)
    for name in PARSERS
    for path in sorted((FIXTURES / name).glob("*.json"))
    if not path.name.endswith(".expected.json")
]
every_case = pytest.mark.parametrize(("name", "path"), CASES, ids=[f"{name}-{path.stem}" for name, path in CASES])


def test_names_are_unique() -> None:
    assert len(KIND_OF_NAME) == len(KINDS)


@pytest.mark.parametrize("name", PARSERS)
def test_every_kind_has_fixtures(name: str) -> None:
    seen = [json.loads(path.with_suffix(".expected.json").read_bytes()) for owner, path in CASES if owner == name]
    statuses = {alert["status"] for expected in seen for alert in expected["alerts"]}
    assert statuses == {"firing", "resolved"}
    assert any(expected["problems"] for expected in seen)


def test_no_fixture_is_forgotten() -> None:
    used = {path for _, path in CASES}
    assert set(FIXTURES.rglob("*.json")) == used | {path.with_suffix(".expected.json") for path in used}


@every_case
def test_fixture(name: str, path: Path) -> None:
    body = path.read_bytes()
    parsed = PARSERS[name](request(body))
    assert as_json(parsed) == json.loads(path.with_suffix(".expected.json").read_bytes())
    check(parsed, body)
    assert PARSERS[name](request(body)) == parsed, "the same body gave another result"


@every_parser
@given(body=st.binary(max_size=300))
def test_any_bytes(parse: Parse, body: bytes) -> None:
    check(parse(request(body)), body)


# Field names that some source knows, so that wrong types reach the places where they hurt.
NAMES = st.sampled_from(
    [
        *("alerts", "status", "state", "labels", "annotations", "startsAt", "endsAt", "fingerprint", "generatorURL"),
        *(
            "severity",
            "check_id",
            "current_state",
            "tags",
            "ruleId",
            "ruleName",
            "evalMatches",
            "event_action",
            "dedup_key",
        ),
        *("payload", "custom_details", "summary", "source", "title", "id", "url", "starts_at", "test", "region"),
    ]
)
WORDS = st.sampled_from(
    ["firing", "resolved", "alerting", "ok", "UP", "DOWN", "trigger", "resolve", "2026-03-01T11:00:00Z", "critical"]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20) | WORDS
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES | st.text(max_size=5), inner, max_size=8),
    max_leaves=30,
)


@every_parser
@given(value=JSON)
def test_any_json(parse: Parse, value: object) -> None:
    body = json.dumps(value).encode()  # with escapes, lone surrogates among them
    check(parse(request(body)), body)


@every_case
@settings(max_examples=25)
@given(data=st.data())
def test_any_field_of_a_good_body_may_be_anything(name: str, path: Path, data: st.DataObject) -> None:
    try:
        value = json.loads(path.read_bytes())
    except ValueError:
        value = {}
    body = json.dumps(replace_somewhere(value, data.draw)).encode()
    check(PARSERS[name](request(body)), body)


def replace_somewhere(value: object, draw: object) -> object:
    """Return ``value`` with one of its members, at any depth, replaced by any JSON."""
    assert callable(draw)
    if isinstance(value, dict) and value and draw(st.integers(0, 4)):
        name = draw(st.sampled_from(sorted(value)))
        return value | {name: replace_somewhere(value[name], draw)}
    if isinstance(value, list) and value and draw(st.integers(0, 4)):
        return [replace_somewhere(value[0], draw), *value[1:]]
    return draw(JSON)


FOLDERS = {
    "alertmanager": "alertmanager",
    "alertmanager/api/v2/alerts": "alertmanager_api_v2",
    "grafana": "grafana",
    "pingdom": "pingdom",
}


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the folder of recorded payloads is not beside this repository")
@pytest.mark.parametrize("name", FOLDERS)
def test_recorded_payloads_are_understood(name: str) -> None:
    paths = sorted((RECORDED / FOLDERS[name]).glob("*.json"))
    assert paths
    for path in paths:
        parsed = PARSERS[name](request(path.read_bytes()))
        assert parsed.alerts, path
        assert (parsed.problems, parsed.warnings) == ([], []), path
        check(parsed, path.read_bytes())
