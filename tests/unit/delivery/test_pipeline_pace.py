"""What subscribers wish of the time, over a real log: what waits, until when, and how it ends."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from consumers.delivery.dispatch import Policy
from consumers.delivery.outcome import InDoubt, Outcome, Rejected, Retry, Scope, Sent
from consumers.delivery.render.words import subject_url
from consumers.delivery.storm import Storm
from schemas.events import (
    Digest,
    EndpointSuppressed,
    Micros,
    NoticePublished,
    Pace,
    PaceChosen,
    QuietHours,
    SubscriberRemoved,
)
from schemas.vocabulary import DigestEvery, Impact, IncidentStatus
from tests.unit.delivery.pipeline import (
    NOON,
    OPENING,
    RESOLVED,
    SECOND,
    Crash,
    Pipeline,
    ScriptedChannel,
    notice_of,
    pipeline,
)
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


# --- one message for several ---

HALF_AN_HOUR = Pace(minimum_gap=1_800)
MINUTE: Micros = 60 * SECOND


def reasons(mail: Pipeline) -> dict[str, str]:
    """Return the reason of each notification by its subject."""
    return {entry.subject: entry.reason for entry in mail.entries()}


async def test_what_comes_within_the_gap_is_combined_into_the_next(mail: Pipeline) -> None:
    subscribe(mail, HALF_AN_HOUR)
    tell(mail, subject="one")
    assert await at(mail, NOON) == [(ANN, "investigating")]
    for number, subject in enumerate(("two", "three", "four"), 1):
        mail.now = NOON + number * MINUTE
        tell(mail, subject=subject)
        assert await at(mail, mail.now) == []
    assert reasons(mail)["two"] == "at most one message each 30m, the next at 12:30 UTC"
    assert await at(mail, NOON + 30 * MINUTE) == [(ANN, "summary")]
    assert {entry.state for entry in mail.entries()} == {"sent"}
    assert [entry.attempts for entry in mail.entries()] == [1] * 4
    told = reasons(mail)
    first = mail.channel.attempts[-1].notification
    assert told["two"] == "in one message with 2 others"
    assert told["three"] == told["four"] == f"in one message with 2 others, sent as {first}"
    tell(mail, subject="five")
    assert await at(mail, NOON + 31 * MINUTE) == []
    assert await at(mail, NOON + 60 * MINUTE) == [(ANN, "investigating")]


async def test_the_summary_lists_what_there_is_and_leads_to_the_page(mail: Pipeline) -> None:
    subscribe(mail, HALF_AN_HOUR)
    tell(mail, subject="one")
    await mail.deliver()
    for subject in ("two", "three"):
        tell(mail, subject=subject)
    mail.now += MINUTE
    await mail.deliver()
    tell(mail, RESOLVED, subject="two")
    await at(mail, NOON + 30 * MINUTE)
    message = mail.channel.attempts[-1]
    assert message.notice.title == "2 incidents"
    assert message.notice.body.splitlines() == [
        "- Investigating: API errors (2026-03-01 12:00 UTC): Some requests fail.",
        "- Happened, and over: API errors (2026-03-01 12:01 UTC): Some requests fail.",
    ]
    assert subject_url(message.notice) == "http://status.example"
    assert message.unsubscribe_url
    assert sorted(entry.state for entry in mail.entries()) == ["sent", "sent", "sent", "superseded"]


async def test_what_came_at_the_same_moment_is_one_and_then_the_rest(mail: Pipeline) -> None:
    subscribe(mail, HALF_AN_HOUR)
    for number in range(12):
        tell(mail, subject=f"incident {number}")
    assert await at(mail, NOON) == [(ANN, "investigating")]
    assert await at(mail, NOON + 30 * MINUTE) == [(ANN, "summary")]
    assert {entry.state for entry in mail.entries()} == {"sent"}


async def test_what_is_critical_does_not_wait_for_the_gap(mail: Pipeline) -> None:
    subscribe(mail, HALF_AN_HOUR)
    tell(mail, subject="one")
    await mail.deliver()
    tell(mail, impact=Impact.CRITICAL, subject="two")
    assert await at(mail, NOON + SECOND) == [(ANN, "investigating")]


@pytest.mark.parametrize(
    ("outcome", "states"),
    [
        (Rejected(Scope.MESSAGE, "too long"), {"failed"}),
        (Rejected(Scope.RECIPIENT, "no such mailbox"), {"failed"}),
        (InDoubt("silence"), {"in_doubt"}),
        (Retry("busy"), {"planned"}),
    ],
)
async def test_all_of_a_message_end_alike(mail: Pipeline, outcome: Outcome, states: set[str]) -> None:
    mail.channel = ScriptedChannel(idempotent=True)
    subscribe(mail, HALF_AN_HOUR)
    for subject in ("one", "two", "three"):
        tell(mail, subject=subject)
    await mail.deliver()
    mail.channel.script(outcome)
    assert await at(mail, NOON + 30 * MINUTE) == [(ANN, "summary")]
    ended = [entry for entry in mail.entries() if entry.state != "sent"]
    assert ({entry.state for entry in ended}, len(ended)) == (states, 2)
    assert sum(isinstance(event.data, EndpointSuppressed) for event in mail.events()) == (
        outcome == Rejected(Scope.RECIPIENT, "no such mailbox")
    )
    again = await at(mail, NOON + 31 * MINUTE)
    assert again == ([(ANN, "summary")] if states == {"planned"} else []), "in doubt it is not asked again"


async def test_channels_that_tell_one_by_one_know_no_gap(tmp_path: Path) -> None:
    with pipeline(ScriptedChannel("webhook", idempotent=True)) as hooks:
        subscribe(hooks, Pace(digest=Digest(DigestEvery.HOUR, 0, "UTC"), minimum_gap=1_800))
        for subject in ("one", "two"):
            tell(hooks, subject=subject)
        assert await at(hooks, NOON) == [(ANN, "investigating")] * 2


async def test_a_digest_sums_up_what_happened_since_the_last(mail: Pipeline) -> None:
    subscribe(mail, Pace(digest=Digest(DigestEvery.DAY, 8 * 60, "Europe/Berlin")))
    mail.now = NOON
    for subject in ("one", "two"):
        tell(mail, subject=subject)
    assert await at(mail, NOON) == []
    assert set(reasons(mail).values()) == {"digest at 08:00 Europe/Berlin"}
    mail.now = NOON + HOUR
    tell(mail, RESOLVED, subject="one")
    tell(mail, impact=Impact.CRITICAL, subject="three")
    assert await at(mail, mail.now) == [(ANN, "investigating")], "what is critical does not wait"
    eight = NOON + 19 * HOUR
    assert await at(mail, eight - 1) == []
    assert await at(mail, eight) == [(ANN, "summary")]
    assert "Happened, and over" in mail.channel.attempts[-1].notice.body
    mail.now = eight + HOUR
    tell(mail, RESOLVED, subject="two")
    assert await at(mail, mail.now) == []
    assert await at(mail, eight + 24 * HOUR) == [(ANN, "resolved")], "alone it goes as it is"
    assert not mail.channel.attempts[-1].over


async def test_an_update_at_the_last_moment_does_not_put_it_off_to_the_next_digest(mail: Pipeline) -> None:
    subscribe(mail, Pace(digest=Digest(DigestEvery.HOUR, 0, "Europe/Berlin")))
    mail.now = NOON + HOUR - SECOND
    tell(mail)
    assert await at(mail, mail.now) == []
    mail.now = NOON + HOUR
    tell(mail, IncidentStatus.IDENTIFIED)
    assert await at(mail, NOON + HOUR) == [(ANN, "identified")]


STORM = Policy(storm=Storm(5, 300 * SECOND))


async def test_many_incidents_at_once_are_one_message(mail: Pipeline) -> None:
    mail.policy = STORM
    for name in (ANN, "ben@example.com"):
        mail.subscribe(name)
    for number in range(20):
        tell(mail, impact=Impact.CRITICAL, subject=f"incident {number}")
    assert await at(mail, NOON) == []
    assert set(reasons(mail).values()) == {"a storm of 20 incidents within 5m: told together"}
    assert sorted(await at(mail, NOON + 10 * SECOND)) == [(ANN, "summary"), ("ben@example.com", "summary")]
    assert {entry.state for entry in mail.entries()} == {"sent"}
    assert {message.notice.title for message in mail.channel.attempts} == {"20 incidents"}


async def test_in_a_storm_messages_keep_their_distance(mail: Pipeline) -> None:
    mail.policy = STORM
    mail.subscribe(ANN)
    told: list[tuple[str, str]] = []
    for number in range(40):
        mail.now = NOON + number * 15 * SECOND
        tell(mail, subject=f"incident {number}")
        told += await at(mail, mail.now)
    told += await at(mail, mail.now + 60 * SECOND)
    assert told[:4] == [(ANN, "investigating")] * 4
    assert len(told) <= 4 + 10, "one a minute"
    assert {entry.state for entry in mail.entries()} == {"sent"}


async def test_few_incidents_are_no_storm(mail: Pipeline) -> None:
    mail.policy = STORM
    mail.subscribe(ANN)
    for number in range(4):
        tell(mail, subject=f"incident {number}")
    assert await at(mail, NOON) == [(ANN, "investigating")] * 4


async def test_a_process_that_dies_with_a_message_in_hand_leaves_all_of_it_in_doubt(mail: Pipeline) -> None:
    subscribe(mail, HALF_AN_HOUR)
    for subject in ("one", "two", "three"):
        tell(mail, subject=subject)
    await mail.deliver()
    mail.now = NOON + 30 * MINUTE

    def dies(place: str) -> None:
        if place == "sent":
            raise Crash

    with pytest.raises(Crash):
        await mail.deliver(dies)
    mail.restart()
    await mail.deliver()
    assert mail.channel.told()[1:] == [(ANN, "summary")]
    assert sorted(entry.state for entry in mail.entries()) == ["in_doubt", "in_doubt", "sent"]


async def test_who_leaves_and_what_is_erased_is_not_among_it(mail: Pipeline) -> None:
    ann = subscribe(mail, HALF_AN_HOUR)
    for subject in ("one", "two", "three"):
        tell(mail, subject=subject)
    await mail.deliver()
    mail.append(SubscriberRemoved(ann, "unsubscribed"))
    assert await at(mail, NOON + 30 * MINUTE) == []
    assert sorted(entry.state for entry in mail.entries()) == ["sent", "suppressed", "suppressed"]
