"""Messages that are made together are those that would be made one by one; whoever differs is left to be decided alone."""

from random import Random

import pytest
from msgspec.structs import replace

from consumers.delivery.ahead import Lookups
from consumers.delivery.alike import Alike
from consumers.delivery.channel import Message
from consumers.delivery.dispatch import Dispatch, Policy
from consumers.delivery.outcome import Outcome, Retry, Sent
from consumers.delivery.pacing import Pacing
from consumers.delivery.queue import Entry
from consumers.delivery.storm import Storm
from consumers.delivery.verdicts import Conclusion
from schemas.events import (
    AudienceAssigned,
    EndpointSuppressed,
    NoticePublished,
    Pace,
    PaceChosen,
    QuietHours,
    SubscriberPaused,
    SubscriberRemoved,
)
from schemas.vocabulary import Audience, NotificationState
from streams.runtime.links import Links
from tests.unit.delivery.pipeline import OPENING, RESOLVED, Pipeline, ScriptedChannel, notice_of, pipeline


def prepared(mail: Pipeline, policy: Policy) -> tuple[list[Entry], dict[str, Message], dict[str, Message | Conclusion]]:
    """Return what waits, with the messages that are made of it together and one by one."""
    backend, links = mail.backend, Links("http://status.example", bytes(32), lambda: mail.now)
    entries = backend.queue.next(mail.channel.capabilities.name, mail.now, 100)
    entries = [entry for entry in entries if entry.update == entries[-1].update]
    dispatch = Dispatch(backend.queue, backend.subscribers, backend.vault, links, lambda: mail.now, policy)
    alike = Alike(backend.queue, Pacing(backend.queue, policy.storm), links, lambda: mail.now)
    ahead = Lookups(backend.queue, backend.subscribers, backend.vault).ahead(entries)
    alone = {entry.notification: dispatch._prepared(mail.channel, entry, ahead, Random(0)) for entry in entries}
    return entries, alike.messages(mail.channel, entries, ahead, combined_note=policy.combined_note), alone


def everybody(mail: Pipeline) -> list[str]:
    """Subscribe people of every kind; return first those who are told like everybody."""
    people = [mail.subscribe(f"p{number}@example.com") for number in range(9)]
    mail.publish()
    mail.append(SubscriberRemoved(people[3], "left"))
    mail.append(EndpointSuppressed(people[4], "it bounced"))
    mail.append(SubscriberPaused(people[5], True))
    mail.append(PaceChosen(people[6], Pace(QuietHours(0, 1439, "UTC"))))
    mail.backend.vault.erase(people[7])
    return people


@pytest.mark.parametrize("policy", [Policy(), Policy(storm=Storm(5, 60_000_000))])
def test_who_is_told_like_everybody_is_told_the_same_either_way(policy: Policy) -> None:
    with pipeline(ScriptedChannel(batch=10, claim=100)) as mail:
        people = everybody(mail)
        entries, together, alone = prepared(mail, policy)
        told = {entry.notification for entry in entries if entry.subscriber in {*people[:3], people[8]}}
        assert set(together) == told
        assert together == {one: alone[one] for one in told}


@pytest.mark.parametrize("combined_note", [True, False])
async def test_what_is_over_before_it_was_told(*, combined_note: bool) -> None:
    outcomes: dict[str, Outcome] = {"p0@example.com": Sent()}
    with pipeline(ScriptedChannel(batch=10, claim=100)) as mail:
        for number in range(3):
            mail.subscribe(f"p{number}@example.com")
        mail.channel.answer = lambda message: outcomes.get(message.endpoint.address, Retry("busy"))
        mail.publish()
        await mail.deliver()
        mail.publish(RESOLVED)
        _, together, alone = prepared(mail, Policy(combined_note=combined_note))
        assert len(together) == (3 if combined_note else 1)
        assert together == {one: alone[one] for one in together}
        assert sorted(one.over for one in together.values()) == ([False, True, True] if combined_note else [False])


def _internal(mail: Pipeline) -> None:
    mail.append(NoticePublished(replace(notice_of(OPENING, "secret", mail.now), audience=Audience.INTERNAL)))


def test_nothing_internal_is_told_to_who_is_not_internal_any_more() -> None:
    with pipeline(ScriptedChannel(batch=10, claim=100)) as mail:
        people = [mail.subscribe(f"p{number}@example.com") for number in range(3)]
        for one in people:
            mail.append(AudienceAssigned(one, Audience.INTERNAL))
        _internal(mail)
        mail.append(AudienceAssigned(people[0], Audience.PUBLIC))
        entries, together, alone = prepared(mail, Policy())
        assert len(entries) == 3
        assert {entry.subscriber for entry in entries if entry.notification in together} == set(people[1:])
        assert together == {one: alone[one] for one in together}


async def test_nothing_internal_is_posted_where_everybody_reads() -> None:
    with pipeline(ScriptedChannel(batch=10, claim=100, posts_publicly=True)) as mail:
        for number in range(2):
            mail.append(AudienceAssigned(mail.subscribe(f"p{number}@example.com"), Audience.INTERNAL))
        _internal(mail)
        await mail.deliver()
        assert mail.channel.attempts == []
        assert {entry.state for entry in mail.entries()} == {NotificationState.SUPPRESSED}
        mail.publish()
        await mail.deliver()
        assert len(mail.channel.attempts) == 2


def test_in_a_storm_each_is_decided_alone() -> None:
    with pipeline(ScriptedChannel(batch=10, claim=100)) as mail:
        mail.subscribe("p0@example.com")
        mail.subscribe("p1@example.com")
        for number in range(3):
            mail.publish(subject=f"incident {number}")
        assert len(prepared(mail, Policy())[1]) == 2
        assert prepared(mail, Policy(storm=Storm(3, 60_000_000)))[1] == {}


def test_what_was_looked_up_for_several_requests_costs_no_further_question(monkeypatch: pytest.MonkeyPatch) -> None:
    with pipeline(ScriptedChannel(claim=100)) as mail:
        for number in range(3):
            mail.subscribe(f"p{number}@example.com")
            mail.publish(subject=f"incident {number}")
        backend, links = mail.backend, Links("http://status.example", bytes(32), lambda: mail.now)
        entries = backend.queue.next(mail.channel.capabilities.name, mail.now, 100)
        ahead = Lookups(backend.queue, backend.subscribers, backend.vault).of_many(entries)
        assert len(ahead.subscribers) == 3
        asked: list[str] = []

        def is_calm(_: Pacing, page: str, _now: int) -> bool:
            asked.append(page)
            return True

        monkeypatch.setattr(Pacing, "is_calm", is_calm)
        alike = Alike(backend.queue, Pacing(backend.queue, None), links, lambda: mail.now)
        assert alike.messages(mail.channel, entries[:1], ahead, combined_note=True) == {}
        assert asked == []
