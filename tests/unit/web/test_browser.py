"""The page in a real Chromium: fresh content, days by keyboard, the reader's zone, and all of it without script too."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect

from tests.builders import acme
from tests.unit.web.site import Site, every_page

pytestmark = pytest.mark.browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(timezone_id="Europe/Berlin", locale="en-GB", reduced_motion="reduce")
    yield context.new_page()
    context.close()


def text_of(element: Locator) -> str:
    return " ".join((element.text_content() or "").split())


def open_live(page: Page, site: Site) -> None:
    page.goto(site.url)
    expect(page.locator("#freshness")).to_contain_text("Live.")


def test_a_change_shows_itself_and_is_announced(page: Page, site: Site) -> None:
    open_live(page, site)
    page.evaluate("document.getElementById('sentence').marked = true")
    site.show(acme.outage())
    expect(page.locator("#sentence")).to_have_text("Partial System Outage")
    expect(page.locator("#incidents h3")).to_have_text("API errors in Europe")
    assert page.title() == "Partial System Outage · Acme Cloud status"
    assert page.evaluate("document.getElementById('sentence').marked"), "a live region must stay to be announced"
    assert "favicon-major" in (page.locator("#favicon").get_attribute("href") or "")
    site.show(acme.quiet())
    expect(page.locator("#sentence")).to_have_text("All Systems Operational")
    expect(page.locator("#incidents")).to_have_count(0)


def test_a_change_takes_nothing_out_of_the_reader_s_hands(page: Page, site: Site) -> None:
    open_live(page, site)
    page.locator("#past details summary").first.click()
    page.locator("#group-platform > summary").click()
    page.locator("#past article a").first.focus()
    held = page.evaluate("document.activeElement.getBoundingClientRect().top")
    site.show(acme.outage())
    expect(page.locator("#incidents h3")).to_have_text("API errors in Europe")
    assert page.evaluate("document.activeElement.textContent") == "Web app is slow in the United States"
    assert page.evaluate("document.activeElement.getBoundingClientRect().top") == pytest.approx(held, abs=2)
    assert page.locator("#past details").first.get_attribute("open") is not None
    assert page.locator("#group-platform").get_attribute("open") is None


def test_a_half_filled_form_survives_a_change(page: Page, site: Site) -> None:
    open_live(page, site)
    page.locator("#subscribe > summary").click()
    page.get_by_label("Email address").fill("someone@example.com")
    page.get_by_label("Only these components and regions").check()
    page.get_by_label("Login", exact=True).check()
    site.show(acme.outage())
    expect(page.locator("#sentence")).to_have_text("Partial System Outage")
    assert page.get_by_label("Email address").input_value() == "someone@example.com"
    assert page.get_by_label("Login", exact=True).is_checked()
    page.keyboard.press("Escape")
    assert page.locator("#subscribe").get_attribute("open") is None


def test_a_lost_connection_is_said_and_a_found_one_caught_up_with(page: Page, site: Site) -> None:
    open_live(page, site)
    page.context.set_offline(True)
    site.hang_up()
    expect(page.locator("#freshness")).to_contain_text("Connection lost")
    expect(page.locator("#sentence")).to_have_text("All Systems Operational")


def test_the_days_are_walked_with_the_keyboard(page: Page, site: Site) -> None:
    page.goto(site.url)
    bars = page.locator(".bars")
    assert {bars.nth(at).get_attribute("role") for at in range(bars.count())} == {"toolbar"}
    api = page.locator("#component-api rect")
    assert page.locator("#component-api rect[tabindex='0']").count() == 1
    api.last.focus()
    expect(page.locator("#component-api .tip")).to_have_text("18 Nov 2026: no downtime")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#component-web .tip")).to_have_text("17 Nov 2026: no downtime")
    expect(page.locator("#component-api .tip")).to_be_hidden()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    focused = page.locator("#component-web rect:focus")
    assert focused.get_attribute("aria-label") == "16 Nov 2026: degraded performance for 54 minutes"
    assert focused.get_attribute("aria-pressed") == "true"
    page.keyboard.press("Home")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("21 Aug 2026")
    page.keyboard.press("End")
    page.keyboard.press("Escape")
    expect(page.locator("#component-web rect[aria-pressed='true']")).to_have_count(0)


def test_a_day_that_is_pointed_at_tells_itself_without_moving_anything(page: Page, site: Site) -> None:
    page.goto(site.url)
    height = page.evaluate("document.documentElement.scrollHeight")
    page.locator("#component-payments rect").nth(80).hover()
    expect(page.locator("#component-payments .tip")).to_have_text(
        "9 Nov 2026: partial outage for 1 hour and 36 minutes"
    )
    assert page.evaluate("document.documentElement.scrollHeight") == height


def test_times_are_those_of_the_reader(browser: Browser, site: Site) -> None:
    page = browser.new_context(timezone_id="America/New_York").new_page()
    page.goto(f"{site.url}/open-incident")
    expect(page.locator(".promise time")).to_have_text(re.compile(r"09:38 (GMT-5|EST)"))
    assert page.locator(".promise time").get_attribute("title") == "15:38 CET"
    expect(page.locator("#zone")).to_contain_text("America/New York")
    page.context.close()


def test_all_is_there_without_script(browser: Browser, site: Site) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    site.show(acme.outage(), tell=False)
    page.goto(site.url)
    assert page.locator("h1").text_content() == "Partial System Outage"
    assert text_of(page.locator("#incidents .promise")) == "Next update by 15:38 CET"
    assert text_of(page.locator("#freshness")) == "Last change 18 Nov 2026, 15:20 CET"
    page.locator("#subscribe > summary").click()
    assert page.get_by_label("Email address").is_visible()
    assert not page.get_by_label("Login", exact=True).is_visible()
    page.get_by_label("Only these components and regions").check()
    assert page.get_by_label("Login", exact=True).is_visible()
    page.context.close()


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_no_page_scrolls_sideways(browser: Browser, site: Site, width: int) -> None:
    page = browser.new_context(viewport={"width": width, "height": 900}).new_page()
    for name in every_page():
        page.goto(f"{site.url}/{name.replace(' ', '-')}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
    page.context.close()


def test_no_page_breaks_its_content_security_policy_or_throws(page: Page, site: Site) -> None:
    complaints: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(message.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    for name in every_page():
        page.goto(f"{site.url}/{name.replace(' ', '-')}")
    assert complaints == []
