"""The status page as HTML: sound markup on every page, and what each of them says."""

from collections import Counter
from itertools import pairwise

import pytest
from lxml import html
from lxml.html import HtmlElement
from msgspec.structs import replace

from consumers.web.render.page import HONEYPOT, Pages
from schemas.events import Region
from schemas.vocabulary import MaintenanceStatus
from streams.domain.model import PageView
from tests.builders import acme
from tests.builders.views import (
    ACME,
    DAY,
    DEGRADED,
    HOUR,
    MINUTE,
    NOW,
    OPERATIONAL,
    SETTINGS,
    component,
    effect,
    incident,
    maintenance,
    update,
    view,
)
from tests.unit.web.site import ASSETS, PAGES, every_page

EVERY_PAGE = every_page()
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7*7 }}"
SELECTS = ("minimum_gap", "digest", "zone")


def parse(page: bytes) -> HtmlElement:
    return html.document_fromstring(page.decode())


def index(shown: PageView) -> HtmlElement:
    return parse(PAGES.index(shown, acme.uptime(), NOW))


def said(element: HtmlElement, xpath: str) -> list[str]:
    return [" ".join(found.text_content().split()) for found in element.xpath(xpath)]


@pytest.mark.parametrize("name", EVERY_PAGE)
def test_ids_are_unique_and_what_refers_to_them_finds_them(name: str) -> None:
    page = parse(EVERY_PAGE[name])
    ids = Counter(page.xpath("//@id"))
    assert max(ids.values()) == 1
    refers = page.xpath("//label/@for") + page.xpath("//@aria-labelledby")
    refers += [href[1:] for href in page.xpath("//@href[starts-with(., '#')]")]
    assert set(refers) <= set(ids)


@pytest.mark.parametrize("name", EVERY_PAGE)
def test_the_outline_has_one_title_and_skips_no_level(name: str) -> None:
    levels = [int(each.tag[1]) for each in parse(EVERY_PAGE[name]).xpath("//h1|//h2|//h3|//h4|//h5|//h6")]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("name", EVERY_PAGE)
def test_every_field_and_link_has_a_name_and_a_form_an_end(name: str) -> None:
    page = parse(EVERY_PAGE[name])
    labelled = set(page.xpath("//label/@for"))
    for field in page.xpath("//input|//select"):
        assert field.get("id") in labelled or any(True for _ in field.iterancestors("label"))
    assert all(text for text in said(page, "//a") + said(page, "//button") + said(page, "//summary"))
    for form in page.xpath("//form"):
        assert (form.get("method"), len(form.xpath(".//button[@type='submit']"))) == ("post", 1)


@pytest.mark.parametrize("name", EVERY_PAGE)
def test_landmarks_language_and_title_are_there(name: str) -> None:
    page = parse(EVERY_PAGE[name])
    assert page.get("lang") == "en"
    assert len(page.xpath("//main[@id='main']")) == 1
    assert page.xpath("string(//title)").strip()
    if name != "500 bare":
        assert page.xpath("//body/*[1][self::a[@class='skip' and @href='#main']]")
        assert len(page.xpath("//header//nav[@aria-label]")) == len(page.xpath("//body/footer")) == 1


@pytest.mark.parametrize("name", EVERY_PAGE)
def test_nothing_is_inline_that_the_content_security_policy_forbids(name: str) -> None:
    page = parse(EVERY_PAGE[name])
    assert not page.xpath("//script[not(@src)]|//style|//@style")
    assert not [attribute for attribute in page.xpath("//@*") if attribute.attrname.startswith("on")]
    outward = [value for value in page.xpath("//@src|//link/@href|//use/@href") if not value.startswith(("/", "#"))]
    assert outward == []


@pytest.mark.parametrize("name", EVERY_PAGE)
def test_assets_carry_the_hash_of_their_content(name: str) -> None:
    for address in parse(EVERY_PAGE[name]).xpath("//script/@src|//link[@rel='stylesheet' or @rel='icon']/@href"):
        path, _, version = address.partition("?v=")
        assert ASSETS.files[path.removeprefix("/static/")].version == version


@pytest.mark.parametrize("name", EVERY_PAGE)
def test_a_status_is_never_a_colour_alone(name: str) -> None:
    for element in parse(EVERY_PAGE[name]).xpath("//*[contains(@class, 'chip') or starts-with(@class, 'status ')]"):
        assert element.xpath(".//*[local-name()='use']")
        assert element.text_content().strip()


