"""What subscribers do to their own subscription, from its event to what is sent: pauses, and the link that they ask for."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from consumers.delivery.channel import ConfirmBy
from schemas.events import (
    ConfirmationRequested,
    EndpointSuppressed,
    SubscriberPaused,
    SubscriberRemoved,
)
from streams.runtime.links import CODE_SECONDS, Links, Purpose, Ticket
from tests.unit.delivery.pipeline import PAGE, RESOLVED, Pipeline

ANN, BEN = "ann@example.com", "ben@example.com"


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[Pipeline]:
    made = Pipeline(tmp_path)
    yield made
    made.close()


def links_of(mail: Pipeline) -> Links:
    return Links("http://status.example", mail.backend.vault.signing_key)


async def test_who_paused_hears_of_nothing_not_even_of_the_end(mail: Pipeline) -> None:
    ann, ben = mail.subscribe(ANN), mail.subscribe(BEN)
    mail.publish()
    await mail.deliver()
    mail.append(SubscriberPaused(ann, True), SubscriberPaused(ben, True), SubscriberPaused(ben, False))
    mail.publish(RESOLVED)
    await mail.deliver()
    assert [each for each in mail.channel.told() if each[1] == "resolved"] == [(BEN, "resolved")]
    mail.append(SubscriberPaused(ann, False))
    mail.publish(subject="another")
    await mail.deliver()
    assert sorted(mail.channel.told()[-2:]) == [(ANN, "investigating"), (BEN, "investigating")]


@pytest.mark.parametrize("before", ["pending", "removed", "suppressed"])
def test_only_who_is_active_can_pause(mail: Pipeline, before: str) -> None:
    ann = mail.subscribe(ANN, confirmed=before != "pending")
    end = {"removed": SubscriberRemoved(ann, "unsubscribed"), "suppressed": EndpointSuppressed(ann, "no such mailbox")}
    mail.append(*([end[before]] if before in end else []), SubscriberPaused(ann, True))
    known = mail.backend.subscribers.subscriber(PAGE, ann)
    assert known is not None
    assert known.state == before
    mail.append(SubscriberPaused(ann, False))
    known = mail.backend.subscribers.subscriber(PAGE, ann)
    assert known is not None
    assert known.state == before


async def test_who_asks_for_their_link_is_sent_it_and_nobody_else_is(mail: Pipeline) -> None:
    ann = mail.subscribe(ANN)
    paused = mail.subscribe("pia@example.com")
    mail.append(SubscriberPaused(paused, True))
    pending = mail.subscribe(BEN, confirmed=False)
    gone = mail.subscribe("gus@example.com")
    mail.append(SubscriberRemoved(gone, "unsubscribed"))
    await mail.deliver()
    mail.channel.attempts.clear()
    mail.append(*(ConfirmationRequested(one, "1") for one in (ann, paused, pending, gone, "nobody")))
    await mail.deliver()
    sent = {message.endpoint.address: message for message in mail.channel.attempts}
    assert sent.keys() == {ANN, "pia@example.com"}
    assert not sent[ANN].confirm_url
    assert sent[ANN].token == ""
    ticket = links_of(mail).read(Purpose.MANAGE, sent[ANN].manage_url.rpartition("/")[2])
    assert ticket == Ticket(PAGE, ann)


async def test_a_notice_brings_the_way_to_other_choices_and_a_question_does_not(mail: Pipeline) -> None:
    mail.subscribe(BEN, confirmed=False)
    ann = mail.subscribe(ANN)
    mail.publish()
    await mail.deliver()
    found = {message.endpoint.address: message.manage_url for message in mail.channel.attempts}
    assert found[BEN] == ""
    assert links_of(mail).read(Purpose.MANAGE, found[ANN].rpartition("/")[2]) == Ticket(PAGE, ann)


def by_code(mail: Pipeline) -> None:
    able = mail.channel.capabilities
    mail.channel.capabilities = msgspec.structs.replace(able, confirm_by=ConfirmBy.CODE, codes_a_day=10)


async def test_a_code_is_sent_instead_of_a_link_and_the_page_knows_it(mail: Pipeline) -> None:
    by_code(mail)
    ann = mail.subscribe("+4915112345678", confirmed=False)
    await mail.deliver()
    [sent] = mail.channel.attempts
    assert sent.code == links_of(mail).code(PAGE, ann)
    assert sent.confirm_url == ""
    assert mail.backend.subscribers.subscriber(PAGE, ann).state == "pending"  # type: ignore[union-attr]


async def test_a_code_that_waited_too_long_is_not_sent(mail: Pipeline) -> None:
    by_code(mail)
    mail.subscribe("+4915112345678", confirmed=False)
    mail.now += CODE_SECONDS * 1_000_000
    await mail.deliver()
    assert not mail.channel.attempts
    assert [state for _, state in mail.states()] == ["suppressed"]
