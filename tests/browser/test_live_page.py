"""The page over its whole way out, from the log to the browser: headers, stream and bytes are the real ones."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.builders.served import Served
from tests.builders.web_world import opened, resolved

pytestmark = pytest.mark.browser


def test_without_script_the_page_is_whole(browser: Browser, served: Served) -> None:
    served.world.tell(opened())
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(served.url)
    expect(page.locator("#banner")).to_contain_text("Partial System Outage")
    expect(page.locator("#incidents h3")).to_have_text("Trouble one")
    expect(page.locator("#components .bars")).to_have_count(5)
    assert page.locator("#components .bars rect").count() == 5 * 90
    page.get_by_role("link", name="History").click()
    expect(page.locator("h1")).to_have_text("Incident history")
    context.close()


def test_an_open_page_turns_with_the_log_without_being_loaded_again(page: Page, served: Served) -> None:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.goto(served.url)
    expect(page.locator("#freshness")).to_contain_text("Live.")
    page.evaluate("window.marked = true")
    served.world.tell(opened())
    expect(page.locator("#sentence")).to_have_text("Partial System Outage")
    expect(page.locator("#incidents h3")).to_have_text("Trouble one")
    served.world.tell(resolved())
    expect(page.locator("#sentence")).to_have_text("All Systems Operational")
    assert page.evaluate("window.marked"), "the page was loaded anew"
    assert complaints == []


def test_a_reader_signs_up(page: Page, served: Served) -> None:
    page.goto(f"{served.url}/subscribe")
    form = page.locator("main form")
    form.get_by_label("Email address").fill("reader@example.com")
    form.get_by_label("Only these components and regions").check()
    form.get_by_label("Login", exact=True).check()
    form.get_by_role("button", name="Subscribe").click()
    expect(page.locator("h1")).to_have_text("Check your inbox")
    [sent] = served.posted
    assert (sent["email"], sent["scope"], sent["cells"]) == (["reader@example.com"], ["some"], ["login"])
    assert sent["kinds"] == ["incident", "maintenance"]
