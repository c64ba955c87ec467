"""What is asked for when Prometheus comes: the engine's figures, and what waits in the ledger."""

from collections.abc import Sequence
from typing import Any

from consumers.delivery.ledger import LedgerStage
from consumers.web.sampling import sample_engine, sample_ledger
from streams.runtime.metrics import Metrics
from tests.builders.views import MINUTE
from tests.builders.web_world import WebWorld, opened


def lines(metrics: Metrics) -> list[str]:
    return metrics.exposition().decode().splitlines()


def test_the_engine_says_what_is_appended_and_how_far_its_stages_are(world: WebWorld) -> None:
    metrics = Metrics()
    sample_engine(metrics, world.log, world.driver)
    assert "tocsin_records_appended_total 0.0" in lines(metrics)
    before = world.log.last
    world.tell(opened())
    appended = world.log.last - before
    found = lines(metrics)
    assert appended >= 2
    assert f"tocsin_records_appended_total {float(appended)}" in found
    assert "tocsin_log_jobs_waiting 0.0" in found
    assert {f'tocsin_stage_lag_records{{stage="{name}"}} 0.0' for name in ("pages", "status", "reliability")} <= set(
        found
    )


def test_the_ledger_says_what_waits_and_for_how_long(world: WebWorld) -> None:
    metrics = Metrics()
    sample_ledger(metrics, world.log.query, lambda: world.now)
    world.log.submit(LedgerStage().load).result()
    assert "tocsin_oldest_unsent_seconds 0.0" in lines(metrics)

    def row(notification: str, channel: str, due: int | None) -> Sequence[Any]:
        return notification, "acme", "i", "u", "anna", channel, 0, "planned", "", "", 0, world.now, due

    rows = [
        row("1", "email", world.now - 2 * MINUTE),
        row("2", "email", world.now + MINUTE),
        row("3", "webhook", world.now),
        row("4", "email", None),
    ]
    insert = (
        "insert into ledger (notification, page, subject, update_id, subscriber, channel, shard, state, reason, worker,"
        " attempts, at, due) values (?,?,?,?,?,?,?,?,?,?,?,?,?)"
    )
    world.log.submit(lambda connection: connection.executemany(insert, rows)).result()
    found = lines(metrics)
    assert 'tocsin_notifications_waiting{channel="email"} 2.0' in found
    assert 'tocsin_notifications_waiting{channel="webhook"} 1.0' in found
    assert "tocsin_oldest_unsent_seconds 120.0" in found
