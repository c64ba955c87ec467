"""Fingerprints as the real Alertmanager makes them, and what may not change an identity."""

import pytest

from producers.sources.alertmanager import parse as parse_webhook
from producers.sources.alertmanager_api import parse as parse_api
from producers.sources.generic import parse as parse_generic
from producers.sources.identity import instance_key, label_fingerprint
from producers.sources.source import RawRequest
from tests.unit.sources.bodies import NOON


# Taken from webhooks of Alertmanager 0.21 and 0.25 for these labels; the empty set is FNV's offset basis.
@pytest.mark.parametrize(
    ("labels", "fingerprint"),
    [
        (
            {
                "alertname": "ApiDown",
                "component": "checkout-api",
                "instance": "api-1",
                "region": "eu-west-1",
                "severity": "critical",
            },
            "78cba797dae1b8ab",
        ),
        (
            {
                "severity": "critical",
                "region": "us-east-1",
                "instance": "api-2",
                "component": "checkout-api",
                "alertname": "ApiDown",
            },
            "eb3d65f063d52342",
        ),
        ({}, "cbf29ce484222325"),
    ],
)
def test_alertmanagers_fingerprint(labels: dict[str, str], fingerprint: str) -> None:
    assert label_fingerprint(labels) == fingerprint


def test_webhook_and_api_agree_on_who_an_alert_is() -> None:
    alert = (
        b'{"status": "firing", "labels": {"alertname": "A", "region": "\xc3\xbc"}, "startsAt": "2026-03-01T11:00:00Z"}'
    )
    (webhook,) = parse_webhook(RawRequest(b'{"alerts": [' + alert + b"]}", {}, "", NOON)).alerts
    (api,) = parse_api(RawRequest(b"[" + alert + b"]", {}, "", NOON)).alerts
    assert webhook.fingerprint == api.fingerprint == label_fingerprint({"alertname": "A", "region": "ü"})


def test_a_value_that_is_cut_still_tells_two_alerts_apart() -> None:
    def fingerprint(end: str) -> str:
        body = f'[{{"labels": {{"a": "{"x" * 20_000}{end}"}}}}]'.encode()
        (alert,) = parse_api(RawRequest(body, {}, "", NOON)).alerts
        assert len(alert.labels["a"]) == 16_384
        return alert.fingerprint

    assert fingerprint("1") != fingerprint("2")


def test_a_label_set_beyond_any_alertmanager_has_a_stable_key_too() -> None:
    assert label_fingerprint({"a": "x" * 70_000}) == label_fingerprint({"a": "x" * 70_000})
    assert label_fingerprint({"a": "x" * 70_000}) != label_fingerprint({"a": "x" * 70_001})


def test_texts_values_and_times_do_not_change_a_generic_alert() -> None:
    def fingerprint(**fields: str) -> str:
        members = ", ".join(f'"{name}": "{value}"' for name, value in fields.items())
        body = f'{{"title": "Slow", "labels": {{"b": "2", "a": "1"}}, {members}}}'.encode()
        (alert,) = parse_generic(RawRequest(body, {}, "", NOON)).alerts
        return alert.fingerprint

    assert fingerprint(description="4.2 s", starts_at="2026-03-01T11:00:00Z", status="firing") == fingerprint(
        description="0.1 s", severity="critical", status="resolved", url="https://x.example"
    )
    assert fingerprint(status="ok") != fingerprint(component="api")


def test_labels_do_not_run_into_each_other() -> None:
    bodies = (
        b'{"labels": {"a": "1", "b": "2"}}',
        b'{"labels": {"a": "1b2"}}',
        b'{"title": "a", "labels": {"1": "b2"}}',
    )
    keys = {parse_generic(RawRequest(body, {}, "", NOON)).alerts[0].fingerprint for body in bodies}
    assert len(keys) == len(bodies)


def test_a_long_key_of_the_sender_is_shortened_and_stays_its_own() -> None:
    assert instance_key("k" * 255) == "k" * 255
    assert len({instance_key("k" * 256), instance_key("k" * 257), instance_key("k" * 256)}) == 2
    assert len(instance_key("k" * 100_000)) <= 255
