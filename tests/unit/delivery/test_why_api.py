"""Why somebody was told or not, as the API answers it over both engines: each reason, and each fate."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas import events as e
from schemas.events import Cell, Effect, Filter, SubscriberChanged, SubscriberConfirmed, SubscriberRemoved
from schemas.ids import derive
from schemas.vocabulary import CellStatus, Impact, Kind
from schemas.vocabulary import NotificationState as State
from tests.builders.views import HOUR
from tests.builders.web_world import opened, resolved
from tests.unit.delivery.why_worlds import ENGINES, World

INCIDENT, FIRST, LAST = (
    derive("incident", "one"),
    derive("update", "one", "opened"),
    derive("update", "one", "resolved"),
)
PLATFORM = Filter([Cell("platform", "eu")], Impact.MAJOR, [Kind.INCIDENT])


@pytest.fixture(params=ENGINES, ids=["embedded", "fleet"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    made = World(request.param(tmp_path))
    yield made
    made.close()


async def why(world: World, subscriber: str, incident: str = INCIDENT, **query: str) -> Any:
    answer = await world.ask(subscriber, incident=incident, **query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def first(world: World, subscriber: str) -> Any:
    [found] = (await why(world, subscriber, update="1"))["updates"]
    return found


async def test_who_was_told_is_told_why_and_what_became_of_it(world: World) -> None:
    ann = world.subscribe(PLATFORM)
    world.say(opened())
    world.claim(INCIDENT, FIRST, ann)
    world.end(INCIDENT, FIRST, ann, State.SENT, "250 queued")
    found = await why(world, ann)
    chosen = {"component": "platform", "region": "eu"}
    wanted = {"cells": [chosen], "min_impact": "major", "kinds": ["incident"]}
    standing = {"state": "active", "reason": None, "filter": wanted, "audience": "public"}
    [update] = found.pop("updates")
    assert found == {
        "subscriber": ann, "channel": "email", "address": "a", "standing": standing, "incident": INCIDENT,
        "title": "Trouble one",
    }  # fmt: skip
    notification = update.pop("notification")
    assert update == {
        "update": FIRST, "number": 1, "kind": "incident", "status": "investigating", "at": "2026-03-01T12:00:02Z",
        "planned": True, "reason": "chose platform in eu, which reaches api in eu", "told_before": False,
        "reaches": [{
            "component": "api", "region": "eu", "impact": "critical", "chosen": chosen, "through": "platform",
            "weighs": True,
        }],
        "then": standing, "today": None,
    }  # fmt: skip
    assert (notification["state"], notification["meaning"]) == ("sent", "the provider took it")
    assert (notification["reason"], notification["attempts"]) == ("250 queued", 1)


async def test_who_did_not_choose_it_was_not_told(world: World) -> None:
    bob = world.subscribe(Filter([Cell("login"), Cell("api", "us")], Impact.NONE, [Kind.INCIDENT]))
    world.say(opened())
    found = await first(world, bob)
    assert (found["planned"], found["reason"]) == (False, "chose none of the cells that changed")
    assert (found["reaches"], found["today"], found["notification"]) == ([], None, None)


async def test_who_wants_only_worse_was_not_told_though_the_cell_is_theirs(world: World) -> None:
    bob = world.subscribe(PLATFORM)
    world.say(opened(status=CellStatus.DEGRADED))
    found = await first(world, bob)
    assert (found["planned"], found["reason"]) == (False, "chose platform in eu, but only from major impact")
    assert [(reach["impact"], reach["weighs"]) for reach in found["reaches"]] == [("minor", False)]


async def test_who_had_not_confirmed_was_not_told_and_would_be_today(world: World) -> None:
    bob = world.subscribe(confirmed=False)
    world.say(opened(), SubscriberConfirmed(bob))
    found = await first(world, bob)
    assert (found["planned"], found["reason"]) == (False, "the subscriber is pending: not confirmed yet")
    assert found["then"]["state"] == "pending"
    assert found["today"] == {"told": True, "reason": "wants to hear of everything"}


async def test_who_signed_up_later_was_not_told(world: World) -> None:
    world.say(opened())
    bob = world.subscribe()
    found = await first(world, bob)
    assert (found["planned"], found["reason"], found["then"]) == (False, "had not signed up yet", None)
    assert found["today"]["told"]


@pytest.mark.parametrize(
    ("leaving", "reason"),
    [
        (lambda key: SubscriberRemoved(key, "unsubscribed"), "the subscriber is removed: unsubscribed"),
        (lambda key: e.EndpointSuppressed(key, "no such mailbox"), "the subscriber is suppressed: no such mailbox"),
    ],
    ids=["unsubscribed", "suppressed"],
)
async def test_who_had_left_was_not_told_and_who_left_since_was(world: World, leaving: Any, reason: str) -> None:
    gone, going = world.subscribe(), world.subscribe()
    world.say(leaving(gone), opened(), leaving(going))
    before, since = await first(world, gone), await first(world, going)
    assert (before["planned"], before["reason"], before["today"]) == (False, reason, None)
    assert (since["planned"], since["reason"]) == (True, "wants to hear of everything")
    assert since["today"] == {"told": False, "reason": reason}


async def test_what_was_chosen_then_counts_not_what_is_chosen_today(world: World) -> None:
    bob = world.subscribe(PLATFORM)
    world.say(opened(), SubscriberChanged(bob, Filter([Cell("login")], Impact.NONE, [Kind.INCIDENT])))
    found = await first(world, bob)
    assert found["reason"] == "chose platform in eu, which reaches api in eu"
    assert found["then"]["filter"]["cells"] == [{"component": "platform", "region": "eu"}]
    assert found["today"] == {"told": False, "reason": "chose none of the cells that changed"}


async def test_who_was_told_is_told_to_the_end(world: World) -> None:
    bob = world.subscribe(PLATFORM)
    world.say(opened(), SubscriberChanged(bob, Filter([Cell("login")], Impact.NONE, [Kind.INCIDENT])), resolved())
    [end] = (await why(world, bob, update=LAST))["updates"]
    assert (end["number"], end["planned"], end["told_before"]) == (2, True, True)
    assert (
        end["reason"] == "was told of it before, so is told to the end; else not: chose none of the cells that changed"
    )


async def test_an_older_update_names_the_one_that_goes_instead(world: World) -> None:
    ann = world.subscribe()
    world.say(opened(), resolved())
    waiting = await first(world, ann)
    assert waiting["notification"]["superseded_by"] == LAST
    world.end(INCIDENT, FIRST, ann, State.SUPERSEDED, f"a newer update is sent instead: {LAST}")
    older, newer = (await why(world, ann))["updates"]
    assert (older["notification"]["state"], older["notification"]["superseded_by"]) == ("superseded", LAST)
    assert (newer["notification"]["state"], newer["notification"]["superseded_by"]) == ("planned", None)
    assert newer["notification"]["meaning"] == "waits for its turn"


@pytest.mark.parametrize(
    ("state", "reason", "meaning"),
    [
        (State.PLANNED, "451 later", "waits for another attempt"),
        (State.FAILED, "550 no", "was refused for good, or given up"),
        (State.IN_DOUBT, "no answer", "may have arrived, and nobody can tell"),
        (State.SUPPRESSED, "the subscriber is removed: unsubscribed", "was not wanted any more"),
    ],
)
async def test_what_became_of_it_is_what_the_ledger_says(world: World, state: State, reason: str, meaning: str) -> None:
    ann = world.subscribe()
    world.say(opened())
    world.claim(INCIDENT, FIRST, ann)
    assert (await first(world, ann))["notification"]["meaning"] == "is in a sender's hands"
    world.end(INCIDENT, FIRST, ann, state, reason)
    found = (await first(world, ann))["notification"]
    assert (found["state"], found["meaning"], found["reason"], found["attempts"]) == (state, meaning, reason, 1)


async def test_a_reminder_is_among_what_an_operator_was_told(world: World) -> None:
    ops = world.subscribe(Filter(None, Impact.NONE, [Kind.REMINDER]))
    world.say(opened(), e.PromiseReminded(INCIDENT, opened().promise_at or 0), resolved())
    [opening, reminder, end] = (await why(world, ops))["updates"]
    assert [one["number"] for one in (opening, reminder, end)] == [1, None, 2]
    assert (opening["planned"], opening["reason"]) == (False, "does not want to hear of: incident")
    assert (reminder["kind"], reminder["planned"], reminder["reason"]) == ("reminder", True, "is an operator")
    assert not end["told_before"], "a reminder is no news of the incident"


async def test_a_maintenance_has_reasons_too(world: World) -> None:
    ann, bob = world.subscribe(), world.subscribe(Filter([Cell("login")], Impact.CRITICAL, [Kind.MAINTENANCE]))
    starts, ends = world.now + HOUR, world.now + 2 * HOUR
    affects = [Effect("login", None, CellStatus.MAINTENANCE)]
    world.say(e.MaintenanceScheduled("m1", "mu1", "Disks", "We change disks.", affects, starts, ends))
    for one, reason in ((ann, "wants to hear of everything"), (bob, "chose login, which reaches login")):
        [found] = (await why(world, one, "m1"))["updates"]
        assert (found["kind"], found["planned"], found["reason"]) == ("maintenance", True, reason)
        assert [reach["weighs"] for reach in found["reaches"]] == [True]


async def test_what_is_not_there_is_a_404_and_nobody_is_told_without_a_role(world: World) -> None:
    ann = world.subscribe()
    world.say(opened())
    assert (await world.ask("nobody", incident=INCIDENT)).status_code == 404
    assert (await world.ask(ann, incident="nothing")).status_code == 404
    for update in ("2", "0", "nothing", "9" * 50, "\u0661"):
        assert (await world.ask(ann, incident=INCIDENT, update=update)).status_code == 404
    assert (await world.ask(ann)).json()["field"] == "query.incident"
    assert (await world.ask(ann, None, incident=INCIDENT)).status_code == 401
