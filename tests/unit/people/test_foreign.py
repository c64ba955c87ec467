"""Files of Statuspage and Cachet: who is carried over, how, and what is refused rather than guessed."""

import json
from typing import Any

import pytest

from tests.unit.people.reading import people, places, read
from tocsin.people.person import FileError, LeftOut, Mistake
from tocsin.people.places import Map, read_map

API = [
    {"id": "s1", "mode": "email", "email": "alice@acme.example", "components": None, "quarantined_at": None},
    {"id": "s2", "mode": "email", "email": "bob@acme.example", "components": ["api", "login"], "quarantined_at": None},
    {
        "id": "s3",
        "mode": "webhook",
        "endpoint": "https://hooks.acme.example/",
        "email": "ops@acme.example",
        "components": [],
    },
    {"id": "s4", "mode": "sms", "phone_number": "+15551234567", "phone_country": "US", "components": ["kctb1"]},
    {"id": "s5", "mode": "sms", "phone_number": "1512345678", "phone_country": "DE"},
    {"id": "s6", "mode": "slack", "obfuscated_channel_name": "#o***", "workspace_name": "Acme"},
    {"id": "s7", "mode": "email", "email": "eve@acme.example", "quarantined_at": "2024-04-01T08:00:00.000Z"},
    {"id": "s8", "mode": "integration_partner", "components": None},
    {"id": "s9", "mode": "slack", "endpoint": "https://hooks.slack.com/services/T/B/x"},
]
"""As ``GET /v1/pages/ID/subscribers`` answers."""


def test_the_api_of_statuspage() -> None:
    said = Map({"kctb1": ({"component": "web", "region": "eu"},)})
    found = read("statuspage", json.dumps(API), places(said))
    bodies = [one.body(confirmed=True) for one in found if not isinstance(one, (Mistake, LeftOut))]
    assert bodies == [
        {"channel": "email", "address": "alice@acme.example", "confirmed": True},
        {
            "channel": "email", "address": "bob@acme.example", "confirmed": True,
            "cells": [{"component": "api"}, {"component": "login"}],
        },
        {"channel": "statuspage_webhook", "address": "https://hooks.acme.example/", "confirmed": True},
        {"channel": "sms", "address": "+15551234567", "confirmed": True, "cells": [{"component": "web", "region": "eu"}]},
        {"channel": "sms", "address": "+491512345678", "confirmed": True},
        {"channel": "slack", "address": "https://hooks.slack.com/services/T/B/x", "confirmed": True},
    ]  # fmt: skip
    assert [one.column for one in found if isinstance(one, Mistake)] == ["endpoint", "mode"]
    assert [one.reason[:15] for one in found if isinstance(one, LeftOut)] == ["was quarantined"]


def test_csv_of_statuspage_by_the_names_of_its_columns() -> None:
    text = (
        "Type,Email Address,Phone Number,Country Code,Endpoint,Components,State\n"
        "email,ann@acme.example,,,,API;Platform - Web app,active\n"
        "Email,ben@acme.example,,,,,unconfirmed\n"
        "sms,,030 901820,de,,login,\n"
        'webhook,ops@acme.example,,,https://hooks.acme.example/,"API, Login",active\n'
    )  # fmt: skip
    assert [one.body(confirmed=True) for one in people("statuspage", text)] == [
        {
            "channel": "email", "address": "ann@acme.example", "confirmed": True,
            "cells": [{"component": "api"}, {"component": "web"}],
        },
        {"channel": "email", "address": "ben@acme.example"},
        {"channel": "sms", "address": "+4930901820", "confirmed": True, "cells": [{"component": "login"}]},
        {
            "channel": "statuspage_webhook", "address": "https://hooks.acme.example/", "confirmed": True,
            "cells": [{"component": "api"}, {"component": "login"}],
        },
    ]  # fmt: skip
    [first, *_] = people("statuspage", text)
    assert (first.column("address"), first.column("cells[0].component"), first.column("confirmed")) == (
        "Email Address", "Components", "confirmed",
    )  # fmt: skip


def test_without_a_mode_it_is_what_has_an_address() -> None:
    text = "email,phone_number,endpoint\nann@acme.example,,\n,+4930901820,\nops@acme.example,,https://hooks.acme.example/\n"
    assert [one.channel for one in people("statuspage", text)] == ["email", "sms", "statuspage_webhook"]


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ("fax,a@acme.example,,,", "mode"), ("email,,,,", "email"), ("sms,,,US,", "phone_number"),
        ("sms,,5551234567,,", "phone_number"), ("sms,,hello,US,", "phone_number"), ("sms,,5551234567,Germany,", "phone_number"),
        ("email,a@acme.example,,,Nope", "components"), ("email,a@acme.example,,,api;Nope", "components"),
        ("email,a@acme.example,,,Sign in", "components"),
    ],
)  # fmt: skip
def test_mistakes_in_a_line_of_statuspage(line: str, column: str) -> None:
    [found] = read("statuspage", f"mode,email,phone_number,phone_country,components\n{line}\n")
    assert isinstance(found, Mistake)
    assert found.column == column
    assert "a@acme" not in found.message
    assert "5551234567" not in found.message


@pytest.mark.parametrize(
    "columns", ["mode,name", "email,Notify services", "email,Email Address", "mode,email,component filter"]
)
def test_columns_of_statuspage_that_leave_it_open(columns: str) -> None:
    with pytest.raises(FileError, match="line 1"):
        read("statuspage", f"{columns}\nx,y,z\n")


@pytest.mark.parametrize(
    "values",
    [{"state": "quarantined"}, {"state": "unsubscribed"}, {"incident": "abc"}, {"quarantined_at": "2024-01-01"}],
)
def test_who_is_left_out(values: dict[str, Any]) -> None:
    [found] = read("statuspage", json.dumps([{"mode": "email", "email": "ann@acme.example"} | values]))
    assert isinstance(found, LeftOut)


