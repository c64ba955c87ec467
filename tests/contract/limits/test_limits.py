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


def test_channels_of_one_account_count_together_against_its_limit_and_each_for_itself_against_a_senders(
    storage: Processes,
) -> None:
    sms, voice, other = (
        Limiter(name, Limits(account="5/d", sender="4/d"), account=account, storage=storage())
        for name, account in (("sms", "a"), ("voice", "a"), ("fax", "b"))
    )
    assert (sms.take(3), voice.take(3), sms.take(1), other.take(5)) == (3, 2, 0, 4)


def test_what_the_provider_says_to_one_channel_of_its_account_is_meant_for_the_others(storage: Processes) -> None:
    held: list[str] = []
    sms, voice, other = (
        Limiter(name, account=account, storage=storage(), held=held.append)
        for name, account in (("sms", "a"), ("voice", "a"), ("fax", "b"))
    )
    assert (voice.take(1), voice.pause()) == (1, timedelta())
    sms.close_for(timedelta(hours=1))
    sms.close_for(timedelta(minutes=1))
    assert (sms.take(1), voice.take(1), other.take(1), held) == (0, 0, 1, ["provider"] * 2)
    assert timedelta(minutes=59) < voice.pause() <= timedelta(hours=1, seconds=1)
    voice.close_for(timedelta(hours=2))
    assert sms.take(1) == 0
    assert timedelta(minutes=119) < sms.pause() <= timedelta(hours=2, seconds=1)


def test_without_an_account_that_may_be_shared_a_closing_is_the_channels_own(storage: Processes) -> None:
    one, other = (Limiter("email", storage=storage()) for _ in range(2))
    one.close_for(timedelta(hours=1))
    assert (one.take(1), other.take(1)) == (0, 1)


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
