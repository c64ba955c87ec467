"""What every delivery queue promises, over each engine's ledger."""

import pytest

from consumers.delivery.queue import Holding, Overtaken, Share
from schemas.events import DeliveriesRecorded, DeliveryResult
from schemas.ids import derive
from schemas.topics import NOTIFICATIONS, SHARDS, shard_of
from schemas.vocabulary import NotificationState as State
from streams.runtime.notified import Notified
from tests.contract.queue.town import ANN, BEN, EVE, MAIL, PAGE, Town, ids, told

MANY = 600


def test_what_is_planned_is_next_for_its_channel_and_says_all_of_itself(town: Town) -> None:
    town.plan("u1", ANN)
    town.plan("u1", BEN, channel="webhook", published=False)
    [entry] = town.queue.next(MAIL, town.now, 10)
    assert (entry.notification, entry.page, entry.subject, entry.update) == (told("u1", ANN), PAGE, "outage", "u1")
    assert (entry.subscriber, entry.channel, entry.shard) == (ANN, MAIL, shard_of(ANN))
    assert (entry.state, entry.worker, entry.attempts) == ("planned", "", 0)
    assert town.next(channel="webhook") == [told("u1", BEN)]
    assert town.next(channel="smoke") == []


def test_the_longest_due_comes_first_and_no_more_than_asked_for(town: Town) -> None:
    town.plan("u1", EVE, subject="first")
    town.plan("u2", ANN, subject="second")
    town.plan("u3", BEN, subject="third")
    assert town.next(2) == [told("u1", EVE, "first"), told("u2", ANN, "second")]
    assert town.queue.next(MAIL, 0, 10) == []


def test_a_notice_for_a_few_does_not_wait_behind_one_for_many(town: Town) -> None:
    many = [derive("subscriber", f"many {number}") for number in range(MANY)]
    few = [derive("subscriber", f"few {number}") for number in range(3)]
    town.plan("u1", *many, subject="of many", page="big")
    town.plan("u2", *few, subject="of few", page="small")
    first = town.next(50)
    assert {told("u2", one, "of few") for one in few} < set(first)
    assert town.queue.oldest_unsent(MAIL) is not None


def test_what_is_urgent_goes_first_and_what_is_tried_again_in_its_turn(town: Town) -> None:
    town.plan("u1", ANN, subject="first", turn=0)
    town.plan("u2", BEN, subject="second", turn=-500)
    assert town.next() == [told("u2", BEN, "second"), told("u1", ANN, "first")]
    town.claim(told("u2", BEN, "second"))
    town.end(told("u2", BEN, "second"), State.PLANNED, retry_at=town.now + 100)
    assert town.queue.due_at(MAIL) is not None
    town.now += 200
    assert town.next() == [told("u1", ANN, "first"), told("u2", BEN, "second")]
    town.claim(told("u1", ANN, "first"))
    assert town.next() == [told("u2", BEN, "second")]


def test_a_claim_takes_it_away_and_the_first_one_holds_it(town: Town) -> None:
    town.plan("u1", ANN, BEN)
    entries = town.queue.next(MAIL, town.now, 10)
    town.claim(told("u1", ANN), worker="first")
    town.claim(told("u1", ANN), told("u1", BEN), worker="second")
    assert town.next() == []
    assert town.queue.held_by("first", entries).mine == {told("u1", ANN)}
    assert town.queue.held_by("second", entries).mine == {told("u1", BEN)}
    assert town.queue.held_by("third", entries) == Holding(frozenset(), frozenset())
    found = town.queue.claimed(MAIL, 10)
    assert {(entry.notification, entry.worker, entry.attempts) for entry in found} == {
        (told("u1", ANN), "first", 1),
        (told("u1", BEN), "second", 1),
    }
    assert town.queue.claimed("webhook", 10) == []
    assert len(town.queue.claimed(MAIL, 1)) == 1


