"""POST deliveries/redrive over a real engine: what failed is sent after all, what is in doubt only where that is said."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from consumers.delivery.ledger_rules import notification_id
from schemas.events import (
    DeliveriesRecorded,
    DeliveryResult,
    Event,
    NotificationsClaimed,
    NotificationsPlanned,
    NotificationsRedriven,
)
from schemas.ids import random_id
from schemas.topics import shard_of
from schemas.vocabulary import Kind, NotificationState
from streams.log.port import LogUnavailableError
from tests.unit.commands.office import API, GUEST, OPS, Office
from tests.unit.intake.station import PAGE

STATES = {"ann": NotificationState.FAILED, "ben": NotificationState.IN_DOUBT, "eve": NotificationState.SENT}
ID = {name: notification_id("outage", "u1", name) for name in STATES}
PATH = f"{API}/deliveries/redrive"


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    for name, state in STATES.items():
        shard = shard_of(name)
        for data in (
            NotificationsPlanned("u1", "outage", Kind.INCIDENT, "email", 0, shard, [name]),
            NotificationsClaimed("w", shard, [ID[name]]),
            DeliveriesRecorded("w", shard, [DeliveryResult(ID[name], state, "why", None)]),
        ):
            made.backend._append_events([Event(random_id(), PAGE, made.now, made.now, "t", None, None, False, data)])
    made.backend.settle()
    yield made
    made.close()


def states(office: Office) -> dict[str, NotificationState]:
    office.backend.settle()
    known = office.backend.queue.known(PAGE, list(ID.values()))
    return {name: known[ID[name]].state for name in STATES}


async def test_what_failed_is_put_back_and_what_did_not_is_named(office: Office) -> None:
    async with office.desk() as desk:
        body = {"notifications": [ID["ann"], ID["ben"], ID["eve"], "nobody", ID["ann"]]}
        answer = await desk.post(PATH, json=body, headers=OPS)
    assert answer.status_code == 200
    document = answer.json()
    assert document["redriven"] == [ID["ann"]]
    assert [one["notification"] for one in document["refused"]] == [ID["ben"], ID["eve"], "nobody"]
    assert "even_in_doubt" in document["refused"][0]["reason"]
    assert states(office) == {**STATES, "ann": NotificationState.PLANNED}
    [event] = [event for event in office.events() if isinstance(event.data, NotificationsRedriven)]
    assert isinstance(event.data, NotificationsRedriven)
    assert (event.actor, event.data.notifications) == ("operator:ops", [ID["ann"]])


async def test_what_is_in_doubt_goes_out_again_where_the_operator_says_so(office: Office) -> None:
    async with office.desk() as desk:
        answer = await desk.post(PATH, json={"notifications": [ID["ben"]], "even_in_doubt": True}, headers=OPS)
    assert answer.json() == {"redriven": [ID["ben"]], "refused": []}
    office.backend.settle()
    [entry] = office.backend.queue.next("email", office.now, 10)
    assert (entry.notification, entry.state) == (ID["ben"], "in_doubt")


async def test_the_same_wish_twice_is_one(office: Office) -> None:
    headers = OPS | {"Idempotency-Key": "k"}
    async with office.desk() as desk:
        for _ in range(2):
            assert (await desk.post(PATH, json={"notifications": [ID["ann"]]}, headers=headers)).status_code == 200
            office.backend.settle()
        await desk.post(PATH, json={"notifications": [ID["ann"]]}, headers=OPS)
    assert len([event for event in office.events() if isinstance(event.data, NotificationsRedriven)]) == 1


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        ({"notifications": ["n"]}, {}, 401),
        ({"notifications": ["n"]}, GUEST, 403),
        ({"notifications": []}, OPS, 400),
        ({"notifications": ["n"] * 1001}, OPS, 400),
        ({"notifications": ["n"], "even_in_doubt": "yes"}, OPS, 400),
        ({"notifications": ["n"], "state": "failed"}, OPS, 400),
        ({}, OPS, 400),
    ],
)
async def test_who_may_not_and_what_cannot_be(office: Office, body: Any, headers: dict[str, str], status: int) -> None:
    async with office.desk() as desk:
        assert (await desk.post(PATH, json=body, headers=headers)).status_code == status


class Away:
    def known(self, page: str, notifications: object) -> Any:
        raise LogUnavailableError("away")


async def test_where_the_ledger_cannot_be_asked_nothing_is_stored(office: Office) -> None:
    async with office.desk(notifications=Away()) as desk:
        assert (await desk.post(PATH, json={"notifications": [ID["ann"]]}, headers=OPS)).status_code == 503
    assert states(office) == STATES
