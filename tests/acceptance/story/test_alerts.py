"""From a monitor's webhook to the right inboxes: at once, after a delay, or once a person lets it go out."""

import re
import threading
from functools import partial

import httpx
import pytest

from tests.acceptance.story.town import Town, told
from tests.builders.alertmanager import alert
from tests.parts.processes import wait_for

pytestmark = pytest.mark.slow
API = "API errors in Europe"
WEB, PAYMENTS = "Web app is slow in Europe", "Payments disturbed in Europe"
EVERYBODY_TOLD = ("api-eu", "everything", "critical", "api-us", "platform-us")


class Browser(threading.Thread):
    """An open page: it hears of changes as long as it is open."""

    def __init__(self, acme: Town) -> None:
        super().__init__(daemon=True)
        self._client = acme.tocsin.http
        self.open = threading.Event()
        self.changed = threading.Event()

    def run(self) -> None:
        [address] = re.findall(r'data-stream="([^"]+)"', self._client.get("/").text)
        with self._client.stream("GET", address) as stream:
            stream.raise_for_status()
            self.open.set()
            for line in stream.iter_lines():
                if line == "event: changed":
                    self.changed.set()
                    return


def test_an_outage_is_told_to_the_right_people_once_and_to_the_end(acme: Town) -> None:
    browser = Browser(acme)
    browser.start()
    assert browser.open.wait(30)
    europe, states = alert("api", "eu"), alert("api", "us", "warning")

    assert acme.fires(europe)["accepted"] == 1
    assert acme.heard() == told(f"Investigating: {API}", "api-eu", "everything", "critical")
    assert browser.changed.wait(30)
    _is_shown(acme)

    acme.mark = len(acme.mailbox.mails)
    for repeat in (europe, europe.said_again("17"), europe.said_again("18")):
        assert acme.fires(repeat) == {"accepted": 0, "ignored": 1, "deadlettered": 0, "events": []}
    assert not acme.heard(), "a repeat tells nobody"

    assert acme.fires(europe.said_again("19"), states)["accepted"] == 1
    assert acme.heard() == told(f"Investigating: {API}", *EVERYBODY_TOLD), "another region joins"

    acme.mark = len(acme.mailbox.mails)
    acme.tocsin.restart()
    assert acme.fires(europe, states)["accepted"] == 0
    assert not acme.heard(), "a restart tells nobody and forgets nothing"

    assert acme.fires(europe, states.resolved())["accepted"] == 1
    assert not acme.heard(), "that it gets better changes the status, and is no news yet"
    assert [effect["region"] for effect in acme.incident(API)["affects"]] == ["eu"]

    acme.fires(europe.resolved(), states.resolved())
    assert acme.heard() == told(f"Resolved: {API}", *EVERYBODY_TOLD), "the all-clear goes to exactly those told before"
    _is_accounted_for(acme)


def _is_shown(acme: Town) -> None:
    """The page, both APIs and the feeds show the outage."""
    http = acme.tocsin.http
    incident = acme.incident(API)
    assert (incident["status"], incident["impact"]) == ("investigating", "critical")
    summary = http.get("/api/v2/summary.json").json()
    assert [one["name"] for one in summary["incidents"]] == [API]
    assert acme.statuses()["API"] == "major_outage"
    for path in ("/", "/history.rss", "/history.atom", f"/incidents/{incident['id']}"):
        assert http.get(path).status_code == 200, path
        # A busy machine renders later, and shows what is a moment old meanwhile.
        wait_for(f"{path} shows it", partial(_tells, http, path))


def _tells(http: httpx.Client, path: str) -> bool:
    return API in http.get(path).text


