"""A folder with a history, made by the server's own parts: alerts that fire and are resolved. It measures nothing."""

from hashlib import sha256
from pathlib import Path

from bench.webhooks import batches, webhook
from producers.intake.judging import Origin, Verdicts, keys_of
from producers.sources.alertmanager import parse
from producers.sources.source import RawRequest
from streams.log.port import record_of
from tocsin.backend import Backend
from tocsin.config.catalogue import desired
from tocsin.config.loader import load_example

PAGE, SOURCE = "acme", "prom"
_ENDS = "2026-11-22T03:05:00Z"
_EVENTS_OF_BATCH = 400
"""Received and opened, received and closed, for each of a hundred alerts."""


def make(data: Path, events: int) -> None:
    """Fill ``data`` with about this many events, with all projections caught up."""
    backend = Backend(data, {})
    backend.settle()
    backend.apply(PAGE, desired(load_example({})))
    for numbers in batches(0, max(1, events // _EVENTS_OF_BATCH)):
        take(backend, webhook(numbers))
        take(backend, webhook(numbers, ends_at=_ENDS))
    backend.settle()
    backend.close()


def take(backend: Backend, body: bytes) -> None:
    """Do what the intake does with a body, and wait until it is durable."""
    now = backend.clock()
    alerts = parse(RawRequest(body, {}, "application/json", now)).alerts
    keys = keys_of(SOURCE, alerts)
    verdicts = Verdicts(Origin(PAGE, SOURCE, sha256(body).hexdigest(), now), backend.instances.get_many(PAGE, keys))
    verdicts.judge_all(keys, alerts)
    records = [record_of(event) for event in verdicts.events]
    log = backend.log
    log.submit(lambda connection: log.append_within(connection, records, verdicts.events)).result()
