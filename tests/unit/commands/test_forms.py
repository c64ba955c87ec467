"""What people click: the form of the page, and the buttons behind the links of a mail."""

from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.events import Cell, SubscriberAdded, SubscriberRemoved
from schemas.vocabulary import Impact, Kind
from streams.runtime.links import Purpose
from tests.unit.commands.office import Office
from tests.unit.intake.station import PAGE
from tests.unit.intake.test_hostile import NASTY

BROWSER = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
Form = dict[str, Any]
EVERYTHING: Form = {"email": "ann@example.com", "webhook": "", "website": "", "scope": "all", "min_impact": "none"}


async def send(client: httpx.AsyncClient, form: Form, headers: dict[str, str] | None = None) -> httpx.Response:
    return await client.post("/subscribe", data=form, headers=BROWSER if headers is None else headers)


async def test_the_form_signs_up(office: Office, client: httpx.AsyncClient) -> None:
    answer = await send(client, EVERYTHING | {"kinds": ["incident", "maintenance"]})
    assert (answer.status_code, answer.headers["location"]) == (303, "/subscribed")
    assert not answer.cookies
    [data] = office.of(SubscriberAdded)
    assert (data.filter.cells, data.confirmed, data.origin) == (None, False, "public")
    assert office.addresses() == ["ann@example.com"]


async def test_the_form_chooses(office: Office, client: httpx.AsyncClient) -> None:
    chosen: Form = {"scope": "some", "cells": ["platform", "payments/eu"], "min_impact": "major", "kinds": ["incident"]}
    assert (await send(client, {"email": "ann@example.com"} | chosen)).status_code == 303
    [data] = office.of(SubscriberAdded)
    assert data.filter.cells == [Cell("platform"), Cell("payments", "eu")]
    assert (data.filter.min_impact, data.filter.kinds) == (Impact.MAJOR, [Kind.INCIDENT])


async def test_everything_is_everything_whatever_was_ticked(office: Office, client: httpx.AsyncClient) -> None:
    await send(client, EVERYTHING | {"cells": ["login"]})
    [data] = office.of(SubscriberAdded)
    assert data.filter.cells is None


async def test_the_form_takes_other_channels_but_none_that_only_an_operator_fills(
    office: Office, client: httpx.AsyncClient
) -> None:
    blank = {"email": "", "webhook": ""}
    assert (await send(client, blank | {"channel": "text", "address": "+49 30 1234"})).status_code == 303
    for confirmed in ({}, {"confirmed": "true"}):
        answer = await send(client, blank | {"channel": "room", "address": "C0123"} | confirmed)
        assert (answer.status_code, answer.json()["field"]) == (400, "confirmed")
    assert [data.channel for data in office.of(SubscriberAdded)] == ["text"]


async def test_programs_get_json(client: httpx.AsyncClient) -> None:
    answer = await send(client, {"email": "ann@example.com"}, {"Accept": "application/json"})
    assert (answer.status_code, answer.json()["state"]) == (200, "pending")


async def test_a_webhook_is_told_its_secret_even_in_a_browser(client: httpx.AsyncClient) -> None:
    answer = await send(client, {"webhook": "https://example.com/hook"})
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    assert answer.json()["secret"].startswith("whsec_")


async def test_a_program_that_fills_in_everything_gets_nothing(office: Office, client: httpx.AsyncClient) -> None:
    answer = await send(client, EVERYTHING | {"website": "https://spam.example"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/subscribed")
    assert not office.of(SubscriberAdded)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"email": ""}, "email"),
        ({"email": "ann"}, "email"),
        ({"webhook": "https://example.com/"}, "webhook"),
        ({"scope": "some"}, "cells"),
        ({"scope": "some", "cells": ["nope"]}, "cells[0].component"),
        ({"scope": "some", "cells": ["api/mars"]}, "cells[0].region"),
        ({"scope": "some", "cells": ["/"]}, "cells[0].component"),
        ({"kinds": ["news"]}, "kinds[0]"),
        ({"min_impact": "huge"}, "min_impact"),
    ],
)
async def test_what_is_wrong_is_named(
    shared_office: Office, shared_client: httpx.AsyncClient, change: Form, field: str
) -> None:
    answer = await send(shared_client, EVERYTHING | change)
    assert (answer.status_code, answer.json()["field"]) == (400, field)
    assert not shared_office.of(SubscriberAdded)