@pytest.mark.parametrize("state", [State.SENT, State.FAILED, State.SUPPRESSED])
def test_what_ended_is_nobodys_any_more(town: Town, state: State) -> None:
    town.plan("u1", ANN)
    [entry] = town.queue.next(MAIL, town.now, 10)
    town.claim(entry.notification)
    town.end(entry.notification, state)
    assert (town.next(), town.queue.claimed(MAIL, 10), town.queue.due_at(MAIL)) == ([], [], None)
    assert not town.queue.held_by("worker", [entry]).mine


def test_a_retry_waits_for_its_time(town: Town) -> None:
    town.plan("u1", ANN)
    town.claim(told("u1", ANN))
    town.end(told("u1", ANN), State.PLANNED, retry_at=5_000)
    ended = town.now
    assert town.next() == []
    assert town.queue.due_at(MAIL) == 5_000
    assert town.queue.oldest_unsent(MAIL) == ended
    assert ids(town.queue.next(MAIL, 5_000, 10)) == [told("u1", ANN)]


def test_only_the_newest_of_a_subject_is_next_and_the_older_ones_are_overtaken(town: Town) -> None:
    town.plan("u1", ANN, BEN)
    town.plan("u2", ANN)
    assert set(town.next()) == {told("u2", ANN), told("u1", BEN)}
    [overtaken] = town.queue.overtaken(MAIL, 10)
    assert (overtaken.entry.notification, overtaken.by) == (told("u1", ANN), "u2")
    town.plan("u3", ANN)
    assert {(each.entry.notification, each.by) for each in town.queue.overtaken(MAIL, 10)} == {
        (told("u1", ANN), "u3"),
        (told("u2", ANN), "u3"),
    }
    for update in ("u1", "u2"):
        town.end(told(update, ANN), State.SUPERSEDED)
    assert town.queue.overtaken(MAIL, 10) == []
    assert set(town.next()) == {told("u3", ANN), told("u1", BEN)}


def test_what_is_overtaken_while_it_waits_to_be_tried_again_is_not_tried_again(town: Town) -> None:
    town.plan("u1", ANN)
    town.claim(told("u1", ANN))
    town.plan("u2", ANN)
    assert town.next() == []
    town.end(told("u1", ANN), State.IN_DOUBT, retry_at=2_000)
    assert [(each.entry.state, each.by) for each in town.queue.overtaken(MAIL, 10)] == [("in_doubt", "u2")]
    assert ids(town.queue.next(MAIL, 10_000, 10)) == [told("u2", ANN)]


def test_nothing_overtakes_what_is_in_somebodys_hands(town: Town) -> None:
    town.plan("u1", ANN)
    town.claim(told("u1", ANN))
    town.plan("u2", ANN)
    town.plan("u3", ANN, subject="another")
    assert town.next() == [told("u3", ANN, "another")]
    town.claim(told("u3", ANN, "another"))
    assert (town.queue.due_at(MAIL), town.queue.oldest_unsent(MAIL)) == (None, None), (
        "what is in hand wakes us when it ends"
    )
    town.end(told("u3", ANN, "another"), State.PLANNED)
    town.end(told("u1", ANN), State.SENT)
    assert set(town.next()) == {told("u2", ANN), told("u3", ANN, "another")}


def test_a_claim_of_what_is_overtaken_or_has_a_sibling_in_hand_is_blocked(town: Town) -> None:
    town.plan("u1", ANN)
    [first] = town.queue.next(MAIL, town.now, 10)
    town.plan("u2", ANN)
    [second] = town.queue.next(MAIL, town.now, 10)
    town.claim(first.notification, worker="late")
    assert town.queue.held_by("late", [first]) == Holding(frozenset(), frozenset({first.notification}))
    town.claim(second.notification, worker="quick")
    assert town.queue.held_by("quick", [second]) == Holding(frozenset(), frozenset({second.notification}))
    town.end(first.notification, State.PLANNED, retry_at=town.now, worker="late")
    assert town.queue.held_by("quick", [second]) == Holding(frozenset({second.notification}), frozenset())
    assert [each.entry.notification for each in town.queue.overtaken(MAIL, 10)] == [first.notification]


