"""What subscribers wish of the time, over a real log: what waits, until when, and how it ends."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from consumers.delivery.dispatch import Policy
from consumers.delivery.outcome import Retry, Sent
from schemas.events import Micros, NoticePublished, Pace, PaceChosen, QuietHours, SubscriberRemoved
from schemas.vocabulary import Impact, IncidentStatus
from tests.unit.delivery.pipeline import NOON, OPENING, RESOLVED, SECOND, Pipeline, notice_of
from tests.unit.delivery.test_pipeline_sender import ANN

HOUR: Micros = 3_600 * SECOND
NIGHT = QuietHours(22 * 60, 7 * 60, "Europe/Berlin")
ELEVEN, SEVEN = NOON + 10 * HOUR, NOON + 18 * HOUR
"""23:00 and 07:00 in Berlin: the first of March 2026, 12:00 UTC, is noon."""


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[Pipeline]:
    made = Pipeline(tmp_path)
    yield made
    made.close()


def tell(mail: Pipeline, status: IncidentStatus = OPENING, impact: Impact = Impact.MAJOR, subject: str = "one") -> None:
    mail.append(NoticePublished(replace(notice_of(status, subject, mail.now), impact=impact)))


def subscribe(mail: Pipeline, pace: Pace, address: str = ANN) -> str:
    key = mail.subscribe(address)
    mail.append(PaceChosen(key, pace))
    return key


async def at(mail: Pipeline, now: Micros) -> list[tuple[str, str]]:
    """Let time come and the sender do what is due; return what was told then."""
    mail.now = now
    before = len(mail.channel.attempts)
    await mail.deliver()
    return mail.channel.told()[before:]


async def test_what_comes_at_night_waits_for_the_morning(mail: Pipeline) -> None:
    subscribe(mail, Pace(NIGHT))
    mail.subscribe("ben@example.com")
    mail.now = ELEVEN
    tell(mail)
    assert await at(mail, ELEVEN) == [("ben@example.com", "investigating")]
    [held] = [entry for entry in mail.entries() if entry.state == "planned"]
    assert (held.reason, held.attempts, held.held_until) == ("quiet hours until 07:00 Europe/Berlin", 0, SEVEN)
    assert mail.backend.queue.due_at("email") == SEVEN
    assert await at(mail, SEVEN - 1) == []
    assert await at(mail, SEVEN) == [(ANN, "investigating")]
    assert {entry.state for entry in mail.entries()} == {"sent"}


async def test_what_waits_stands_in_the_ledger_and_not_in_memory(mail: Pipeline) -> None:
    subscribe(mail, Pace(NIGHT))
    mail.now = ELEVEN
    tell(mail)
    await mail.deliver()
    mail.restart()
    assert await at(mail, SEVEN) == [(ANN, "investigating")]


async def test_what_is_critical_gets_through_at_night(mail: Pipeline) -> None:
    subscribe(mail, Pace(NIGHT))
    subscribe(mail, Pace(NIGHT, critical_gets_through=False), "ben@example.com")
    mail.now = ELEVEN
    tell(mail, impact=Impact.CRITICAL)
    assert await at(mail, ELEVEN) == [(ANN, "investigating")]
    assert await at(mail, SEVEN) == [("ben@example.com", "investigating")]


async def test_the_all_clear_of_what_was_told_in_the_evening_follows_in_the_morning(mail: Pipeline) -> None:
    subscribe(mail, Pace(NIGHT))
    mail.now = ELEVEN - 3 * HOUR
    tell(mail)
    assert await at(mail, mail.now) == [(ANN, "investigating")]
    mail.now = ELEVEN
    tell(mail, RESOLVED)
    assert await at(mail, ELEVEN) == []
    assert await at(mail, SEVEN) == [(ANN, "resolved")]
    assert not mail.channel.attempts[-1].over


@pytest.mark.parametrize("combined_note", [True, False])
async def test_what_was_over_before_the_morning_is_told_as_such_or_not_at_all(
    mail: Pipeline, combined_note: bool
) -> None:
    mail.policy = Policy(combined_note=combined_note)
    subscribe(mail, Pace(NIGHT))
    mail.now = ELEVEN
    tell(mail)
    await mail.deliver()
    mail.now += HOUR
    tell(mail, RESOLVED)
    assert await at(mail, mail.now) == []
    assert await at(mail, SEVEN) == ([(ANN, "resolved")] if combined_note else [])
    assert [message.over for message in mail.channel.attempts] == [True] * combined_note
    assert [entry.state for entry in mail.entries()] == ["superseded", "sent" if combined_note else "suppressed"]


async def test_the_day_after_which_it_is_given_up_begins_when_it_was_to_be_told(mail: Pipeline) -> None:
    subscribe(mail, Pace(QuietHours(13 * 60 + 1, 13 * 60, "Europe/Berlin")))
    mail.now = NOON + HOUR // 2  # half past one there, and quiet until one o'clock tomorrow
    tell(mail)
    await mail.deliver()
    morning = NOON + 24 * HOUR
    mail.channel.answer = lambda _: Retry("busy")
    assert await at(mail, morning) == [(ANN, "investigating")]
    [entry] = mail.entries()
    assert (entry.state, entry.reason, entry.attempts) == ("planned", "busy", 1)
    mail.channel.answer = lambda _: Sent()
    assert await at(mail, morning + 30 * SECOND) == [(ANN, "investigating")]
    assert mail.states() == [(ANN, "sent")]


async def test_another_pace_counts_from_when_it_is_chosen(mail: Pipeline) -> None:
    ann = subscribe(mail, Pace(NIGHT))
    mail.now = ELEVEN
    tell(mail)
    await mail.deliver()
    mail.append(PaceChosen(ann, Pace(QuietHours(22 * 60, 9 * 60, "Europe/Berlin"))))
    assert await at(mail, SEVEN) == [], "asked again when it was to be told"
    mail.append(PaceChosen(ann, Pace()))
    tell(mail, subject="another")
    assert await at(mail, SEVEN) == [(ANN, "investigating")]
    assert await at(mail, SEVEN + 2 * HOUR) == [(ANN, "investigating")]


async def test_who_leaves_while_it_waits_is_not_told(mail: Pipeline) -> None:
    ann = subscribe(mail, Pace(NIGHT))
    mail.now = ELEVEN
    tell(mail)
    await mail.deliver()
    mail.append(SubscriberRemoved(ann, "unsubscribed"))
    assert await at(mail, SEVEN) == []
    assert mail.states() == [(ANN, "suppressed")]
