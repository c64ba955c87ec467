"""A subscriber's own page in a real browser, without script: from the form for whoever lost the link to what the log says."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.fakes.smtp import FakeSmtpServer
from tests.parts.processes import wait_for
from tests.parts.tocsin import Tocsin, example

pytestmark = [pytest.mark.browser, pytest.mark.slow]
READER = "reader@example.com"
MANAGE = re.compile(r"http://\S+/manage/\S+")


@pytest.fixture
def mailbox() -> Iterator[FakeSmtpServer]:
    with FakeSmtpServer() as running:
        yield running


@pytest.fixture
def tocsin(mailbox: FakeSmtpServer, tmp_path: Path) -> Iterator[Tocsin]:
    with Tocsin(tmp_path, example(), {"SMTP_URL": mailbox.url}) as running:
        yield running


@pytest.fixture
def plain(browser: Browser) -> Iterator[Page]:
    """A page without script."""
    context = browser.new_context(java_script_enabled=False)
    yield context.new_page()
    context.close()


def the_one(tocsin: Tocsin) -> dict[str, object]:
    answer = tocsin.http.get("/api/v1/pages/acme/subscribers", headers={"Authorization": "Bearer ops-secret"})
    [found] = [one for one in answer.json()["subscribers"] if one["address"] == "r***@example.com"]
    return dict(found)


def mailed_link(tocsin: Tocsin, mailbox: FakeSmtpServer) -> str:
    subscribe(tocsin)
    tocsin.http.post("/manage", data={"email": READER})
    [mail] = mailbox.wait_for(1)
    [link] = set(MANAGE.findall(mail.text()))
    return str(link)


def subscribe(tocsin: Tocsin) -> None:
    answer = tocsin.post("subscribers", {"email": READER, "confirmed": True}, by="ops")
    assert answer.status_code == 201


def test_a_reader_who_lost_the_link_comes_back_and_chooses(
    plain: Page, tocsin: Tocsin, mailbox: FakeSmtpServer
) -> None:
    subscribe(tocsin)
    plain.goto(f"{tocsin.url}/manage")
    plain.get_by_label("Email address").fill(READER)
    plain.get_by_role("button", name="Mail me the link").click()
    expect(plain.locator("h1")).to_have_text("Check your inbox")
    [mail] = mailbox.wait_for(1)
    [link] = set(MANAGE.findall(mail.text()))

    plain.goto(link)
    expect(plain.locator("main")).to_contain_text("r***@example.com")
    expect(plain.get_by_label("Everything")).to_be_checked()
    plain.get_by_label("Only these components and regions").check()
    plain.get_by_label("Login", exact=True).check()
    plain.get_by_label("From which impact on").select_option("major")
    plain.get_by_label("Maintenance", exact=True).uncheck()
    plain.get_by_role("button", name="Save", exact=True).click()
    expect(plain.locator("h1")).to_have_text("Your choice is saved")
    chosen = {
        "cells": [{"component": "login", "region": None}], "min_impact": "major", "kinds": ["incident"],
    }  # fmt: skip
    wait_for("the choice", lambda: the_one(tocsin)["filter"] == chosen)

    plain.get_by_role("link", name="Back to your subscription").click()
    expect(plain.get_by_label("Login", exact=True)).to_be_checked()
    expect(plain.get_by_label("Maintenance", exact=True)).not_to_be_checked()
    plain.get_by_label("Incidents", exact=True).uncheck()
    plain.get_by_role("button", name="Save", exact=True).click()
    expect(plain.locator("h1")).to_have_text("Please check what you entered")
    expect(plain.locator("main")).to_contain_text("choose at least one, or pause the messages")


def test_a_reader_chooses_when(plain: Page, tocsin: Tocsin, mailbox: FakeSmtpServer) -> None:
    plain.goto(mailed_link(tocsin, mailbox))
    expect(plain.get_by_label("Time zone")).to_have_value("Europe/Berlin")
    plain.get_by_label("From", exact=True).fill("22:00")
    plain.get_by_label("To", exact=True).fill("07:00")
    plain.get_by_label("Time zone").select_option("America/New_York")
    plain.get_by_role("button", name="Save times").click()
    expect(plain.locator("h1")).to_have_text("Your choice is saved")
    quiet = {"from": "22:00", "to": "07:00", "zone": "America/New_York"}
    wait_for("the choice", lambda: (the_one(tocsin)["pace"] or {}).get("quiet_hours") == quiet)  # type: ignore[attr-defined]
    plain.get_by_role("link", name="Back to your subscription").click()
    expect(plain.get_by_label("From", exact=True)).to_have_value("22:00")


def test_a_reader_pauses_goes_on_and_leaves(plain: Page, tocsin: Tocsin, mailbox: FakeSmtpServer) -> None:
    link = mailed_link(tocsin, mailbox)
    plain.goto(link)
    plain.get_by_role("button", name="Pause all messages").click()
    expect(plain.locator("h1")).to_have_text("Your subscription is paused")
    wait_for("the pause", lambda: the_one(tocsin)["state"] == "paused")
    plain.get_by_role("link", name="Back to your subscription").click()
    expect(plain.locator("main")).to_contain_text("no messages are sent")
    plain.get_by_role("button", name="Take it up again").click()
    wait_for("its end", lambda: the_one(tocsin)["state"] == "active")

    plain.goto(link)
    plain.get_by_role("button", name="Unsubscribe").click()
    expect(plain.locator("h1")).to_have_text("You are unsubscribed")
    answer = plain.goto(link)
    assert answer is not None
    assert answer.status == 410
    expect(plain.locator("h1")).to_have_text("This link is used up")