@pytest.mark.parametrize(
    ("state", "never"),
    [(State.SENT, False), (State.IN_DOUBT, False), (State.FAILED, True), (State.SUPPRESSED, True)],
)
def test_whether_anything_of_a_subject_ever_left(town: Town, state: State, never: bool) -> None:
    town.plan("u1", ANN)
    [first] = town.queue.next(MAIL, town.now, 10)
    assert not town.queue.never_left([first]), "there was nothing before"
    town.claim(first.notification)
    town.end(first.notification, state)
    town.plan("u2", ANN)
    town.plan("u9", ANN, subject="another")
    second, another = town.queue.next(MAIL, town.now, 10)
    assert town.queue.never_left([second, another]) == ({second.notification} if never else set())
    assert not town.queue.never_left([another])


def test_the_receipts_of_what_was_sent_before_come_oldest_first(town: Town) -> None:
    ended = [
        ("u1", State.SENT, "first"), ("u2", State.FAILED, "no such channel"), ("u3", State.SENT, ""),
        ("u4", State.IN_DOUBT, "silence"), ("u5", State.SENT, "second"), ("u6", State.SUPPRESSED, "left"),
    ]  # fmt: skip
    entries = []
    for update, state, receipt in ended:
        town.plan(update, ANN, BEN)
        entries += [entry for entry in town.queue.next(MAIL, town.now, 10) if entry.subscriber == ANN]
        town.claim(told(update, ANN))
        town.end(told(update, ANN), state, receipt=receipt)
    town.end(told("u5", ANN), State.DELIVERED, receipt="the handset has it")
    town.plan("u7", ANN)
    town.plan("u1", ANN, subject="another")
    found = {entry.subject: entry for entry in town.queue.next(MAIL, town.now, 10) if entry.subscriber == ANN}
    assert town.queue.earlier(found["outage"]) == ("first", "second")
    assert town.queue.earlier(found["another"]) == ()
    assert [town.queue.earlier(entry) for entry in entries[:3]] == [(), ("first",), ("first",)]
    [ben] = [entry for entry in town.queue.next(MAIL, town.now, 10) if entry.subscriber == BEN]
    assert town.queue.earlier(ben) == ()


def test_what_was_sent_and_then_failed_is_not_gone_on_with(town: Town) -> None:
    for update, state in (("u1", State.DELIVERED), ("u2", State.FAILED)):
        town.plan(update, ANN)
        town.claim(told(update, ANN))
        town.end(told(update, ANN), State.SENT, receipt=update)
        town.end(told(update, ANN), state)
    town.plan("u3", ANN)
    [entry] = town.queue.next(MAIL, town.now, 10)
    assert town.queue.earlier(entry) == ("u1",)


def test_notifications_are_known_by_their_ids(town: Town) -> None:
    town.plan("u1", ANN, BEN)
    town.plan("u2", ANN, channel="webhook", subject="other")
    town.plan("u1", EVE, page="elsewhere")
    town.claim(told("u1", ANN))
    town.end(told("u1", ANN), State.SENT)
    asked = [
        told("u1", ANN),
        told("u1", BEN),
        told("u2", ANN, "other"),
        told("u3", ANN),
        told("u1", EVE),
        "",
        "x",
        "ä\x00",
    ]
    assert town.queue.known(PAGE, asked) == {
        told("u1", ANN): Notified(ANN, MAIL, shard_of(ANN), State.SENT),
        told("u1", BEN): Notified(BEN, MAIL, shard_of(BEN), State.PLANNED),
        told("u2", ANN, "other"): Notified(ANN, "webhook", shard_of(ANN), State.PLANNED),
    }
    assert town.queue.known(PAGE, []) == {}