def _is_accounted_for(acme: Town) -> None:
    """Who was told is on record; uptime and reliability follow from the same log."""
    incident = acme.incident(API)
    assert API in acme.tocsin.http.get("/history").text
    deliveries = acme.tocsin.deliveries(incident["id"])
    assert {delivery["state"] for delivery in deliveries} == {"sent"}
    assert len(deliveries) == 3 + 5 + 5
    assert all("***" in delivery["address"] for delivery in deliveries)
    today = acme.tocsin.get("uptime", by=None, component="api", region="eu")["days"][-1]
    assert today["seconds"]["major_outage"] > 0
    assert 0 <= today["ratio"] < 1
    figures = acme.tocsin.get("reliability", by=None)
    assert figures["components"]["api"]["mttr_seconds"] >= figures["components"]["api"]["mtta_seconds"] > 0
    alerts = [event["data"] for event in acme.tocsin.events() if event["type"] == "AlertReceived"]
    mine = [(one["labels"]["region"], one["status"]) for one in alerts if one["labels"].get("service") == "api"]
    assert mine == [("eu", "firing"), ("us", "firing"), ("us", "resolved"), ("eu", "resolved")]


def test_what_clears_within_its_delay_is_never_published(acme: Town) -> None:
    slow = alert("web", "eu")
    acme.fires(slow)
    [draft] = acme.tocsin.get("drafts")
    assert draft["title"] == WEB
    acme.fires(slow.resolved())
    assert acme.tocsin.get("drafts") == []
    assert not acme.heard()
    assert WEB not in acme.tocsin.http.get("/history").text
    assert [one for one in acme.tocsin.incidents() if one["title"] == WEB] == []


def test_what_needs_approval_is_told_once_it_is_approved_and_not_before(acme: Town) -> None:
    disturbed = alert("payments", "eu")
    acme.fires(disturbed)
    [draft] = acme.tocsin.get("drafts")
    assert acme.tocsin.post(f"drafts/{draft['id']}/approve", {}).status_code == 401
    assert acme.tocsin.post(f"drafts/{draft['id']}/approve", {}, by="ops").status_code == 403
    assert not acme.heard(), "nobody has approved it"
    assert PAYMENTS not in acme.tocsin.http.get("/").text
    assert acme.statuses()["Payments"] == "operational"

    assert acme.tocsin.post(f"drafts/{draft['id']}/approve", {}, by="lead").status_code == 201
    assert acme.tocsin.post(f"drafts/{draft['id']}/approve", {}, by="lead").status_code in (404, 409)
    assert acme.heard() == told(f"Investigating: {PAYMENTS}", "payments", "everything", "critical")
    assert draft["body"].split(".")[0] in acme.mails("payments")[0].text().replace("\n", " ")

    acme.mark = len(acme.mailbox.mails)
    states = alert("payments", "us")
    acme.fires(disturbed, states)
    [update] = acme.tocsin.get("drafts")
    assert not acme.heard(), "an update needs approval, too"
    assert acme.tocsin.post(f"drafts/{update['id']}/dismiss", {"reason": "known"}, by="lead").status_code == 201
    assert not acme.heard()

    acme.fires(disturbed.resolved(), states.resolved())
    assert acme.heard() == told(f"Resolved: {PAYMENTS}", "payments", "everything", "critical")


def test_a_draft_that_is_dismissed_tells_nobody_ever(acme: Town) -> None:
    disturbed = alert("payments", "us", name="CardsDeclined")
    acme.fires(disturbed)
    [draft] = acme.tocsin.get("drafts")
    assert acme.tocsin.post(f"drafts/{draft['id']}/dismiss", {}, by="lead").status_code == 201
    acme.fires(disturbed.said_again("more"))
    acme.fires(disturbed.resolved())
    wait_for(
        "the end of the episode", lambda: acme.types().count("EpisodeClosed") == acme.types().count("EpisodeOpened")
    )
    assert not acme.heard()


def test_an_alert_that_no_rule_knows_is_kept_and_tells_nobody(acme: Town) -> None:
    strange = alert("search", "eu")
    assert acme.fires(strange)["accepted"] == 1
    assert "search" in str(acme.tocsin.get("alerts/unrouted"))
    acme.fires(strange.resolved())
    assert not acme.heard()