async def test_what_is_no_form(shared_client: httpx.AsyncClient) -> None:
    assert (await shared_client.post("/subscribe", json={"email": "ann@example.com"})).status_code == 415
    assert (await send(shared_client, {"email": "x" * 200_000})).status_code == 413
    assert (await send(shared_client, {"cells": ["x"] * 1_001})).status_code == 400
    assert (await send(shared_client, {"page": "nowhere", "email": "ann@example.com"})).status_code == 404


values = st.text(max_size=30) | st.sampled_from(NASTY)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(form=st.dictionaries(st.sampled_from([*EVERYTHING, "cells", "kinds", "page"]) | values, values))
async def test_no_form_breaks_anything(shared_client: httpx.AsyncClient, form: dict[str, str]) -> None:
    content = urlencode(form, errors="replace")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await shared_client.post("/subscribe", content=content, headers=headers)
    assert answer.status_code in (201, 303, 400, 404, 413)


async def signed_up(office: Office, client: httpx.AsyncClient) -> str:
    await send(client, EVERYTHING)
    return office.of(SubscriberAdded)[-1].subscriber


async def test_a_browser_is_sent_on_to_what_was_done(office: Office, client: httpx.AsyncClient) -> None:
    one = await signed_up(office, client)
    for purpose, page in ((Purpose.CONFIRM, "/confirmed"), (Purpose.UNSUBSCRIBE, "/unsubscribed")):
        answer = await client.post(f"/{purpose}/{office.links.token(purpose, PAGE, one)}", headers=BROWSER)
        assert (answer.status_code, answer.headers["location"]) == (303, page)
    assert office.states() == {one: "removed"}


@pytest.mark.parametrize(
    "body",
    [
        {"data": {"List-Unsubscribe": "One-Click"}},
        {"files": {"List-Unsubscribe": (None, "One-Click")}},
        {"data": {"List-Unsubscribe": "One-Click"}, "headers": BROWSER},
    ],
)
async def test_a_mailbox_leaves_with_one_click(office: Office, client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    """RFC 8058: a POST without cookies, urlencoded or multipart, that must not be redirected."""
    one = await signed_up(office, client)
    url = httpx.URL(office.links.unsubscribe_url(PAGE, one)).path
    for _ in range(2):
        answer = await client.post(url, **body)
        assert answer.status_code == 200
    assert office.states() == {one: "removed"}
    assert len(office.of(SubscriberRemoved)) == 1


@pytest.mark.parametrize("purpose", Purpose)
@pytest.mark.parametrize("token", ["x", "a.b.c", "%00", "%F0%9F%92%A5", "x" * 5_000, "{{7*7}}"])
async def test_a_made_up_link_is_a_404(shared_client: httpx.AsyncClient, purpose: Purpose, token: str) -> None:
    assert (await shared_client.post(f"/{purpose}/{token}")).status_code == 404


async def test_a_link_of_another_purpose_or_page_is_a_404(office: Office, client: httpx.AsyncClient) -> None:
    one = await signed_up(office, client)
    leave, elsewhere = office.links.token(Purpose.UNSUBSCRIBE, PAGE, one), office.links.token(Purpose.CONFIRM, "x", one)
    for token in (leave, elsewhere):
        assert (await client.post(f"/confirm/{token}")).status_code == 404
    assert office.states() == {one: "pending"}


async def test_following_a_link_does_nothing(office: Office, client: httpx.AsyncClient) -> None:
    """Mail scanners follow every link: what changes something is a POST."""
    one = await signed_up(office, client)
    for purpose in Purpose:
        answer = await client.get(f"/{purpose}/{office.links.token(purpose, PAGE, one)}")
        assert answer.status_code == 405, "the page with the button is not of this router"
    assert office.states() == {one: "pending"}