@pytest.mark.parametrize("before", [State.CLAIMED, State.IN_DOUBT, State.SENT])
def test_a_provider_may_say_at_once_that_it_took_a_message_and_could_not_deliver_it(town: Town, before: State) -> None:
    """Nobody but its holder ends what is in hand or in doubt; that it was taken counts whoever says so, and then its end does."""
    town.plan("u1", ANN)
    town.claim(told("u1", ANN))
    if before is not State.CLAIMED:
        town.end(told("u1", ANN), before)
    failed = DeliveryResult(told("u1", ANN), State.FAILED, "bounced", None)
    if before is not State.SENT:
        town.happens(DeliveriesRecorded("receipt:smoke", shard_of(ANN), [failed]))
        assert town.queue.known(PAGE, [told("u1", ANN)])[told("u1", ANN)].state is before
    taken = DeliveryResult(told("u1", ANN), State.SENT, "", None)
    town.happens(DeliveriesRecorded("receipt:smoke", shard_of(ANN), [taken, failed]))
    assert town.queue.known(PAGE, [told("u1", ANN)])[told("u1", ANN)].state is State.FAILED
    assert (town.next(), town.queue.claimed(MAIL, 10)) == ([], [])


@pytest.mark.parametrize("attempted", [True, False])
def test_what_was_put_off_before_anything_was_tried_counts_as_no_attempt(town: Town, attempted: bool) -> None:
    town.plan("u1", ANN)
    for _ in range(2):
        town.claim(told("u1", ANN))
        town.end(told("u1", ANN), State.PLANNED, retry_at=town.now, attempted=attempted)
        town.end(told("u1", ANN), State.PLANNED, retry_at=town.now, attempted=attempted)  # the log may hold it twice
    [entry] = town.queue.next(MAIL, town.now, 10)
    assert (entry.state, entry.attempts) == (State.PLANNED, 2 if attempted else 0)
    assert (entry.held_until > 0) == (not attempted)


def test_up_to_when_it_was_put_off_stays_known_when_it_is_tried_again(town: Town) -> None:
    town.plan("u1", ANN)
    for retry_at, attempted in ((5_000, False), (4_000, False), (9_000, True)):
        town.claim(told("u1", ANN))
        town.end(told("u1", ANN), State.PLANNED, retry_at=retry_at, attempted=attempted)
    [entry] = town.queue.next(MAIL, 9_000, 10)
    assert (entry.held_until, entry.attempts) == (5_000, 1)


def ended(town: Town, notification: str, state: State) -> None:
    town.claim(notification)
    town.end(notification, state)


def test_what_failed_is_found_and_sent_after_all(town: Town) -> None:
    town.plan("u1", ANN, BEN, EVE)
    ended(town, told("u1", ANN), State.FAILED)
    ended(town, told("u1", BEN), State.SENT)
    town.plan("u1", ANN, page="elsewhere")
    [failed], more = town.queue.in_state(PAGE, State.FAILED, None, 10)
    assert (failed.notification, failed.reason, failed.attempts, more) == (told("u1", ANN), "failed", 1, None)
    town.redrive(told("u1", ANN), told("u1", BEN), "nobody knows it")
    assert town.queue.in_state(PAGE, State.FAILED, None, 10) == ([], None)
    found = {entry.notification: entry for entry in town.queue.next(MAIL, town.now, 10)}
    assert set(found) >= {told("u1", ANN), told("u1", EVE)}
    assert told("u1", BEN) not in found
    assert (found[told("u1", ANN)].state, found[told("u1", ANN)].attempts) == (State.PLANNED, 0)


def test_what_is_in_doubt_is_asked_again_only_where_that_is_said(town: Town) -> None:
    town.plan("u1", ANN)
    ended(town, told("u1", ANN), State.IN_DOUBT)
    town.redrive(told("u1", ANN))
    assert town.next() == []
    [doubted], _ = town.queue.in_state(PAGE, State.IN_DOUBT, None, 10)
    assert doubted.notification == told("u1", ANN)
    town.redrive(told("u1", ANN), even_in_doubt=True)
    [again] = town.queue.next(MAIL, town.now, 10)
    assert (again.notification, again.state) == (told("u1", ANN), State.IN_DOUBT)


