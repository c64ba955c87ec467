"""Networks and rooms where updates hang together: X, Mastodon, Bluesky, Telegram, a Slack bot and PagerDuty's alerts."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from tests.fakes.vendors import bluesky as b
from tests.fakes.vendors import mastodon as m
from tests.fakes.vendors import pagerduty as p
from tests.fakes.vendors import slack as s
from tests.fakes.vendors import telegram as t
from tests.fakes.vendors import x as xs
from tests.fakes.vendors.server import VendorServer
from tests.kill.matrix.outside import Arrival, Outside, Road, servers, violations


@contextmanager
def x() -> Iterator[Outside]:
    """Two accounts of X; what it calls a duplicate is there once."""
    accounts = {name: {key: f"{value}-{name}" for key, value in xs.KEYS.items()} for name in ("acme_en", "acme_de")}
    handles = {keys["access_token"]: name for name, keys in accounts.items()}
    with servers(xs.X(*accounts.values())) as [server]:
        vendor = server.vendor
        yield Outside(
            settings={"accounts": accounts, "api": server.url},
            addresses=list(accounts),
            arrived=lambda: [
                Arrival(handles[vendor.authors[key]], post["text"]) for key, post in dict(vendor.posts).items()
            ],
            complaints=violations([server]),
        )


@contextmanager
def mastodon() -> Iterator[Outside]:
    """Two accounts on servers of their own; what comes under a known key is there once."""
    with servers(m.Mastodon(), m.Mastodon()) as running:
        of = {f"status@{number}.acme.example": server for number, server in enumerate(running)}
        yield Outside(
            settings={"accounts": {name: {"server": one.url, "access_token": m.TOKEN} for name, one in of.items()}},
            addresses=list(of),
            arrived=lambda: [
                Arrival(name, one.form["status"][0]) for name, server in of.items() for one in list(server.accepted)
            ],
            seen=lambda: [
                Arrival(name, form["status"])
                for name, server in of.items()
                for form in list(server.vendor.posts.values())
            ],
            complaints=violations(running),
        )


@contextmanager
def bluesky() -> Iterator[Outside]:
    """One account; a record that is written again is there once."""
    with servers(b.Bluesky()) as [server]:
        yield Outside(
            settings={"accounts": {b.HANDLE: {"service": server.url, "app_password": b.PASSWORD}}},
            addresses=[b.HANDLE],
            arrived=lambda: [
                Arrival(b.HANDLE, one.json["record"]["text"]) for one in list(server.accepted) if one.path == b.PUT
            ],
            seen=lambda: [Arrival(b.HANDLE, record["text"]) for record in list(server.vendor.records.values())],
            complaints=violations([server]),
        )


@contextmanager
def telegram() -> Iterator[Outside]:
    """Three chats of one bot."""
    with servers(t.Telegram()) as [server]:
        yield Outside(
            settings={"token": t.TOKEN, "api": server.url},
            addresses=[str(t.CHAT - number) for number in range(3)],
            arrived=lambda: [
                Arrival(str(one["chat_id"]), one["text"]) for one in list(server.vendor.messages.values())
            ],
            complaints=violations([server]),
        )


@contextmanager
def slack_bot() -> Iterator[Outside]:
    """One room: what is posted there, and what its first message was changed to where nothing was posted of it."""
    with servers(s.Slack()) as [server]:
        yield Outside(
            settings={"token": s.TOKEN, "api": f"{server.url}/api"},
            addresses=[s.CHANNEL],
            arrived=lambda: _told_by_bot(server),
            complaints=violations([server]),
        )


def _told_by_bot(server: VendorServer[s.Slack]) -> list[Arrival]:
    """A change to the first message that says what was posted already is a courtesy; to repeat one changes nothing."""
    said = [(one.target, json.dumps(one.json["blocks"])) for one in list(server.accepted)]
    posted = [text for target, text in said if target == s.POST]
    changed = dict.fromkeys(text for target, text in said if target == s.UPDATE and text not in posted)
    return [Arrival(s.CHANNEL, text) for text in (*posted, *changed)]


@contextmanager
def pagerduty() -> Iterator[Outside]:
    """One service. An event for an alert that is open, or resolved already, changes nothing; one alert pages once."""
    with servers(p.PagerDuty()) as [server]:

        def arrived() -> list[Arrival]:
            return [
                Arrival(p.KEY, f"{one.json['event_action']} {one.json['dedup_key']} {one.raw.decode()}")
                for one in list(server.accepted)
            ]

        yield Outside(
            settings={"api": server.url},
            addresses=[p.KEY],
            arrived=arrived,
            seen=lambda: list(dict.fromkeys(arrived())),
            complaints=lambda: [*violations([server])(), *_paged_twice(server)],
        )


def _paged_twice(server: VendorServer[p.PagerDuty]) -> list[str]:
    opened: set[str] = set()
    pages: Counter[str] = Counter()
    for one in list(server.accepted):
        event = one.json
        key, triggers = event["dedup_key"], event["event_action"] == "trigger"
        pages[key] += triggers and key not in opened
        opened = opened | {key} if triggers else opened - {key} if event["event_action"] == "resolve" else opened
    return [f"{key} paged {count} times" for key, count in pages.items() if count > 1]


ROADS = (
    Road("x", "x", x),
    Road("mastodon", "mastodon", mastodon),
    Road("bluesky", "bluesky", bluesky),
    Road("slack (bot)", "slack", slack_bot),
    Road("telegram", "telegram", telegram),
    Road("pagerduty", "pagerduty", pagerduty),
)