def test_the_banner_is_announced_and_says_what_is() -> None:
    page = index(acme.outage())
    assert said(page, "//*[@role='status' and @aria-live='polite']") == ["Partial System Outage"]
    assert page.xpath("//head/title/text()") == ["Partial System Outage · Acme Cloud status"]
    [banner] = page.xpath("//section[@id='banner']")
    assert "tone-major" in banner.get("class")
    assert "1 open incident" in banner.text_content()


def test_a_page_that_hides_the_maintenance_indicator_from_clients_still_shows_it_to_people() -> None:
    hidden = replace(acme.in_maintenance(), settings=replace(SETTINGS, maintenance_indicator=False))
    [banner] = index(hidden).xpath("//section[@id='banner']")
    assert "tone-maintenance" in banner.get("class")


def test_an_open_incident_shows_whom_it_affects_its_promise_and_its_newest_word_first() -> None:
    [card] = index(acme.outage()).xpath("//section[@id='incidents']/article")
    assert said(card, ".//h3") == ["API errors in Europe"]
    assert said(card, ".//ul[@class='touched']/li") == [
        "Platform: API Europe: Major outage",
        "Platform: Web app Europe: Degraded performance",
    ]
    assert said(card, ".//p[@class='promise']") == ["Next update by 15:38 CET"]
    assert said(card, ".//ol[@class='posts']/li/p[@class='post-head']/strong") == ["Identified", "Investigating"]


def test_every_component_shows_its_status_and_its_regions() -> None:
    page = index(acme.outage())
    assert said(page, "//li[@id='component-api']//ul[@class='regions']/li") == [
        "Europe: Major outage",
        "United States: Operational",
        "Asia Pacific: Operational",
    ]
    assert said(page, "//details[@id='group-platform']/summary/*[starts-with(@class, 'status')]") == ["Major outage"]
    assert said(page, "//li[@id='component-login']//*[starts-with(@class, 'status')]") == ["Operational"]
    assert "Third party" in said(page, "//li[@id='component-maps']")[0]


def test_ninety_days_can_be_read_without_seeing_them() -> None:
    page = index(acme.outage())
    [bars] = page.xpath("//li[@id='component-payments']//*[local-name()='svg' and @role='img']")
    assert bars.get("aria-label") == "Payments: 99.97 % uptime over 90 days, downtime on 30 Aug 2026, 9 Nov 2026"
    titles = [title.text for title in bars.iter("title")]
    assert len(titles) == 90
    assert titles[-1] == "18 Nov 2026: no downtime"
    assert "9 Nov 2026: partial outage for 1 hour and 36 minutes" in titles
    assert "100 % uptime" in said(page, "//li[@id='component-login']//p[@class='legend']")[0]


def test_a_page_with_very_many_components_leaves_the_bars_out() -> None:
    many = [component(f"c{rank}") for rank in range(150)]
    days = acme.uptime()["api"]
    page = PAGES.index(view(many), {each.definition.component: days for each in many}, NOW)
    assert b"<rect" not in page
    assert said(parse(page), "//li[@id='component-c0']/p") == ["99.98 % uptime over 90 days"]
    assert len(page) < 300_000


def test_the_past_is_listed_by_day_with_calm_days_named() -> None:
    days = index(acme.outage()).xpath("//section[@id='past']/section")
    assert len(days) == 15
    assert said(days[0], ".//p") == ["One incident of this day is still open."]
    assert said(days[1], ".//h3|.//p") == ["17 Nov 2026", "No incidents reported."]
    assert said(days[2], ".//h4") == ["Web app is slow in the United States"]
    assert "16 Nov 2026, 09:12 CET to 10:06 CET (54 minutes)" in said(days[2], ".//p[@class='meta']")[0]


def test_a_young_page_claims_nothing_about_days_before_it_was() -> None:
    young = view([component("api", created_at=NOW - 2 * DAY)])
    assert len(index(young).xpath("//section[@id='past']/section")) == 3
    assert len(index(acme.empty()).xpath("//section[@id='past']/section")) == 1


def test_days_are_those_of_the_page_s_zone() -> None:
    late = incident("Late", [update("resolved", "Over.", NOW - 15 * HOUR)])
    [berlin] = index(view(incidents=[late])).xpath("//section[article]/h3")
    assert berlin.text == "18 Nov 2026"
    west = view(incidents=[late], settings=replace(SETTINGS, timezone="America/Los_Angeles"))
    [angeles] = index(west).xpath("//section[article]/h3")
    assert angeles.text == "17 Nov 2026"