def test_what_is_sent_after_all_does_not_go_before_a_newer_update(town: Town) -> None:
    town.plan("u1", ANN)
    ended(town, told("u1", ANN), State.FAILED)
    town.plan("u2", ANN)
    town.redrive(told("u1", ANN))
    assert town.next() == [told("u2", ANN)]
    [overtaken] = town.queue.overtaken(MAIL, 10)
    assert (overtaken.entry.notification, overtaken.by) == (told("u1", ANN), "u2")


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_what_failed_is_listed_page_by_page_each_once(town: Town, limit: int) -> None:
    wanted: list[str] = []
    for subject in ("outage", "other"):
        for update in ("u1", "u2", "u3"):
            town.plan(f"{subject}{update}", ANN, BEN, EVE, subject=subject)
            for one in (ANN, BEN, EVE):
                bad = (update, one) != ("u2", BEN)
                ended(town, told(f"{subject}{update}", one, subject), State.FAILED if bad else State.SENT)
                wanted += [told(f"{subject}{update}", one, subject)] * bad
    found: list[str] = []
    after: str | None = None
    while True:
        some, after = town.queue.in_state(PAGE, State.FAILED, after, limit)
        assert len(some) == limit or after is None
        found += ids(some)
        if after is None:
            break
    assert sorted(found) == sorted(wanted)
    with pytest.raises(ValueError, match="not a cursor"):
        town.queue.in_state(PAGE, State.FAILED, "x", 1)


def test_what_was_put_off_is_found_by_its_endpoint(town: Town) -> None:
    for number, (page, person) in enumerate(
        [(PAGE, ANN), (PAGE, ANN), (PAGE, ANN), (PAGE, BEN), ("elsewhere", ANN)], 1
    ):
        town.plan(f"u{number}", person, subject=f"s{number}", page=page)
    off = [told("u1", ANN, "s1"), told("u2", ANN, "s2"), told("u4", BEN, "s4")]
    for one, until in zip(off, (5_000, 6_000, 5_000), strict=True):
        town.claim(one)
        town.end(one, State.PLANNED, retry_at=until, attempted=False)
    assert ids(town.queue.held(PAGE, ANN, town.now, 10)) == off[:2], "u3 was never put off"
    assert ids(town.queue.held(PAGE, ANN, town.now, 1)) == off[:1]
    assert town.queue.held("elsewhere", ANN, town.now, 10) == []
    town.claim(off[0])
    assert ids(town.queue.held(PAGE, ANN, town.now, 10)) == off[1:2], "it is in somebody's hands"
    town.end(off[0], State.PLANNED, retry_at=9_000)
    assert ids(town.queue.held(PAGE, ANN, 8_999, 10)) == off[1:2], "its provider said when"
    assert set(ids(town.queue.held(PAGE, ANN, 9_000, 10))) == set(off[:2])
    town.plan("u6", ANN, subject="s2")
    assert ids(town.queue.held(PAGE, ANN, 9_000, 10)) == off[:1], "a newer update takes its place"
    town.claim(off[0])
    town.end(off[0], State.SENT)
    assert town.queue.held(PAGE, ANN, 9_000, 10) == []


def test_what_was_published_lately_comes_newest_first(town: Town) -> None:
    for number, (subject, page) in enumerate([("a", PAGE), ("b", PAGE), ("a", PAGE), ("c", "elsewhere"), ("d", PAGE)]):
        town.plan(f"u{number}", ANN, subject=subject, page=page)
        town.now += 100
    assert town.queue.lately(PAGE, 0, 10) == ["d", "a", "b"]
    assert town.queue.lately(PAGE, 0, 2) == ["d", "a"]
    assert town.queue.lately(PAGE, town.now - 150, 10) == ["d"]
    assert town.queue.lately(PAGE, town.now, 10) == []
    assert town.queue.lately("nowhere", 0, 10) == []


def test_what_one_endpoint_was_to_be_told_of_some_subjects(town: Town) -> None:
    for update, subject in (("u1", "a"), ("u2", "b"), ("u3", "a"), ("u4", "c")):
        town.plan(update, ANN, BEN, subject=subject)
    found = town.queue.threads(PAGE, ANN, ["a", "b", "nothing", "a"])
    assert sorted(ids(found)) == sorted([told("u1", ANN, "a"), told("u3", ANN, "a"), told("u2", ANN, "b")])
    assert (town.queue.threads(PAGE, EVE, ["a"]), town.queue.threads(PAGE, ANN, [])) == ([], [])
    assert town.queue.threads("elsewhere", ANN, ["a"]) == []


