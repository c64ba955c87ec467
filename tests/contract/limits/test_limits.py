"""What a limiter promises, wherever it counts: no more than is allowed, by whom and to whom it says, for a fleet together."""

import itertools
from collections.abc import Callable
from datetime import timedelta
from threading import Event
from typing import TypeAlias

from limits.storage import Storage

from consumers.delivery.limiter import Limiter
from consumers.delivery.rates import Destination, Limits

Processes: TypeAlias = Callable[[], Storage]
DAY = timedelta(days=1)


def test_no_more_is_taken_than_account_and_sender_allow(storage: Processes) -> None:
    held: list[str] = []
    limiter = Limiter("sms", Limits(account="10/d, 8/h", sender="5/d"), storage=storage(), held=held.append)
    assert limiter.pause() == timedelta()
    assert (limiter.take(3), limiter.take(0), held) == (3, 0, [])
    assert (limiter.take(10), held) == (2, ["account", "account", "sender"])
    assert limiter.take(1) == 0
    assert timedelta(hours=23) < limiter.pause() <= DAY


def test_a_fleet_counts_together_and_each_channel_for_itself(storage: Processes) -> None:
    one, other = (Limiter("sms", Limits(account="5/d"), storage=storage()) for _ in range(2))
    voice = Limiter("voice", Limits(account="5/d"), storage=storage())
    assert (one.take(3), other.take(4), voice.take(4)) == (3, 2, 4)


def test_what_is_taken_is_free_again_when_the_window_has_moved_on(storage: Processes) -> None:
    limiter = Limiter("sms", Limits(sender="2/s"), storage=storage())
    assert limiter.take(5) == 2
    assert limiter.take(5) == 0
    while (pause := limiter.pause()) > timedelta():
        assert pause <= timedelta(seconds=1)
        Event().wait(pause.total_seconds())
    assert limiter.take(5) > 0


def test_a_destination_that_is_full_holds_up_no_other(storage: Processes) -> None:
    held: list[str] = []
    limits = Limits(account="1/d", destination="2/h, 3/d")
    limiter = Limiter("slack", limits, storage=storage(), held=held.append, secret="s")
    assert [limiter.wait("ann") for _ in range(2)] == [None, None]
    assert limiter.wait("ann") is not None
    assert limiter.wait("ben") is None
    assert held == ["destination"]


def test_those_that_wait_for_one_destination_come_again_one_after_the_other(storage: Processes) -> None:
    limiter = Limiter("slack", Limits(destination="2/h"), storage=storage())
    assert [limiter.wait("ann") for _ in range(2)] == [None, None]
    waits = [wait for _ in range(3) if (wait := limiter.wait("ann")) is not None]
    assert len(waits) == 3
    assert timedelta(minutes=59) < waits[0] <= timedelta(hours=1)
    for earlier, later in itertools.pairwise(waits):
        assert timedelta(minutes=29) < later - earlier <= timedelta(minutes=30)


def test_destinations_are_counted_across_a_fleet_by_the_host_where_that_is_meant(storage: Processes) -> None:
    limits = Limits(destination="2/d", counts_by=Destination.HOST)
    one, other = (Limiter("webhook", limits, storage=storage(), secret="s") for _ in range(2))
    assert one.wait("https://a.example/1") is None
    assert other.wait("https://A.example:8443/2") is None
    assert one.wait("https://a.example/3") is not None
    assert other.wait("https://b.example/1") is None


def test_without_limits_nothing_waits(storage: Processes) -> None:
    limiter = Limiter("email", storage=storage())
    assert limiter.take(1_000_000) == 1_000_000
    assert limiter.wait("ann") is None
    assert not limiter.limits_destinations
