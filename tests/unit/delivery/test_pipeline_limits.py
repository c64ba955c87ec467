"""Senders with limits over a real log: what is over one waits, counts as no attempt, and holds up nobody else."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest

from consumers.delivery.channel import BatchChannel
from consumers.delivery.limited import limited
from consumers.delivery.limiter import Limiter
from consumers.delivery.outcome import Retry
from consumers.delivery.rates import Limits
from schemas.vocabulary import IncidentStatus
from streams.runtime.state_store import StoreUnavailableError
from tests.unit.delivery.channels.messages import message
from tests.unit.delivery.pipeline import MINUTE, SECOND, Pipeline, ScriptedChannel

ANN, BEN = "ann@example.com", "ben@example.com"
REASON = "the limit of this destination, 2/h, is reached"


@pytest.fixture
def chat(tmp_path: Path) -> Iterator[Pipeline]:
    made = Pipeline(tmp_path, limits=Limits(destination="2/h"))
    yield made
    made.close()


async def test_what_is_over_the_limit_of_its_destination_waits_and_counts_as_no_attempt(chat: Pipeline) -> None:
    chat.subscribe(ANN)
    chat.subscribe(BEN)
    for number in range(3):
        chat.publish(subject=f"incident {number}")
    await chat.deliver()
    assert sorted(chat.channel.told()) == [(ANN, "investigating")] * 2 + [(BEN, "investigating")] * 2
    waiting = [entry for entry in chat.entries() if entry.state == "planned"]
    assert [(entry.attempts, entry.reason) for entry in waiting] == [(0, REASON)] * 2
    due = chat.backend.queue.due_at("email")
    assert due is not None
    assert 59 * MINUTE < due - chat.now <= 60 * MINUTE


async def test_what_waited_for_longer_than_anything_is_tried_has_not_failed(chat: Pipeline) -> None:
    chat.subscribe(ANN)
    for number in range(3):
        chat.publish(subject=f"incident {number}")
    await chat.deliver()
    chat.now += 25 * 60 * MINUTE
    await chat.deliver()
    assert sorted(state for _, state in chat.states()) == ["planned", "sent", "sent"]


async def test_a_newer_update_takes_the_place_of_what_waits(chat: Pipeline) -> None:
    chat.subscribe(ANN)
    for number in range(2):
        chat.publish(subject=f"incident {number}")
    chat.publish()
    await chat.deliver()
    chat.publish(IncidentStatus.RESOLVED)
    await chat.deliver()
    assert [state for _, state in chat.states()] == ["sent", "sent", "superseded", "planned"]


async def test_of_a_batch_only_those_wait_whose_destination_is_full(tmp_path: Path) -> None:
    mail = Pipeline(tmp_path, ScriptedChannel(batch=10, claim=100), limits=Limits(destination="1/h"))
    mail.subscribe(ANN)
    mail.publish()
    await mail.deliver()
    mail.subscribe(BEN)
    mail.publish(subject="another")
    await mail.deliver()
    assert sorted(mail.channel.told()) == [(ANN, "investigating"), (BEN, "investigating")]
    assert mail.channel.requests == [1, 1]
    assert sorted(state for _, state in mail.states()) == ["planned", "sent", "sent"]
    mail.close()


async def test_what_the_account_does_not_allow_is_not_even_claimed(tmp_path: Path) -> None:
    mail = Pipeline(tmp_path, limits=Limits(account="5/h", sender="3/h"))
    for number in range(8):
        mail.subscribe(f"p{number}@example.com")
    mail.publish()
    await mail.deliver_some(3)
    assert sorted(state for _, state in mail.states()) == ["planned"] * 5 + ["sent"] * 3
    assert [(entry.attempts, entry.reason) for entry in mail.entries() if entry.state == "planned"] == [(0, "")] * 5
    mail.close()


class Away(Limiter):
    """Its counts cannot be reached."""

    def wait(self, address: str) -> None:
        raise StoreUnavailableError("the counts of rate limits cannot be reached")


async def test_where_the_counts_cannot_be_reached_it_waits(tmp_path: Path) -> None:
    mail = Pipeline(tmp_path, limiter=Away("email", Limits(destination="1/h")))
    mail.subscribe(ANN)
    mail.publish()
    await mail.deliver()
    assert mail.channel.told() == []
    [entry] = mail.entries()
    assert (entry.state, entry.attempts) == ("planned", 0)
    assert mail.backend.queue.due_at("email") == mail.now + 2 * SECOND
    mail.close()


async def test_a_provider_that_names_a_time_for_all_is_left_alone_until_then() -> None:
    held: list[str] = []
    made, limiter = ScriptedChannel(waits_together=True, batch=5), Limiter("email", held=held.append)
    channel = limited(made, limiter)
    made.script(Retry("answered 429", timedelta(hours=1)))
    await cast(BatchChannel, channel).send_all([message()])
    assert (limiter.take(5), held) == (0, ["provider"])
    assert timedelta(minutes=59) < limiter.pause() <= timedelta(hours=1)


@pytest.mark.parametrize(
    ("outcome", "together"),
    [
        (Retry("answered 429", timedelta(hours=1)), False),
        (Retry("answered 503"), True),
        (Retry("not tried", timedelta(hours=1), attempted=False), True),
    ],
)
async def test_whatever_else_is_answered_stops_nobody(outcome: Retry, together: bool) -> None:
    made, limiter = ScriptedChannel(waits_together=together), Limiter("email")
    made.script(outcome)
    await limited(made, limiter).send(message())
    assert (limiter.take(5), limiter.pause()) == (5, timedelta())


async def test_one_that_means_an_address_holds_up_no_other(tmp_path: Path) -> None:
    mail = Pipeline(tmp_path, ScriptedChannel(claim=1))
    for number in range(3):
        mail.subscribe(f"p{number}@example.com")
    mail.channel.script(Retry("answered 429", timedelta(hours=1)))
    mail.publish()
    await mail.deliver()
    assert sorted(state for _, state in mail.states()) == ["planned", "sent", "sent"]
    mail.close()
