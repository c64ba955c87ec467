"""The real Prometheus and Alertmanager against a running Tocsin, both roads at once.

A shop's metric goes up and down twice. Both programs repeat themselves every second, with annotations that change each
time, and what must arrive is one firing and one resolved alert for each of the two episodes on each road.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.parts.need import need
from tests.parts.processes import ask, free_port, running, wait_for

pytestmark = [pytest.mark.prometheus, pytest.mark.slow]

MONITORS = Path(__file__).parent / "monitors"
OPERATOR = {"Authorization": "Bearer ops-secret"}
LABELS = {"alertname": "ApiErrors", "service": "api", "region": "eu", "severity": "critical"}
REPEATS = 3
ROADS = ("prom", "direct")


class Shop:
    """What Prometheus watches: one metric, set by the test, served over HTTP."""

    def __init__(self) -> None:
        self.errors = 0

    @contextmanager
    def serving(self) -> Iterator[str]:
        shop = self

        class Metrics(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = f'shop_errors{{service="api",region="eu"}} {shop.errors}\n'.encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing: a scrape every second is no news."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Metrics) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield f"127.0.0.1:{server.server_port}"
            finally:
                server.shutdown()
                thread.join()


@dataclass(frozen=True)
class World:
    """The programs that run, by their base URLs, and the shop that they watch."""

    shop: Shop
    tocsin: str
    prometheus: str
    alertmanager: str
    fingerprints: set[str] = field(default_factory=set)
    """What Alertmanager called the alerts while they fired."""

    def alerts(self, road: str) -> list[dict[str, Any]]:
        """Return the data of all AlertReceived of one source, in the order of the log."""
        found: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            answer = ask(
                f"{self.tocsin}/api/v1/pages/acme/events", params={"after": cursor, "limit": 100}, headers=OPERATOR
            )
            assert answer.status_code == 200, answer.text
            found += [event["data"] for event in answer.json()["events"] if event["type"] == "AlertReceived"]
            cursor = answer.json()["next"]
        return [alert for alert in found if alert["source"] == road]

    def posts(self) -> dict[str, float]:
        """Return how many posts reached us by each road since the start, as the senders count them."""
        direct = _samples(self.prometheus, "prometheus_notifications_sent_total")
        webhook = _samples(self.alertmanager, "alertmanager_notifications_total")
        return {
            "direct": sum(count for labels, count in direct if "/ingest/acme/direct" in labels["alertmanager"]),
            "prom": sum(count for labels, count in webhook if labels["integration"] == "webhook"),
        }

    def refusals(self) -> float:
        """Return how many posts the senders count as failed."""
        direct = _samples(self.prometheus, "prometheus_notifications_errors_total")
        webhook = _samples(self.alertmanager, "alertmanager_notifications_failed_total")
        return sum(count for _, count in (*direct, *webhook))

    def wait_for_repeats(self, roads: tuple[str, ...]) -> None:
        """Return after each of the roads has carried some more posts."""
        before = self.posts()
        wait_for("repeats", lambda: all(self.posts()[road] >= before[road] + REPEATS for road in roads))


def _samples(server: str, name: str) -> list[tuple[dict[str, str], float]]:
    families = text_string_to_metric_families(ask(f"{server}/metrics").text)
    return [(sample.labels, sample.value) for family in families for sample in family.samples if sample.name == name]


def _filled(name: str, folder: Path, **values: str) -> Path:
    path = folder / name
    path.write_text(Template((MONITORS / name).read_text("utf-8")).safe_substitute(values), "utf-8")
    return path


def _page(folder: Path) -> Path:
    """Write the example page with one more source: the one that Prometheus itself posts to."""
    page = yaml.safe_load((files("tocsin") / "data" / "example.yaml").read_text("utf-8"))
    page["sources"].append({"id": "direct", "kind": "alertmanager", "token": "direct-secret"})
    path = folder / "tocsin.yaml"
    path.write_text(yaml.safe_dump(page), "utf-8")
    return path


def _tocsin(folder: Path, programs: ExitStack) -> str:
    port = free_port()
    command: list[str | Path] = [
        Path(sys.executable).with_name("tocsin"),
        "up",
        "--config",
        _page(folder),
        "--data",
        folder / "data",
    ]
    base = f"http://127.0.0.1:{port}"
    programs.enter_context(running([*command, "--port", str(port)], ready=f"{base}/readyz", log=folder / "tocsin.log"))
    return base


def _alertmanager(folder: Path, programs: ExitStack, tocsin: str) -> str:
    listen = f"127.0.0.1:{free_port()}"
    config = _filled("alertmanager.yml", folder, tocsin=tocsin, token="prom-secret")
    command: list[str | Path] = [
        need("prometheus-alertmanager"),
        f"--config.file={config}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address={listen}",
        "--cluster.listen-address=",
    ]
    programs.enter_context(running(command, ready=f"http://{listen}/-/ready", log=folder / "alertmanager.log"))
    return f"http://{listen}"


def _prometheus(folder: Path, programs: ExitStack, **addresses: str) -> str:
    listen = f"127.0.0.1:{free_port()}"
    _filled("rules.yml", folder)
    config = _filled("prometheus.yml", folder, token="direct-secret", **addresses)
    command: list[str | Path] = [
        need("prometheus"),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address={listen}",
        "--rules.alert.resend-delay=1s",
    ]
    programs.enter_context(running(command, ready=f"http://{listen}/-/ready", log=folder / "prometheus.log"))
    return f"http://{listen}"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("prometheus")
    shop = Shop()
    need("prometheus")
    need("prometheus-alertmanager")
    with ExitStack() as programs:
        tocsin = _tocsin(folder, programs)
        alertmanager = _alertmanager(folder, programs, tocsin)
        prometheus = _prometheus(
            folder,
            programs,
            shop=programs.enter_context(shop.serving()),
            tocsin=tocsin.removeprefix("http://"),
            alertmanager=alertmanager.removeprefix("http://"),
        )
        yield World(shop, tocsin, prometheus, alertmanager)


@pytest.fixture(scope="module")
def after_two_outages(world: World) -> World:
    """Return the same world after the shop broke and recovered twice, with repeats at every stage."""
    for outage in range(2):
        world.shop.errors = 7
        _wait_for_alerts(world, 2 * outage + 1)
        world.wait_for_repeats(ROADS)
        world.fingerprints.update(_fingerprints(world.alertmanager))
        world.shop.errors = 0
        _wait_for_alerts(world, 2 * outage + 2)
        world.wait_for_repeats(("direct",))  # Prometheus repeats a resolved alert for 15 minutes, Alertmanager does not
    return world


def _wait_for_alerts(world: World, count: int) -> None:
    wait_for(f"alert {count} by each road", lambda: all(len(world.alerts(road)) >= count for road in ROADS))


def _fingerprints(alertmanager: str) -> set[str]:
    return {alert["fingerprint"] for alert in ask(f"{alertmanager}/api/v2/alerts").json()}


@pytest.mark.parametrize("road", ROADS)
def test_each_episode_fires_once_and_is_resolved_once(after_two_outages: World, road: str) -> None:
    statuses = [alert["status"] for alert in after_two_outages.alerts(road)]
    assert statuses == ["firing", "resolved", "firing", "resolved"]


@pytest.mark.parametrize("road", ROADS)
def test_what_is_fired_is_what_is_resolved(after_two_outages: World, road: str) -> None:
    first, first_end, second, second_end = after_two_outages.alerts(road)
    assert first["starts_at"] == first_end["starts_at"] < second["starts_at"] == second_end["starts_at"]
    assert first["ends_at"] is None
    assert second["ends_at"] is None
    assert first["starts_at"] < first_end["ends_at"] <= second["starts_at"] < second_end["ends_at"]


@pytest.mark.parametrize("road", ROADS)
def test_an_alert_keeps_its_labels_severity_and_name(after_two_outages: World, road: str) -> None:
    for alert in after_two_outages.alerts(road):
        assert alert["labels"] == LABELS
        assert alert["severity"] == "critical"


@pytest.mark.parametrize("road", ROADS)
def test_an_alert_is_known_by_alertmanagers_own_fingerprint(after_two_outages: World, road: str) -> None:
    assert len(after_two_outages.fingerprints) == 1
    assert {alert["fingerprint"] for alert in after_two_outages.alerts(road)} == after_two_outages.fingerprints


def test_no_post_is_refused(after_two_outages: World) -> None:
    assert after_two_outages.refusals() == 0
