"""How people come and go: asked by mail before they hear of anything, gone with one click."""

import re
from urllib.parse import urlsplit

import pytest

from tests.acceptance.story.town import Town, told
from tests.fakes.smtp import Mail

pytestmark = pytest.mark.slow
CONFIRM = re.compile(r"http://\S+/confirm/\S+")
MANAGE = re.compile(r"http://\S+/manage/\S+")
UNSUBSCRIBE = re.compile(rb"\r\nList-Unsubscribe: <([^>]+)>\r\n")
WANTED = {"email": "new@example.com", "cells": [{"component": "login"}]}
PLEASE = "Please confirm your subscription"


def test_nobody_hears_of_anything_before_they_confirm_nor_after_they_leave(acme: Town) -> None:
    answer = acme.tocsin.post("subscribers", WANTED)
    assert (answer.status_code, answer.json()["state"]) == (201, "pending")
    assert acme.heard() == told(PLEASE, "new")
    link = _path(CONFIRM.findall(acme.mails("new")[0].text())[0])

    for _ in range(2):  # mail scanners follow links
        page = acme.tocsin.http.get(link)
        assert page.status_code == 200
        assert "<button" in page.text
    _outage(acme, told_of={"everything"})

    assert acme.tocsin.http.post(link, follow_redirects=True).status_code == 200
    _outage(acme, told_of={"everything", "new"})

    leave = _path(_unsubscribe(acme.mails("new")[0]))
    assert "<button" in acme.tocsin.http.get(leave).text
    _outage(acme, told_of={"everything", "new"})
    one_click = {"Content-Type": "application/x-www-form-urlencoded"}
    assert acme.tocsin.http.post(leave, content="List-Unsubscribe=One-Click", headers=one_click).status_code == 200
    _outage(acme, told_of={"everything"})
    assert acme.tocsin.http.post(link, follow_redirects=True).status_code == 410, "an old link brings nobody back"


def test_a_known_address_gets_the_same_answer_and_its_owner_decides(acme: Town) -> None:
    first = acme.tocsin.post("subscribers", {"email": "twice@example.com", "cells": [{"component": "login"}]})
    acme.wait_until_quiet()
    acme.tocsin.http.post(_path(CONFIRM.findall(acme.mails("twice")[0].text())[0]))
    second = acme.tocsin.post("subscribers", {"email": "twice@example.com", "cells": [{"component": "maps"}]})
    assert first.json().keys() == second.json().keys()
    assert (first.status_code, first.json()["state"]) == (second.status_code, second.json()["state"])
    assert acme.heard() == told(PLEASE, "twice") + told(PLEASE, "twice")
    newest = acme.mails("twice")[-1]
    _outage(acme, told_of={"everything", "twice"})  # until they confirm, what they chose before stands
    acme.tocsin.http.post(_path(CONFIRM.findall(newest.text())[0]))
    _outage(acme, told_of={"everything"})


def test_the_form_on_the_page_signs_up_without_javascript(acme: Town) -> None:
    form = acme.tocsin.http.get("/subscribe").text
    assert 'action="/subscribe"' in form
    fields = {"email": "form@example.com", "scope": "some", "cells": "api/eu"}
    answer = acme.tocsin.http.post("/subscribe", data=fields, follow_redirects=True)
    assert answer.status_code == 200
    assert acme.heard() == told(PLEASE, "form")


def test_who_lost_the_link_is_mailed_it_and_hears_of_what_they_choose_from_then_on(acme: Town) -> None:
    chooser = {"email": "chooser@example.com", "cells": [{"component": "maps"}], "confirmed": True}
    assert acme.tocsin.post("subscribers", chooser, by="ops").status_code == 201
    asked = [
        acme.tocsin.http.post("/manage", data={"email": f"{name}@example.com"}) for name in ("chooser", "stranger")
    ]
    assert [(answer.status_code, answer.headers["location"]) for answer in asked] == [(303, "/sent")] * 2
    assert acme.heard() == told("Your subscription", "chooser")
    link = _path(MANAGE.findall(acme.mails("chooser")[0].text())[0])

    for _ in range(2):  # mail scanners follow links
        page = acme.tocsin.http.get(link)
        assert (page.status_code, page.text.count(f'action="{link}')) == (200, 4)
    _outage(acme, told_of={"everything"})

    choice = {"scope": "some", "cells": "login", "kinds": "incident"}
    assert acme.tocsin.http.post(link, data=choice).status_code == 303
    acme.begin()
    _outage(acme, told_of={"everything", "chooser"})
    assert acme.tocsin.http.post(f"{link}/pause").status_code == 303
    acme.begin()
    _outage(acme, told_of={"everything"})
    assert acme.tocsin.http.post(f"{link}/leave").status_code == 303
    assert acme.tocsin.http.post(link, data=choice).status_code == 410


@pytest.mark.parametrize("wanted", [{"cells": []}, {"cells": [{"component": "unknown"}]}, {"email": "nobody"}])
def test_a_wish_that_makes_no_sense_is_refused_and_asks_nobody(acme: Town, wanted: dict[str, object]) -> None:
    answer = acme.tocsin.post("subscribers", {"email": "odd@example.com", **wanted})
    assert answer.status_code == 400
    assert answer.json()["errors"]
    assert not acme.heard()


def _outage(acme: Town, *, told_of: set[str]) -> None:
    """Let the login be down for a moment and see who hears of it, and of its end."""
    acme.mark = len(acme.mailbox.mails)
    title = "Login is slow"
    opening = {"title": title, "body": "Slow.", "status": "investigating"}
    affects = [{"component": "login", "status": "degraded_performance"}]
    incident = acme.tocsin.post("incidents", {**opening, "affects": affects}, by="ops").json()["id"]
    assert acme.heard() == told(f"Investigating: {title}", *told_of)
    done = {"body": "Fast.", "status": "resolved"}
    assert acme.tocsin.post(f"incidents/{incident}/updates", done, by="ops").status_code == 201
    assert acme.heard() == told(f"Investigating: {title}", *told_of) + told(f"Resolved: {title}", *told_of)


def _path(url: str) -> str:
    return urlsplit(url).path


def _unsubscribe(mail: Mail) -> str:
    [link] = UNSUBSCRIBE.findall(mail.raw)
    assert mail.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    return bytes(link).decode()
