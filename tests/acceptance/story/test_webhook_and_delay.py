"""The parts of the story that need a changed copy of the example: a receiver on this machine, and a short delay."""

from collections.abc import Iterator

import pytest
import yaml

from tests.acceptance.story.town import Install, Town, told, town
from tests.builders.alertmanager import alert
from tests.fakes.webhook import FakeWebhookReceiver
from tests.parts.processes import wait_for
from tests.parts.tocsin import example

pytestmark = pytest.mark.slow
HOME = "127.0.0.0/8"


@pytest.fixture(scope="module")
def own_town(tmp_path_factory: pytest.TempPathFactory, install: Install) -> Iterator[Town]:
    page = yaml.safe_load(example())
    page["channels"]["webhook"] = {"allow_networks": [HOME]}
    [slow] = [rule for rule in page["rules"] if rule["id"] == "web-slow"]
    slow["publish"] = {"after": "2s"}
    with town(tmp_path_factory.mktemp("own"), yaml.safe_dump(page), install) as made:
        yield made


def test_what_lasts_longer_than_its_delay_is_published(own_town: Town) -> None:
    title = "Web app is slow in United States"
    own_town.begin()
    slow = alert("web", "us")
    own_town.fires(slow)
    assert [draft["title"] for draft in own_town.tocsin.get("drafts")] == [title]
    wait_for("the publication", lambda: own_town.tocsin.get("drafts") == [])
    assert own_town.heard() == told(f"Investigating: {title}", "platform-us", "everything")
    own_town.fires(slow.resolved())
    assert own_town.heard() == sum(
        (told(f"{word}: {title}", "platform-us", "everything") for word in ("Investigating", "Resolved")), told("")
    )


def test_a_webhook_proves_itself_by_its_challenge_and_hears_of_what_it_chose(own_town: Town) -> None:
    own_town.begin()
    with FakeWebhookReceiver() as receiver:
        wanted = {"webhook": receiver.url, "cells": [{"component": "api", "region": "eu"}]}
        answer = own_town.tocsin.post("subscribers", wanted)
        assert (answer.status_code, answer.json()["state"]) == (201, "pending")
        receiver.secret = answer.json()["secret"]
        wait_for("its confirmation", lambda: "SubscriberConfirmed" in own_town.types())
        europe, states = alert("api", "eu"), alert("api", "us")
        own_town.fires(states)
        own_town.fires(europe, states)
        own_town.fires(europe.said_again("more"), states)
        own_town.fires(europe.resolved(), states.resolved())
        own_town.wait_until_quiet()
        said = [(delivery.body["type"], delivery.accepted) for delivery in receiver.deliveries]
        assert said[0] == ("subscription.challenge", True)
        assert [accepted for _, accepted in said] == [True] * len(said)
        statuses = [delivery.body["data"]["incident"]["status"] for delivery in receiver.deliveries[1:]]
        # It joined with its own region; an update that a newer one overtook before it left is superseded.
        assert statuses in (["investigating", "resolved"], ["resolved"])
        assert max(receiver.accepted().values()) == 1
        assert not receiver.violations


def test_the_example_itself_reaches_no_receiver_on_this_machine(acme: Town) -> None:
    with FakeWebhookReceiver() as receiver:
        answer = acme.tocsin.post("subscribers", {"webhook": receiver.url})
        assert answer.status_code in (201, 400)
        acme.wait_until_quiet()
        assert not receiver.connections


def test_the_record_holds_beside_the_running_server(acme: Town, own_town: Town) -> None:
    for each in (acme, own_town):
        each.wait_until_quiet()
        for words in (("replay", "--check"), ("log", "verify")):
            code, printed = each.tocsin.run(*words, "--data", each.tocsin.data)
            assert code == 0, printed
