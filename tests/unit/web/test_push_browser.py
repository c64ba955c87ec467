"""Notifications of a browser, in a real Chromium: the button, its worker, a push that is shown. No push service is asked.

Chromium without Google's keys has no push service, so what it would hand out is put in its place; the rest is its own.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.unit.web.site import KEY, Site

pytestmark = pytest.mark.browser
PATH = "/subscribe-in-a-browser"
START, STOP = "Notify me in this browser", "Stop notifications in this browser"
PUSHED = {
    "title": "Investigating: API errors in Europe", "body": "Some requests fail.", "url": "https://status.acme.example/i/1",
    "tag": "incident", "published_at": "2026-11-18T14:20:00Z", "unsubscribe_url": "https://status.acme.example/unsubscribe/abc.def",
}  # fmt: skip
SUBSCRIBED = {"endpoint": "https://push.example.net/v1/x", "expirationTime": None, "keys": {"auth": "a", "p256dh": "p"}}
SERVICE = """
let made = null;
PushManager.prototype.subscribe = async function (options) {
  window.asked = { visible: options.userVisibleOnly, key: btoa(String.fromCharCode(...options.applicationServerKey)) };
  made = { toJSON: () => (SUBSCRIBED), unsubscribe: async () => { made = null; return true; } };
  return made;
};
PushManager.prototype.getSubscription = async () => made;
Notification.requestPermission = async () => window.permission ?? "granted";
""".replace("SUBSCRIBED", json.dumps(SUBSCRIBED))


@pytest.fixture
def context(browser: Browser, site: Site) -> Iterator[BrowserContext]:
    made = browser.new_context(permissions=["notifications"])
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext, site: Site) -> Page:
    context.add_init_script(SERVICE)
    page = context.new_page()
    page.goto(site.url + PATH)
    return page


def button(page: Page) -> Locator:
    return page.locator(".push button")


def said(page: Page) -> Locator:
    return page.locator(".push [role=status]")


def test_a_click_signs_this_browser_up_for_what_the_form_says(page: Page, site: Site) -> None:
    expect(button(page)).to_have_text(START)
    page.get_by_label("Email address").fill("kim@example.com")
    page.get_by_label("Only these components and regions").check()
    page.get_by_label("Login", exact=True).check()
    button(page).click()
    expect(said(page)).to_have_text("We have sent this browser a notification. Click it to confirm.")
    [(path, fields)] = site.posted
    assert path == "/subscribe"
    assert (fields["channel"], json.loads(fields["address"][0])) == (["webpush"], SUBSCRIBED)
    assert (fields["scope"], fields["cells"]) == (["some"], ["login"])
    assert not {"email", "webhook", "website"} & fields.keys()
    key = page.evaluate("window.asked.key").replace("+", "-").replace("/", "_").rstrip("=")
    assert (key, page.evaluate("window.asked.visible")) == (KEY, True)
    expect(button(page)).to_have_text(STOP)


def test_what_the_server_refuses_is_said_and_undone(page: Page, site: Site) -> None:
    site.refusal = {"title": "Too many requests", "detail": "Please try again in an hour."}
    button(page).click()
    expect(said(page)).to_have_text("Please try again in an hour.")
    expect(button(page)).to_have_text(START)
    site.refusal = {"title": "Too many requests"}
    button(page).click()
    expect(said(page)).to_have_text("Too many requests")


def test_who_blocks_notifications_is_told_so_and_signed_up_for_nothing(page: Page, site: Site) -> None:
    page.evaluate("window.permission = 'denied'")
    button(page).click()
    expect(said(page)).to_have_text("Your browser blocks notifications of this page.")
    assert site.posted == []


def pushed(context: BrowserContext, page: Page, site: Site, text: str) -> list[dict[str, Any]]:
    """Have the browser's own worker meet a push, and return what it shows then."""
    devtools = context.new_cdp_session(page)
    found: list[str] = []
    devtools.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda event: found.extend(each["registrationId"] for each in event["registrations"]),
    )
    devtools.send("ServiceWorker.enable")
    while not found:
        page.wait_for_timeout(10)
    message = {"origin": site.url, "registrationId": found[-1], "data": text}
    devtools.send("ServiceWorker.deliverPushMessage", message)
    page.wait_for_function("async () => (await shown()).length > 0")
    shown: list[dict[str, Any]] = page.evaluate("shown()")
    return shown


SHOWN = """
window.shown = async () => {
  const worker = await navigator.serviceWorker.getRegistration("/static/push-worker.js");
  return (await worker.getNotifications()).map(({ title, body, tag, data }) => ({ title, body, tag, data }));
};
"""


def test_a_push_is_shown_and_its_link_leaves(context: BrowserContext, page: Page, site: Site) -> None:
    button(page).click()
    expect(button(page)).to_have_text(STOP)
    page.evaluate(SHOWN)
    [shown] = pushed(context, page, site, json.dumps(PUSHED))
    assert shown == {**{name: PUSHED[name] for name in ("title", "body", "tag")}, "data": {"url": PUSHED["url"]}}
    button(page).click()
    expect(said(page)).to_have_text("This browser gets no more notifications.")
    expect(button(page)).to_have_text(START)
    assert site.posted[-1] == ("/unsubscribe/abc.def", {"List-Unsubscribe": ["One-Click"]})


def test_a_push_that_says_nothing_is_shown_all_the_same(context: BrowserContext, page: Page, site: Site) -> None:
    button(page).click()
    expect(button(page)).to_have_text(STOP)
    page.evaluate(SHOWN)
    [shown] = pushed(context, page, site, "no JSON")
    assert (shown["title"], shown["data"]) == ("The status page has news", {"url": "/"})
    button(page).click()
    expect(said(page)).to_have_text("This browser gets no more notifications.")
    assert [path for path, _ in site.posted] == ["/subscribe"], "it was given no link to leave"


def test_a_browser_without_a_push_service_says_so(context: BrowserContext, site: Site) -> None:
    page = context.new_page()
    page.goto(site.url + PATH)
    expect(button(page)).to_be_visible()
    button(page).click()
    expect(said(page)).to_have_text("This browser cannot have notifications now.")
    expect(button(page)).to_be_enabled()
    assert site.posted == []


def test_without_script_or_a_key_there_is_no_button(browser: Browser, site: Site) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site.url + PATH)
    expect(button(page)).to_be_hidden()
    page.goto(f"{site.url}/subscribe")
    assert page.locator(".push").count() == 0
    assert page.locator("script[src*=push]").count() == 0
    context.close()
