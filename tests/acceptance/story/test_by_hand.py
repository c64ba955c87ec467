"""What people do by hand: incidents with their promises, and maintenance that starts and ends by the clock."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.acceptance.story.town import Town, told
from tests.builders.alertmanager import alert
from tests.parts.processes import wait_for

pytestmark = pytest.mark.slow
LOST, SERVERS = "Logins are lost", "New servers for the API"
API_US = {"component": "api", "region": "us"}


def test_an_incident_by_hand_and_the_promise_that_it_carries(acme: Town) -> None:
    opening = {
        "title": LOST,
        "body": "We are looking into it.",
        "status": "investigating",
        "affects": [{**API_US, "status": "partial_outage"}],
        "next_update_in": 3,
    }
    assert acme.tocsin.post("incidents", opening).status_code == 401
    opened = acme.tocsin.post("incidents", opening, by="ops", **{"Idempotency-Key": "lost-1"})
    again = acme.tocsin.post("incidents", opening, by="ops", **{"Idempotency-Key": "lost-1"})
    assert opened.status_code == again.status_code == 201
    assert opened.json()["id"] == again.json()["id"]
    wait_for("the reminder", lambda: any("ops@acme.example" in mail.recipients for mail in acme.mails()))
    assert acme.heard() == told(f"Investigating: {LOST}", "api-us", "platform-us", "everything") + told(
        f"Update promised by ...: {LOST}", "ops@acme.example"
    )

    acme.mark = len(acme.mailbox.mails)
    updates = f"incidents/{opened.json()['id']}/updates"
    assert acme.tocsin.post(updates, {"body": "A cable is cut.", "status": "identified"}, by="ops").status_code == 201
    assert acme.heard() == told(f"Identified: {LOST}", "api-us", "platform-us", "everything")
    assert acme.statuses()["API"] == "partial_outage"

    acme.mark = len(acme.mailbox.mails)
    assert acme.tocsin.post(updates, {"body": "It is mended.", "status": "resolved"}, by="ops").status_code == 201
    refused = acme.tocsin.post(updates, {"body": "Once more.", "status": "resolved"}, by="ops")
    assert (refused.status_code, refused.headers["content-type"]) == (409, "application/problem+json")
    assert acme.heard() == told(f"Resolved: {LOST}", "api-us", "platform-us", "everything")


def test_resolving_by_hand_ends_what_an_alert_began_until_it_fires_anew(acme: Town) -> None:
    title = "API errors in Asia Pacific"
    errors = alert("api", "ap")
    acme.fires(errors)
    told_of = ("everything", "critical")
    assert acme.heard() == told(f"Investigating: {title}", *told_of)
    acme.mark = len(acme.mailbox.mails)
    incident = acme.incident(title)["id"]
    done = {"body": "We turned it off.", "status": "resolved"}
    assert acme.tocsin.post(f"incidents/{incident}/updates", done, by="ops").status_code == 201
    acme.fires(errors.said_again("still"))
    acme.fires(errors.resolved())
    assert acme.heard() == told(f"Resolved: {title}", *told_of)


def test_maintenance_goes_by_the_clock_and_keeps_alerts_silent(acme: Town) -> None:
    identifier = _schedule(acme, seconds=3, lasts=3600)  # time enough for the announcement to leave before it begins
    wait_for("the start", lambda: acme.statuses()["API"] == "under_maintenance")
    assert acme.heard() == told(f"Maintenance scheduled: {SERVERS}", *INTERESTED) + told(
        f"Maintenance in progress: {SERVERS}", *INTERESTED
    )

    acme.mark = len(acme.mailbox.mails)
    restarted = alert("api", "us", name="ApiRestarted")
    assert acme.fires(restarted)["accepted"] == 1
    assert acme.statuses()["API"] == "under_maintenance"
    assert SERVERS in acme.tocsin.http.get("/").text
    acme.fires(restarted.resolved())
    assert not acme.heard(), "maintenance keeps alerts silent, on the record"

    assert acme.tocsin.post(f"maintenances/{identifier}/complete", {}, by="ops").status_code == 201
    assert acme.heard() == told(f"Maintenance completed: {SERVERS}", *INTERESTED)
    today = acme.tocsin.get("uptime", by=None, component="api", region="us")["days"][-1]["seconds"]
    assert not today.get("major_outage"), "what maintenance hides counts against nobody"


def test_maintenance_ends_by_the_clock(acme: Town) -> None:
    identifier = _schedule(acme, seconds=1, lasts=1)
    wait_for("the end", lambda: acme.tocsin.get(f"maintenances/{identifier}", by=None)["status"] == "completed")
    heard = acme.heard()
    # On a slow machine the end may overtake an unsent beginning, and then supersedes it.
    assert told(f"Maintenance completed: {SERVERS}", *INTERESTED) <= heard
    assert heard <= sum((told(f"Maintenance {word}: {SERVERS}", *INTERESTED) for word in WORDS), told(""))


INTERESTED = ("api-us", "platform-us", "everything", "critical", "maintenance")
WORDS = ("scheduled", "in progress", "completed")


def _schedule(acme: Town, *, seconds: float, lasts: float) -> str:
    starts_at = datetime.now(UTC) + timedelta(seconds=seconds)
    wanted: dict[str, Any] = {
        "title": SERVERS,
        "body": "Requests may be slow.",
        "affects": [API_US],
        "starts_at": starts_at.isoformat(),
        "ends_at": (starts_at + timedelta(seconds=lasts)).isoformat(),
    }
    answer = acme.tocsin.post("maintenances", wanted, by="ops")
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])
