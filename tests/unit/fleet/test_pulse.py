"""Whether a worker is ready: it is once it looked, and while nothing that it should have folded lies there for long."""

from collections.abc import Callable, Mapping

import pytest

from streams.log.port import LogUnavailableError
from streams.runtime.backlog import NOTHING, Behind
from streams.runtime.metrics import Metrics
from streams.runtime.state_store import StoreUnavailableError
from tests.parts.processes import wait_for
from tocsin.fleet import pulse
from tocsin.fleet.pulse import Pulse, sample_backlog

SECOND = 1_000_000
NOW = 1_790_000_000 * SECOND


def raising(error: Exception) -> Callable[[], Mapping[str, Behind]]:
    def look() -> Mapping[str, Behind]:
        raise error

    return look


def problems(look: Callable[[], Mapping[str, Behind]]) -> list[str]:
    looked = Pulse(look, lambda: NOW)
    assert looked.problems() == ["nothing was looked at yet"], "not ready before it knows"
    looked.start()
    wait_for("a look", lambda: list(looked.problems()) != ["nothing was looked at yet"])
    looked.stop()
    return list(looked.problems())


@pytest.mark.parametrize(
    ("look", "found"),
    [
        (lambda: {"pages": NOTHING}, []),
        (lambda: {"pages": Behind(100_000, NOW - 59 * SECOND)}, []),
        (lambda: {"pages": NOTHING, "ledger": Behind(1, NOW - 90 * SECOND)}, ["ledger has not folded an event that is 90 s old"]),
        (raising(LogUnavailableError("Kafka is away")), ["Kafka is away"]),
        (raising(StoreUnavailableError("Redis is away")), ["Redis is away"]),
        (raising(KeyError("a fault")), ["it cannot be told whether the work is done: KeyError"]),
    ],
)  # fmt: skip
def test_what_a_look_finds(look: Callable[[], Mapping[str, Behind]], found: list[str]) -> None:
    assert problems(look) == found


def test_what_else_is_wrong_is_said_too() -> None:
    further: list[str] = []
    looked = Pulse(dict, lambda: NOW, lambda: further)
    looked.start()
    wait_for("a look", lambda: not looked.problems())
    further.append("its sender has ended")
    assert looked.problems() == ["its sender has ended"]
    looked.stop()


def test_who_hangs_at_a_look_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "_SILENCE_SECONDS", -1.0)
    looked = Pulse(dict, lambda: NOW)
    assert "Kafka or Redis has not answered for 0 s" in looked.problems()


def test_the_metrics_say_the_same() -> None:
    metrics = Metrics()
    sample_backlog(metrics, lambda: {"pages": Behind(3, NOW - 5 * SECOND), "ledger": NOTHING}, lambda: NOW)
    text = metrics.exposition().decode()
    assert 'tocsin_stage_lag_records{stage="pages"} 3.0' in text
    assert 'tocsin_stage_lag_records{stage="ledger"} 0.0' in text
    assert "tocsin_oldest_unfolded_seconds 5.0" in text
    sample_backlog(metrics, raising(LogUnavailableError("away")), lambda: NOW)
    assert metrics.exposition(), "what cannot be asked keeps its last value"
