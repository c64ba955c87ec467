"""What is sent with one request: its messages are looked up together, and each of them is still judged for itself."""

import asyncio

import pytest

from consumers.delivery.channel import Message
from consumers.delivery.outcome import Outcome, Rejected, Retry, Scope, Sent
from consumers.delivery.subscribers import SUBSCRIBERS
from schemas.events import SubscriberAdded
from schemas.ids import random_id
from streams.keys.sqlite import SqliteKeyStore
from streams.keys.store import Kept
from tests.unit.delivery.pipeline import EVERYTHING, MINUTE, PAGE, RESOLVED, Pipeline, ScriptedChannel, pipeline


def many(mail: Pipeline, count: int = 4) -> list[str]:
    return [mail.subscribe(f"p{number}@example.com") for number in range(count)]


async def test_one_that_cannot_be_read_does_not_hold_up_the_others() -> None:
    with pipeline(ScriptedChannel(batch=10, claim=100)) as mail:
        many(mail)
        broken = random_id()
        mail.backend.vault.create(broken)
        sealed = mail.backend.vault.seal(broken, b"no endpoint")
        mail.append(SubscriberAdded(broken, "email", sealed, EVERYTHING, True, "test"))
        mail.publish()
        await mail.deliver()
        assert mail.channel.requests == [4]
        assert [(entry.state, entry.reason) for entry in mail.entries() if entry.subscriber == broken] == [
            ("planned", "it could not be prepared: DecodeError")
        ]


async def test_keys_that_cannot_be_read_put_all_of_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> dict[str, Kept]:
        raise OSError("away")

    with pipeline(ScriptedChannel(batch=10, claim=100)) as mail:
        many(mail)
        mail.publish()
        mail.backend.vault._cache.clear()
        with monkeypatch.context() as broken:
            broken.setattr(SqliteKeyStore, "get_all", away)
            broken.setattr(SqliteKeyStore, "get", away)
            await mail.deliver()
        assert {state for _, state in mail.states()} == {"planned"}
        assert mail.channel.requests == []
        mail.now += MINUTE
        await mail.deliver()
        assert {state for _, state in mail.states()} == {"sent"}


@pytest.mark.parametrize("is_in_memory", [True, False])
async def test_who_left_is_left_out_wherever_subscribers_are_read(*, is_in_memory: bool) -> None:
    with pipeline(ScriptedChannel(batch=10, claim=100)) as mail:
        people = many(mail)
        if not is_in_memory:
            mail.backend.subscribers.tables[SUBSCRIBERS].shrink(0)
        found = mail.backend.subscribers.active(PAGE, [*people, "a stranger"])
        assert {key: known.id for key, known in found.items()} == {one: one for one in people}
        assert all(known.address for known in found.values())


async def test_only_those_whose_opening_never_left_are_told_that_it_is_over() -> None:
    outcomes: dict[str, Outcome] = {
        "p0@example.com": Sent(),
        "p1@example.com": Retry("busy"),
        "p2@example.com": Rejected(Scope.MESSAGE, "refused"),
    }
    with pipeline(ScriptedChannel(batch=10, claim=100)) as mail:
        many(mail, 3)
        mail.channel.answer = lambda message: outcomes.pop(message.endpoint.address, Sent())
        mail.publish()
        await mail.deliver()
        mail.publish(RESOLVED)
        await mail.deliver()
        assert mail.channel.requests == [3, 3]
        told = {message.endpoint.address: message.over for message in mail.channel.attempts[3:]}
        assert told == {"p0@example.com": False, "p1@example.com": True, "p2@example.com": True}


async def test_the_next_request_is_made_while_others_are_on_their_way() -> None:
    with pipeline(ScriptedChannel(batch=2, claim=2, claims=3)) as mail:
        many(mail, 7)

        async def until_all_are_under_way(_: Message) -> None:
            while 1 < len(mail.channel.requests) < 4:  # noqa: ASYNC110 - a channel sets no event
                await asyncio.sleep(0.001)

        mail.channel.before = until_all_are_under_way
        mail.publish()
        await mail.deliver()
        assert mail.channel.requests == [1, 2, 2, 2], "the first one shows that the provider is quick"
        assert {state for _, state in mail.states()} == {"sent"}