def test_the_history_pages_through_the_months() -> None:
    shown = acme.outage()
    first = parse(PAGES.history(shown, 1, NOW) or b"")
    assert said(first, "//h2") == ["November 2026", "October 2026", "September 2026"]
    assert said(first, "//h3") == ["Web app is slow in the United States", "Card payments declined"]
    assert (first.xpath("//a[@rel='prev']"), first.xpath("//a[@rel='next']/@href")) == ([], ["/history?page=2"])
    last = parse(PAGES.history(shown, 5, NOW) or b"")
    assert said(last, "//h2")[-1] == "October 2025"
    assert (last.xpath("//a[@rel='prev']/@href"), last.xpath("//a[@rel='next']")) == (["/history?page=4"], [])


@pytest.mark.parametrize("number", [-1, 0, 6, 10**9])
def test_a_page_that_the_history_does_not_have_is_none(number: int) -> None:
    assert PAGES.history(acme.outage(), number, NOW) is None


def test_an_incident_has_a_page_of_its_own_with_the_post_mortem_on_top() -> None:
    page = parse(EVERY_PAGE["post-mortem"])
    stages = said(page, "//ol[@class='posts']/li/p/strong")
    assert stages == ["Post-mortem", "Resolved", "Identified", "Investigating"]
    assert said(page, "//ol[@class='posts']//h3") == ["What happened", "What we change"]
    assert said(page, "//ul[@class='touched']/li") == ["Payments (Europe, United States)"]


def test_maintenance_is_shown_with_its_window() -> None:
    page = index(acme.in_maintenance())
    assert said(page, "//section[@id='maintenance']//h3") == ["Login: new servers"]
    assert said(page, "//section[@id='upcoming']//h3") == ["Payments: network hardware"]
    meta = said(page, "//section[@id='upcoming']//p[@class='meta']")
    assert meta == ["Maintenance Scheduled 21 Nov 2026, 23:00 CET to 22 Nov 2026, 01:00 CET"]


def test_the_form_offers_every_cell_and_hides_its_trap() -> None:
    [form] = parse(EVERY_PAGE["subscribe"]).xpath("//form")
    assert form.get("action") == "/subscribe"
    assert form.xpath(".//input[@name='cells']/@value") == [
        "platform", "api", "api/eu", "api/us", "api/ap", "web", "web/eu", "web/us",
        "payments", "payments/eu", "payments/us", "login", "maps",
    ]  # fmt: skip
    assert set(form.xpath(".//@name")) == {
        "email", "webhook", "scope", "cells", "min_impact", "kinds", HONEYPOT,
    }  # fmt: skip
    assert form.xpath(".//select[@name='min_impact']/option/@value") == ["none", "minor", "major", "critical"]
    assert form.xpath(".//input[@name='kinds' and @checked]/@value") == ["incident", "maintenance"]
    [trap] = form.xpath(f".//input[@name='{HONEYPOT}']")
    assert trap.get("tabindex") == "-1"
    assert trap.xpath("ancestor::*[@aria-hidden='true']")


@pytest.mark.parametrize("name", ["confirm", "unsubscribe"])
def test_links_from_mails_show_a_button_and_change_nothing(name: str) -> None:
    page = parse(EVERY_PAGE[name])
    [form] = page.xpath("//form")
    assert (form.get("method"), form.get("action")) == ("post", f"/{name}/abc")
    assert page.xpath("//meta[@name='robots']/@content") == ["noindex"]
    assert page.xpath("//meta[@name='referrer']/@content") == ["no-referrer"]


def test_the_managed_form_is_filled_in_as_chosen() -> None:
    page = parse(EVERY_PAGE["manage"])
    choice, *others = page.xpath("//form")
    assert [form.get("action") for form in (choice, *others)] == [
        "/manage/abc", "/manage/abc/pace", "/manage/abc/resume", "/manage/abc/leave",
    ]  # fmt: skip
    assert choice.xpath(".//input[@name='scope' and @checked]/@value") == ["some"]
    assert choice.xpath(".//input[@name='cells' and @checked]/@value") == ["api/eu", "login", "platform/eu"]
    assert choice.xpath(".//option[@selected]/@value") == ["major"]
    assert choice.xpath(".//input[@name='kinds' and @checked]/@value") == ["incident"]
    assert page.xpath("//meta[@name='referrer']/@content") == ["no-referrer"]
    everything = parse(EVERY_PAGE["manage all"])
    actions = [form.get("action") for form in everything.xpath("//form")]
    assert actions[2:] == ["/manage/abc/pause", "/manage/abc/leave"]
    assert "could not be delivered" in " ".join(said(parse(EVERY_PAGE["manage dead"]), "//section"))