def test_what_is_forgotten_is_not_everything() -> None:
    said = Map({"Old": (), "Both": ({"component": "api"}, {"component": "login"})}, {"webhook": "webhook"})
    where = places(said)
    values = [
        {"mode": "webhook", "endpoint": "https://a.example/", "components": wanted}
        for wanted in (["Old"], ["Old", "Both"], ["api", "Both"])
    ]
    found = read("statuspage", json.dumps(values), where)
    assert isinstance(found[0], LeftOut)
    bodies = [one.body(confirmed=False) for one in found[1:] if not isinstance(one, (Mistake, LeftOut))]
    assert [body["cells"] for body in bodies] == [[{"component": "api"}, {"component": "login"}]] * 2
    assert {body["channel"] for body in bodies} == {"webhook"}
    assert not where.unknown


def test_what_is_unknown_is_counted() -> None:
    where = places()
    read("statuspage", "email,components\na@acme.example,Nope;api\nb@acme.example,Nope;Never\n", where)
    assert where.unknown == {"Nope": 2, "Never": 1}


# --- Cachet ---

TABLE = "id,email,verify_code,verified_at,phone_number,slack_webhook_url,global,created_at,components\n"


def test_the_table_of_cachet() -> None:
    text = TABLE + (
        "1,ann@acme.example,c0de,2020-01-01 00:00:00,NULL,NULL,1,2020-01-01,\n"
        "2,ben@acme.example,c0de,NULL,,,1,2020-01-01,\n"
        '3,cat@acme.example,c0de,2020-01-01 00:00:00,+4930901820,https://hooks.slack.com/x,0,2020-01-01,"api,Login"\n'
        "4,dan@acme.example,c0de,2020-01-01 00:00:00,\\N,\\N,1,2020-01-01,Nope\n"
    )  # fmt: skip
    found = people("cachet", text)
    cells = [{"component": "api"}, {"component": "login"}]
    assert [one.body(confirmed=True) for one in found[:-1]] == [
        {"channel": "email", "address": "ann@acme.example", "confirmed": True},
        {"channel": "email", "address": "ben@acme.example"},
        {"channel": "email", "address": "cat@acme.example", "confirmed": True, "cells": cells},
        {"channel": "sms", "address": "+4930901820", "confirmed": True, "cells": cells},
        {"channel": "slack", "address": "https://hooks.slack.com/x", "confirmed": True, "cells": cells},
    ]
    assert "c0de" not in str(found)


def test_the_api_of_cachet() -> None:
    answer = {
        "meta": {"pagination": {"total": 2}},
        "data": [
            {"id": 1, "email": "ann@acme.example", "verified_at": "2020-01-01", "global": True},
            {
                "id": 2, "email": "ben@acme.example", "verified_at": "2020-01-01", "global": False,
                "subscriptions": [{"component_id": 7}, {"component_id": 8}],
            },
            {"id": 3, "email": "cat@acme.example", "email_verified_at": None, "global": "true"},
        ],
    }  # fmt: skip
    where = places(Map({"7": ({"component": "api"},), "8": ()}))
    assert [one.body(confirmed=True) for one in people("cachet", json.dumps(answer), where)] == [
        {"channel": "email", "address": "ann@acme.example", "confirmed": True},
        {"channel": "email", "address": "ben@acme.example", "confirmed": True, "cells": [{"component": "api"}]},
        {"channel": "email", "address": "cat@acme.example"},
    ]


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ("5,e@acme.example,c,2020-01-01,,,0,2020-01-01,", "global"), ("6,,c,2020-01-01,,,1,2020-01-01,", "email"),
        ("7,,c,2020-01-01,015112345678,,1,2020-01-01,", "phone_number"),
        ("8,e@acme.example,c,2020-01-01,,,0,2020-01-01,Nope", "components"),
    ],
)  # fmt: skip
def test_mistakes_in_a_line_of_cachet(line: str, column: str) -> None:
    [found] = read("cachet", f"{TABLE}{line}\n")
    assert isinstance(found, Mistake)
    assert found.column == column
    assert "e@acme" not in found.message


@pytest.mark.parametrize("columns", ["id,name", "email,global", "email,verified_at,group_ids"])
def test_columns_of_cachet_that_leave_it_open(columns: str) -> None:
    with pytest.raises(FileError, match="line 1"):
        read("cachet", f"{columns}\nx,y,z\n")


# --- the map ---


def test_a_map_says_cells_and_channels(tmp_path: Any) -> None:
    file = tmp_path / "map.yaml"
    file.write_text(
        "components:\n  kctb1: api:eu\n  Old one: null\n  8: [api, login]\n  9:\nchannels: {webhook: webhook}\n"
    )
    assert read_map(file) == Map(
        {
            "kctb1": ({"component": "api", "region": "eu"},), "Old one": (), "8": ({"component": "api"}, {"component": "login"}),
            "9": (),
        },
        {"webhook": "webhook"},
    )  # fmt: skip


@pytest.mark.parametrize(
    "text", ["- a", "parts: {}", "components: [a]", "components: {a: {b: c}}", "channels: {a: [b]}", "a: ["]
)
def test_a_map_that_is_none_is_refused(tmp_path: Any, text: str) -> None:
    file = tmp_path / "map.yaml"
    file.write_text(text)
    with pytest.raises(FileError):
        read_map(file)


def test_a_map_to_nowhere_is_refused() -> None:
    with pytest.raises(FileError, match="nowhere"):
        places(Map({"a": ({"component": "nowhere"},)}))
