"""A subscriber's own page: what it shows to whom, and that it only shows."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from schemas.events import Cell, Filter
from schemas.vocabulary import Impact, Kind
from streams.runtime.links import Purpose
from tests.builders.web_world import ANNA, LINKS, PAGE, SubscribersInMemory, WebWorld

BROWSER = {"Accept": "text/html,application/xhtml+xml"}
ANNAS = f"/manage/{LINKS.token(Purpose.MANAGE, PAGE, 'anna')}"


def known_as(world: WebWorld, **changes: Any) -> None:
    subscribers = world.deps.subscribers
    assert isinstance(subscribers, SubscribersInMemory)
    subscribers.known["anna"] = replace(ANNA, **changes)


async def test_the_page_shows_the_choice_and_no_address(shared_client: httpx.AsyncClient) -> None:
    page = await shared_client.get(ANNAS, headers=BROWSER)
    assert page.status_code == 200
    assert "a***@example.com" in page.text
    assert f'action="{ANNAS}"' in page.text
    assert 'value="api/eu" checked' in page.text
    assert 'value="login" checked' not in page.text
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert not page.cookies
    assert (await shared_client.head(ANNAS)).status_code == 200


async def test_what_the_tree_has_no_box_for_is_kept(world: WebWorld, client: httpx.AsyncClient) -> None:
    cells = [Cell("platform", "us"), Cell("gone"), Cell("api", "mars"), Cell("login")]
    known_as(world, filter=Filter(cells, Impact.NONE, [Kind.INCIDENT]))
    page = (await client.get(ANNAS)).text
    assert 'value="platform/us" checked> Platform: ' in page
    assert 'value="login" checked' in page
    assert "gone" not in page
    assert "mars" not in page


@pytest.mark.parametrize("done", ["changed", "paused", "resumed", "added"])
async def test_what_was_done_is_said_and_leads_back(shared_client: httpx.AsyncClient, done: str) -> None:
    page = await shared_client.get(f"{ANNAS}?done={done}")
    assert page.status_code == 200
    assert f'href="{ANNAS}"' in page.text
    assert "<form" not in page.text.split("<main")[1]


@pytest.mark.parametrize(("state", "status"), [("active", 200), ("paused", 200), ("suppressed", 200), ("removed", 410)])
async def test_the_page_ends_with_the_subscription(
    world: WebWorld, client: httpx.AsyncClient, state: str, status: int
) -> None:
    known_as(world, state=state)
    page = await client.get(ANNAS, headers=BROWSER)
    assert page.status_code == status
    assert ("a***@example.com" in page.text) is (status == 200)
    if status == 410:
        assert "used up" in page.text


async def test_who_has_not_confirmed_changes_nothing_yet(world: WebWorld, client: httpx.AsyncClient) -> None:
    known_as(world, state="pending")
    page = await client.get(ANNAS)
    assert "Not confirmed yet" in page.text
    assert f'action="{ANNAS}' not in page.text


async def test_a_link_that_is_none_is_a_page_that_says_so(shared_client: httpx.AsyncClient) -> None:
    strangers = f"/manage/{LINKS.token(Purpose.MANAGE, PAGE, 'nobody')}"
    elsewhere = f"/manage/{LINKS.token(Purpose.MANAGE, 'elsewhere', 'anna')}"
    others = f"/manage/{LINKS.token(Purpose.UNSUBSCRIBE, PAGE, 'anna')}"
    for path in (strangers, elsewhere, others, "/manage/x", f"{ANNAS}x"):
        page = await shared_client.get(path, headers=BROWSER)
        assert page.status_code == 404
        assert page.headers["content-type"].startswith("text/html")
        assert "anna" not in page.text


async def test_the_way_out_offers_to_hear_of_less(shared_client: httpx.AsyncClient) -> None:
    way_out = await shared_client.get(f"/unsubscribe/{LINKS.token(Purpose.UNSUBSCRIBE, PAGE, 'anna')}")
    assert f'href="{ANNAS}"' in way_out.text
    assert "/manage/" not in (await shared_client.get("/unsubscribe/x")).text


async def test_the_form_for_a_code_posts_where_it_is_shown(shared_client: httpx.AsyncClient) -> None:
    page = await shared_client.get(f"{ANNAS}/phone/abc.d%22ef")
    assert page.status_code == 200
    assert f'action="{ANNAS}/phone/abc.d%22ef"' in page.text
    assert 'autocomplete="one-time-code"' in page.text
    assert page.headers["cache-control"] == "no-store"
    assert (await shared_client.get("/manage/x/phone/abc")).status_code == 404