def test_a_notice_is_found_by_its_entry(town: Town) -> None:
    town.plan("u1", ANN)
    [entry] = town.queue.next(MAIL, town.now, 10)
    assert town.queue.notice(entry).update == "u1"
    assert town.queue.published(PAGE, "outage", "u1") == town.queue.notice(entry)
    with pytest.raises(LookupError):
        town.queue.published(PAGE, "outage", "u2")


def test_a_thread_is_all_of_a_subject_that_one_endpoint_is_told(town: Town) -> None:
    town.plan("u2", ANN, BEN)
    town.plan("u1", ANN)
    town.plan("u3", BEN)
    town.plan("u4", ANN, subject="another")
    town.plan("u5", EVE, page="globex")
    town.claim(told("u1", ANN))
    found = town.queue.thread(PAGE, "outage", ANN)
    assert [(entry.notification, entry.page, entry.state) for entry in found] == [
        (told("u2", ANN), PAGE, "planned"),
        (told("u1", ANN), PAGE, "claimed"),
    ]
    assert {(entry.subject, entry.subscriber, entry.channel, entry.shard) for entry in found} == {
        ("outage", ANN, MAIL, shard_of(ANN))
    }
    assert town.queue.thread(PAGE, "outage", EVE) == []
    assert town.queue.thread("globex", "outage", ANN) == []


def test_senders_part_the_work_between_them(town: Town) -> None:
    people = [f"{number * 4:02x}{number:030x}" for number in range(SHARDS)]
    town.plan("u1", *people)
    for count in (2, 3, NOTIFICATIONS.partitions + 3):
        parts = [ids(town.queue.next(MAIL, town.now, 1_000, Share(index, count))) for index in range(count)]
        assert set().union(*parts) == {told("u1", one) for one in people}
        if sum(map(len, parts)) != len(people):  # one process alone parts nothing
            assert all(part == parts[0] for part in parts)


def test_of_a_million_only_a_few_are_looked_at(town: Town) -> None:
    """Most of them are overtaken: they must not be walked through to find those that are not."""
    people = [f"{number:032x}" for number in range(MANY)]
    town.plan("u1", *people)
    town.plan("u2", *people)
    town.plan("u3", *people[:3])
    before = town.ledger.reads
    assert len(town.next(4)) == 4
    few = town.ledger.reads - before
    assert few < MANY / 4
    before = town.ledger.reads
    overtaken: list[Overtaken] = town.queue.overtaken(MAIL, 4)
    assert len(overtaken) == 4
    assert town.ledger.reads - before < MANY / 4


def test_what_became_of_a_subject_is_listed_page_by_page(town: Town) -> None:
    people = sorted((ANN, BEN, EVE))
    town.plan("u1", *people)
    town.plan("u2", *people, channel=MAIL)
    town.plan("u3", ANN, subject="another")
    town.plan("u1", EVE, page="globex")
    town.claim(told("u2", ANN))
    found, cursor = town.queue.of_subject(PAGE, "outage", None, 2)
    assert len(found) == 2
    while cursor is not None:
        more, cursor = town.queue.of_subject(PAGE, "outage", cursor, 2)
        assert len(more) <= 2
        found += more
    assert sorted(ids(found)) == sorted(told(update, one) for update in ("u1", "u2") for one in people)
    for one in people:
        assert [entry.update for entry in found if entry.subscriber == one] == ["u1", "u2"]
    assert {entry.page for entry in found} == {PAGE}
    assert {entry.state for entry in found if entry.notification == told("u2", ANN)} == {"claimed"}
    assert town.queue.of_subject(PAGE, "unknown", None, 2) == ([], None)


@pytest.mark.parametrize("cursor", ["x", "-1", "1.2", "9" * 40, "1.x.acme/1", "\u0661"])
def test_a_strange_cursor_is_refused(town: Town, cursor: str) -> None:
    with pytest.raises(ValueError, match="not a cursor"):
        town.queue.of_subject(PAGE, "outage", cursor, 2)
