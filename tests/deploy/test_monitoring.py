"""Alert rules and the dashboard ask for metrics, labels and words that the program has; promtool runs them for real."""

import json
import re
import subprocess
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from consumers.web.requests import _CLASSES
from deploy.debian import PARTS
from schemas.vocabulary import NotificationState
from streams.runtime.metrics import Metrics
from tests.parts.need import need

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
GRAFANA = ROOT / "deploy" / "grafana"
RULES = sorted(PROMETHEUS.glob("alerts*.yml"))
TESTS = sorted((Path(__file__).parent / "rules").glob("*.test.yml"))

SUFFIXES = {"counter": ["_total", "_created"], "gauge": [""], "histogram": ["_bucket", "_count", "_sum", "_created"]}
OUTCOMES = {"accepted", "ignored", "deadlettered"}
WORDS: dict[str, set[str]] = {
    "route": {name for _, name in _CLASSES} | {"page"},
    "state": {state.value for state in NotificationState},
    "outcome": OUTCOMES,
}
"""The closed sets that labels take their values from."""

_METRIC = re.compile(r"\b(tocsin_\w+)\s*(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
_SELECTED = re.compile(r"\b(\w+)\s*[\[{]")


def exported() -> dict[str, set[str]]:
    """Each series that a process exports, with its labels."""
    found = {}
    for metric in vars(Metrics()).values():
        if isinstance(metric, MetricWrapperBase):
            [family] = metric.describe()
            for suffix in SUFFIXES[family.type]:
                found[family.name + suffix] = set(metric._labelnames) | ({"le"} if suffix == "_bucket" else set())
    return found


def rules() -> list[dict[str, Any]]:
    groups = chain.from_iterable(yaml.safe_load(path.read_text("utf-8"))["groups"] for path in RULES)
    return [rule for group in groups for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    board: dict[str, Any] = json.loads((GRAFANA / "dashboard.json").read_text("utf-8"))
    return board


def panels() -> list[dict[str, Any]]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def expressions() -> list[str]:
    return [rule["expr"] for rule in rules()] + [target["expr"] for panel in panels() for target in panel["targets"]]


def promtool(*arguments: str | Path, text: str | None = None) -> "subprocess.CompletedProcess[str]":
    command = [str(need("promtool")), *map(str, arguments)]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("expression", expressions())
def test_an_expression_asks_for_what_is_exported(expression: str) -> None:
    series = exported()
    asked = _METRIC.findall(expression)
    assert asked or "up{" in expression
    for name, selector in asked:
        assert name in series
        for label, how, value in _MATCHER.findall(selector):
            assert label in series[name]
            if label in WORDS:
                assert set(value.split("|") if "~" in how else [value]) <= WORDS[label]


@pytest.mark.parametrize("expression", expressions())
def test_an_expression_asks_no_other_program_than_tocsin(expression: str) -> None:
    assert all(name == "up" or name.startswith("tocsin_") for name in _SELECTED.findall(expression))


@pytest.mark.parametrize("expression", expressions())
def test_an_expression_groups_by_labels_that_are_there(expression: str) -> None:
    series = exported() | {"up": {"job", "role"}}
    names = [name for name, _ in _METRIC.findall(expression)] or ["up"]
    there = set.union(*(series[name] for name in names)) | {"instance"}
    grouped = chain.from_iterable(listed.split(",") for listed in re.findall(r"\bby\s*\(([^)]*)\)", expression))
    assert {label.strip() for label in grouped} <= there


def test_what_operators_watch_is_on_the_dashboard() -> None:
    shown = {name for panel in panels() for target in panel["targets"] for name, _ in _METRIC.findall(target["expr"])}
    families = {re.sub(r"_(total|bucket|sum|count|created)$", "", name) for name in exported()}
    assert {re.sub(r"_(total|bucket)$", "", name) for name in shown} == families


def test_a_panel_is_found_by_its_own_number_and_place() -> None:
    board = dashboard()
    places = [tuple(panel["gridPos"][side] for side in "xy") for panel in board["panels"]]
    assert len({panel["id"] for panel in board["panels"]}) == len(set(places)) == len(board["panels"])
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in board["panels"])


def test_the_dashboard_finds_its_data_source() -> None:
    [variable] = dashboard()["templating"]["list"]
    asked = {json.dumps(part["datasource"]) for panel in panels() for part in (panel, *panel["targets"])}
    assert asked == {json.dumps({"type": variable["query"], "uid": f"${{{variable['name']}}}"})}
    provisioned = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "prometheus.yml").read_text("utf-8"))
    assert variable["current"]["value"] in {source["uid"] for source in provisioned["datasources"]}


def test_every_alert_says_how_bad_it_is_and_is_seen_to_wake_and_to_sleep() -> None:
    seen: dict[str, set[bool]] = {}
    for path in TESTS:
        for case in yaml.safe_load(path.read_text("utf-8"))["tests"]:
            for look in case["alert_rule_test"]:
                seen.setdefault(look["alertname"], set()).add(bool(look["exp_alerts"]))
    assert seen == {rule["alert"]: {True, False} for rule in rules()}
    assert {rule["labels"]["severity"] for rule in rules()} == {"critical", "warning"}


def test_every_alert_is_explained() -> None:
    document = (ROOT / "docs" / "deploy.md").read_text("utf-8")
    assert {rule["alert"] for rule in rules()} == set(re.findall(r"`(Tocsin[A-Z]\w+)`", document))


def test_the_promtool_is_that_of_the_prometheus_that_the_tests_run() -> None:
    assert PARTS["promtool"].package == PARTS["prometheus"].package


@pytest.mark.prometheus
def test_prometheus_takes_its_configuration_and_the_rules() -> None:
    done = promtool("check", "config", PROMETHEUS / "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("rules found") == len(RULES)


@pytest.mark.prometheus
@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_alerts_wake_when_they_should(path: Path) -> None:
    done = promtool("test", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.prometheus
def test_prometheus_understands_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    asked = [target["expr"].replace("$__rate_interval", "5m") for panel in panels() for target in panel["targets"]]
    recorded = [{"record": f"panel:{number}", "expr": expression} for number, expression in enumerate(asked)]
    written = tmp_path / "panels.yml"
    written.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": recorded}]}), "utf-8")
    done = promtool("check", "rules", written)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.prometheus
def test_prometheus_has_nothing_against_what_is_exported() -> None:
    metrics = Metrics()
    metrics.deliveries.labels("email", "sent").inc()
    done = promtool("check", "metrics", text=metrics.exposition().decode())
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
