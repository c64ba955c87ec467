"""PagerDuty: which events an incident becomes, what they do to alerts, and how every attempt ends."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import example, given, settings

from consumers.delivery.channel import AddressError, Message
from consumers.delivery.channels.pagerduty import PATIENCE, PagerDutyChannel, PagerDutySettings, _event
from consumers.delivery.context import ChannelContext
from consumers.delivery.outcome import Outcome, Rejected, Retry, Scope, Sent
from consumers.delivery.settings import read
from schemas.vocabulary import Impact, Kind
from tests.fakes.vendors.http import Reply, Request, json_reply
from tests.fakes.vendors.matrix import PROVIDER, try_all
from tests.fakes.vendors.pagerduty import ENQUEUE, KEY, PagerDuty
from tests.fakes.vendors.server import VendorServer
from tests.unit.delivery.channels.chats import CONFIRMATION, LONGEST, MAINTENANCE, MESSAGES, REMINDER, RESOLVED, to
from tests.unit.delivery.channels.messages import NOTICE, message, notice

SUBJECT = NOTICE.subject_id


@pytest.fixture
def vendor() -> Iterator[VendorServer[PagerDuty]]:
    with VendorServer(PagerDuty()) as running:
        yield running


@asynccontextmanager
async def channel(
    vendor: VendorServer[PagerDuty], timeout: float = 5.0, **changes: Any
) -> AsyncIterator[PagerDutyChannel]:
    made = PagerDutyChannel(PagerDutySettings(api=vendor.url, **changes), ChannelContext(), timeout=timeout)
    try:
        yield made
    finally:
        await made.close()


def told(about: Any = NOTICE, **changes: Any) -> Message:
    return message(about, address=KEY, **changes)


async def send(vendor: VendorServer[PagerDuty], *what: Message, **changes: Any) -> list[Outcome]:
    async with channel(vendor, **changes) as pagerduty:
        return [await pagerduty.send(one) for one in what]


def actions(vendor: VendorServer[PagerDuty]) -> list[str]:
    return [request.json["event_action"] for request in vendor.accepted]


async def test_an_incident_opens_an_alert(vendor: VendorServer[PagerDuty]) -> None:
    assert await send(vendor, told()) == [Sent(SUBJECT)]
    assert vendor.vendor.alerts == {SUBJECT: "triggered"}
    [event] = vendor.vendor.triggers
    assert event["payload"] == {
        "summary": "[Acme Cloud] Investigating: API errors in Europe",
        "source": "status.acme.example",
        "severity": "error",
        "timestamp": "2026-11-22T14:30:00.000+00:00",
        "class": "incident",
        "group": "Acme Cloud",
        "component": "API (Europe)",
        "custom_details": {
            "body": "Some requests fail.\n\n- reads work\n- writes do not",
            "affected": ["API (Europe): major outage", "Login: degraded performance"],
            "status": "investigating",
            "impact": "major",
            "promise": "Next update by 16:00 CET.",
        },
    }
    assert event["links"][0]["href"] == f"https://status.acme.example/incidents/{SUBJECT}"


IDENTIFIED = notice(update="u2", status="identified")


@pytest.mark.parametrize(("acknowledge", "middle"), [(False, "trigger"), (True, "acknowledge")])
async def test_an_incident_is_one_alert_to_its_end(
    vendor: VendorServer[PagerDuty], acknowledge: bool, middle: str
) -> None:
    earlier = {"earlier": (SUBJECT,)}
    await send(vendor, told(), told(IDENTIFIED, **earlier), told(RESOLVED, **earlier), acknowledge=acknowledge)
    assert actions(vendor) == ["trigger", middle, "resolve"]
    assert vendor.vendor.alerts == {SUBJECT: "resolved"}
    await send(vendor, told(notice(status="postmortem"), **earlier), acknowledge=acknowledge)
    assert vendor.vendor.alerts == {SUBJECT: "resolved"}, "a post-mortem wakes nobody"


async def test_what_was_never_opened_is_not_acknowledged(vendor: VendorServer[PagerDuty]) -> None:
    await send(vendor, told(IDENTIFIED), acknowledge=True)
    assert vendor.vendor.alerts == {SUBJECT: "triggered"}


async def test_what_is_over_pages_nobody(vendor: VendorServer[PagerDuty]) -> None:
    assert await send(vendor, told(RESOLVED, over=True)) == [Sent(SUBJECT)]
    assert vendor.vendor.alerts == {}


@pytest.mark.parametrize(
    ("about", "changes", "severity"),
    [
        (notice(impact=Impact.NONE), {}, "info"), (notice(impact=Impact.MINOR), {}, "warning"),
        (notice(impact=Impact.CRITICAL), {}, "critical"), (notice(impact=Impact.CRITICAL), {"drill": True}, "info"),
        (MAINTENANCE, {}, "info"),
    ],
)  # fmt: skip
async def test_severities(vendor: VendorServer[PagerDuty], about: Any, changes: dict[str, Any], severity: str) -> None:
    await send(vendor, told(about, **changes))
    [event] = vendor.vendor.triggers
    assert event["payload"]["severity"] == severity
    assert ("[DRILL]" in event["payload"]["summary"]) is bool(changes)


@pytest.mark.parametrize("about", [CONFIRMATION, REMINDER])
async def test_questions_and_reminders_page_nobody(vendor: VendorServer[PagerDuty], about: Any) -> None:
    assert await send(vendor, told(about)) == [Rejected(Scope.MESSAGE, "nothing that pages people")]
    assert vendor.requests == []


@example(LONGEST)
@given(MESSAGES.filter(lambda what: what.notice.kind in {Kind.INCIDENT, Kind.MAINTENANCE}))
@settings(max_examples=40)
def test_whatever_is_told_fits(what: Message) -> None:
    event = orjson.dumps(_event(to(KEY, what), "trigger"))
    assert PagerDuty().complaint(Request("POST", ENQUEUE, {"content-type": "application/json"}, event)) is None


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (
            json_reply(400, {"status": "invalid event", "errors": ["Invalid routing key"]}),
            Rejected(Scope.RECIPIENT, "answered 400: the routing key is not one"),
        ),
        (
            json_reply(400, {"status": "invalid event", "errors": ["'summary' is missing"]}),
            Rejected(Scope.MESSAGE, "answered 400"),
        ),
        (Reply(400, body=b"not JSON"), Rejected(Scope.MESSAGE, "answered 400")),
        (Reply(429), Retry("answered 429", PATIENCE)),
        (Reply(429, {"Retry-After": "7"}), Retry("answered 429", timedelta(seconds=7))),
        (Reply(500), Retry("answered 500")),
        (Reply(404), Rejected(Scope.CHANNEL, "answered 404")),
    ],
)
async def test_what_an_answer_means(vendor: VendorServer[PagerDuty], reply: Reply, outcome: Outcome) -> None:
    vendor.misbehave(reply)
    assert await send(vendor, told()) == [outcome]


async def test_every_way_to_fail(vendor: VendorServer[PagerDuty]) -> None:
    async with channel(vendor, timeout=0.4) as pagerduty:
        await try_all(pagerduty, told(), vendor, PROVIDER | {"429": "retry after 120 s"})


async def test_what_was_in_doubt_may_be_asked_again(vendor: VendorServer[PagerDuty]) -> None:
    vendor.misbehave(Reply(500, accepts=True))
    assert [type(one) for one in await send(vendor, told(), told())] == [Retry, Sent]
    assert vendor.vendor.alerts == {SUBJECT: "triggered"}


async def test_a_routing_key_is_a_secret(vendor: VendorServer[PagerDuty]) -> None:
    async with channel(vendor) as pagerduty:
        assert pagerduty.validate(KEY) == KEY
        assert pagerduty.mask(KEY) == "PagerDuty: …"
        for wrong in ("", KEY[:-1], f"{KEY}0", KEY[:-1] + "é", KEY[:-1] + "\n"):
            with pytest.raises(AddressError) as refused:
                pagerduty.validate(wrong)
            assert "0123" not in str(refused.value)


def test_settings_that_cannot_work_are_refused() -> None:
    for wrong in ({"api": "events.pagerduty.com"}, {"acknowledge": "perhaps"}):
        with pytest.raises(msgspec.ValidationError):
            read(PagerDutySettings, wrong)