def test_the_form_of_times_is_filled_in_as_chosen() -> None:
    [form] = parse(EVERY_PAGE["manage"]).xpath("//form[@action='/manage/abc/pace']")
    values = {one.get("name"): one.get("value") for one in form.xpath(".//input[@type='time']")}
    assert values == {"quiet_from": "22:00", "quiet_to": "07:30", "digest_at": "08:00"}
    [gap, digest, zone] = (form.xpath(f".//select[@name='{name}']/option[@selected]") for name in SELECTS)
    assert [one.get("value") for one in gap] == ["1200"]
    assert [one.get("value") for one in digest] == [""]
    assert [one.text for one in zone] == ["Europe/Berlin"]
    assert not form.xpath(".//input[@name='critical_gets_through']/@checked")


def test_a_phone_number_can_be_added_where_the_page_takes_any_by_whom_mail_reaches() -> None:
    for name, offered in (("manage phone", True), ("manage", False), ("manage all", False)):
        assert bool(parse(EVERY_PAGE[name]).xpath("//form[@action='/manage/abc/phone']")) is offered


def test_the_form_offers_the_channels_that_are_switched_on() -> None:
    anywhere, chats = (parse(EVERY_PAGE[name]) for name in ("subscribe anywhere", "subscribe by chat"))
    [form] = anywhere.xpath("//form")
    assert form.xpath(".//select[@name='channel']/option/@value") == ["slack", "teams"]
    assert {"email", "webhook", "address"} <= set(form.xpath(".//@name"))
    [form] = chats.xpath("//form")
    assert not {"email", "webhook"} & set(form.xpath(".//@name"))
    assert not form.xpath(".//p[@class='or']")


def test_an_error_page_is_had_even_without_a_view() -> None:
    assert said(parse(EVERY_PAGE["500 bare"]), "//h1") == ["Something went wrong on our side"]
    assert said(parse(PAGES.error(acme.quiet(), 403)), "//h1") == ["There is nothing here"]


def test_nothing_that_people_typed_becomes_markup() -> None:
    told = incident(HOSTILE, [update("investigating", HOSTILE, NOW - MINUTE)], effects=[effect("api/eu", DEGRADED)])
    done = incident(HOSTILE, [update("resolved", HOSTILE, NOW - HOUR, ("api/eu", DEGRADED, OPERATIONAL))])
    shown = view(
        [component("api", HOSTILE, regions=["eu"], description=HOSTILE)],
        incidents=[told, done],
        settings=replace(SETTINGS, name=HOSTILE, timezone=HOSTILE),
    )
    shown = replace(shown, regions=[Region("eu", HOSTILE)])
    for page in (
        PAGES.index(shown, {"api": acme.uptime()["api"]}, NOW),
        PAGES.incident(shown, told),
        PAGES.history(shown, 1, NOW) or b"",
        PAGES.subscribe(shown, HOSTILE),
        PAGES.message(shown, HOSTILE, HOSTILE),
        PAGES.confirm(shown, HOSTILE),
    ):
        found = parse(page)
        assert not found.xpath("//img|//script[not(@src)]|//@onerror")
        assert b"{{ 7*7 }}" in page


def test_drills_are_on_no_page() -> None:
    told = incident("Rehearsal", [update("investigating", "A drill.", NOW)], drill=True)
    work = maintenance("Rehearsal", MaintenanceStatus.IN_PROGRESS, ["login"], starts_at=NOW - HOUR, drill=True)
    shown = view(incidents=[told], maintenances=[work])
    assert b"Rehearsal" not in PAGES.index(shown, {}, NOW) + (PAGES.history(shown, 1, NOW) or b"")


def test_what_is_no_longer_defined_does_not_break_the_page() -> None:
    rest = [each for each in ACME if each.definition.component not in {"api", "platform"}]
    page = index(view(rest, incidents=[acme.open_outage()]))
    assert said(page, "//ul[@class='touched']/li")[0] == "api Europe: Major outage"
    assert page.xpath("//li[@id='component-web']")


def test_times_that_no_calendar_holds_do_not_break_the_page() -> None:
    work = maintenance("One day", MaintenanceStatus.SCHEDULED, ["login"], starts_at=2**62)
    assert b"9999" in PAGES.index(view(maintenances=[work]), {}, NOW)


def test_an_address_that_is_given_for_an_asset_is_used() -> None:
    page = Pages(lambda name: f"/elsewhere/{name}").index(acme.quiet(), {}, NOW)
    assert b'href="/elsewhere/page.css"' in page
