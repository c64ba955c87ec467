"""Webhooks in Statuspage's format: a receiver that knows its keys and no others takes them, and ids are those of the v2 API."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import example, given, settings

from consumers.delivery.channel import AddressError, Message
from consumers.delivery.channels.statuspage_webhook import StatuspageWebhookChannel, StatuspageWebhookSettings
from consumers.delivery.channels.webhook import guard_of
from consumers.delivery.context import ChannelContext
from consumers.delivery.net.guard import Guard
from consumers.delivery.outcome import Outcome, Rejected, Scope, Sent
from consumers.delivery.render.statuspage import body_of
from consumers.web.render.codes import component_code, incident_code, maintenance_code, page_code, update_code
from schemas.events import Change, Effect
from schemas.vocabulary import CellStatus, Impact, Kind
from streams.runtime.metrics import Metrics
from tests.fakes.vendors.http import Request
from tests.fakes.vendors.matrix import HOOK as ENDS
from tests.fakes.vendors.matrix import try_all
from tests.fakes.vendors.server import VendorServer
from tests.fakes.vendors.statuspage_receiver import HOOK, StatuspageReceiver
from tests.unit.config.test_broken import PAGE as CONFIGURATION
from tests.unit.delivery.channels.chats import CONFIRMATION, LONGEST, MAINTENANCE, MESSAGES, REMINDER, RESOLVED
from tests.unit.delivery.channels.messages import NOTICE, message, notice
from tocsin.config import parse
from tocsin.delivering import make_channels

PAGE = "acme"
OWN = StatuspageWebhookSettings(allow_networks=("127.0.0.0/8",))


@pytest.fixture
def vendor() -> Iterator[VendorServer[StatuspageReceiver]]:
    with VendorServer(StatuspageReceiver()) as running:
        yield running


@asynccontextmanager
async def channel(timeout: float = 5.0) -> AsyncIterator[StatuspageWebhookChannel]:
    made = StatuspageWebhookChannel(guard_of(OWN), ChannelContext(page=PAGE), timeout=timeout)
    try:
        yield made
    finally:
        await made.close()


def to(vendor: VendorServer[StatuspageReceiver], about: Any = NOTICE, **changes: Any) -> Message:
    return message(about, address=vendor.url + HOOK, **changes)


async def send(what: Message) -> Outcome:
    async with channel() as webhook:
        return await webhook.send(what)


async def test_an_incident_arrives_as_from_statuspage(vendor: VendorServer[StatuspageReceiver]) -> None:
    changes = [Change("api", "eu", CellStatus.OPERATIONAL, CellStatus.MAJOR_OUTAGE)]
    assert isinstance(await send(to(vendor, notice(changes=changes))), Sent)
    [request] = vendor.accepted
    body = request.json
    assert body["page"] == {
        "id": page_code(PAGE), "status_indicator": "major", "status_description": "Partial System Outage",
    }  # fmt: skip
    incident = body["incident"]
    assert (incident["id"], incident["name"]) == (incident_code(PAGE, NOTICE.subject_id), "API errors in Europe")
    assert (incident["status"], incident["impact"]) == ("investigating", "major")
    assert incident["updated_at"] == "2026-11-22T15:30:00.000+01:00"
    [update] = incident["incident_updates"]
    assert (update["id"], update["incident_id"]) == (update_code(PAGE, NOTICE.update), incident["id"])
    assert update["body"] == NOTICE.body
    assert update["affected_components"] == [
        {"code": component_code(PAGE, "api"), "name": "API", "old_status": "operational", "new_status": "major_outage"},
        {
            "code": component_code(PAGE, "login"), "name": "Login",
            "old_status": "degraded_performance", "new_status": "degraded_performance",
        },
    ]  # fmt: skip
    assert [(one["name"], one["status"]) for one in incident["components"]] == [
        ("API", "major_outage"), ("Login", "degraded_performance"),
    ]  # fmt: skip
    assert request.headers["webhook-id"] == to(vendor, notice(changes=changes)).notification
    assert "webhook-signature" not in request.headers


async def test_the_end_is_told_as_one(vendor: VendorServer[StatuspageReceiver]) -> None:
    await send(to(vendor, RESOLVED, drill=True))
    [request] = vendor.accepted
    assert request.json["page"]["status_indicator"] == "none"
    assert request.json["incident"]["resolved_at"] == "2026-11-22T15:30:00.000+01:00"
    assert request.json["incident"]["name"] == "[DRILL] API errors in Europe"


async def test_a_maintenance_is_an_incident_with_a_window(vendor: VendorServer[StatuspageReceiver]) -> None:
    await send(to(vendor, MAINTENANCE))
    [incident] = vendor.vendor.incidents
    assert incident["id"] == maintenance_code(PAGE, NOTICE.subject_id)
    assert (incident["impact"], incident["status"]) == ("maintenance", "scheduled")
    assert incident["scheduled_for"] == "2026-11-22T15:29:00.000+01:00"
    assert incident["scheduled_until"] == "2026-11-22T16:00:00.000+01:00"


async def test_a_postmortem_brings_its_text(vendor: VendorServer[StatuspageReceiver]) -> None:
    await send(to(vendor, notice(status="postmortem", body="It was us.", timezone="UTC")))
    [incident] = vendor.vendor.incidents
    assert (incident["postmortem_body"], incident["postmortem_published_at"]) == (
        "It was us.",
        "2026-11-22T14:30:00.000Z",
    )


async def test_regions_become_one_component(vendor: VendorServer[StatuspageReceiver]) -> None:
    cells = [Effect("api", "eu", CellStatus.DEGRADED), Effect("api", "us", CellStatus.PARTIAL_OUTAGE)]
    await send(to(vendor, notice(affects=cells, components=["API (v2) (Europe)", "API (v2) (USA)"], changes=[])))
    [incident] = vendor.vendor.incidents
    assert [(one["name"], one["status"]) for one in incident["components"]] == [("API (v2)", "partial_outage")]


async def test_nothing_affected_is_said_in_statuspages_words(vendor: VendorServer[StatuspageReceiver]) -> None:
    await send(to(vendor, notice(affects=[], components=[], changes=[], impact=Impact.NONE)))
    [incident] = vendor.vendor.incidents
    assert incident["incident_updates"][0]["affected_components"] == [
        {"name": "No components were affected by this update."}
    ]


@example(LONGEST)
@given(MESSAGES.filter(lambda what: what.notice.kind in {Kind.INCIDENT, Kind.MAINTENANCE}))
@settings(max_examples=40)
def test_whatever_is_told_has_the_shape(what: Message) -> None:
    request = Request("POST", HOOK, {"content-type": "application/json"}, body_of(what, PAGE))
    assert StatuspageReceiver().complaint(request) is None


@pytest.mark.parametrize("about", [CONFIRMATION, REMINDER])
async def test_what_statuspage_has_no_words_for_is_not_sent(
    vendor: VendorServer[StatuspageReceiver], about: Any
) -> None:
    assert await send(to(vendor, about)) == Rejected(Scope.MESSAGE, "Statuspage's webhooks have no words for this")
    assert vendor.requests == []


async def test_every_way_to_fail(vendor: VendorServer[StatuspageReceiver]) -> None:
    # As with all webhooks: only the status counts, and what a stranger's server refuses is refused for this message.
    expected = ENDS | {"401": "message", "403": "message", "accepted, body cut": "sent", "another's page": "sent"}
    async with channel(timeout=0.4) as webhook:
        await try_all(webhook, to(vendor), vendor, expected, risks=("accepted, 500", "another's page"))


async def test_addresses_are_those_of_webhooks() -> None:
    webhook = StatuspageWebhookChannel(Guard(), ChannelContext())
    assert webhook.mask("https://example.com/s3cret") == "https://example.com/…"
    with pytest.raises(AddressError):
        webhook.validate("http://10.0.0.1/hook")
    await webhook.close()


async def test_ids_are_those_of_the_configured_page(vendor: VendorServer[StatuspageReceiver]) -> None:
    text = f"{CONFIGURATION}channels: {{statuspage_webhook: {{allow_networks: [127.0.0.0/8]}}}}\n"
    config = parse(text.encode(), "tocsin.yaml", {})
    webhook = make_channels(config, Metrics())["statuspage_webhook"]
    assert isinstance(await webhook.send(to(vendor)), Sent)
    await webhook.close()
    assert vendor.accepted[0].json["page"]["id"] == page_code(config.page.id)
