"""Receivers that have a URL of their own: webhooks, webhooks of chats, and browsers."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from consumers.delivery.channels.webpush import WebPushSettings
from consumers.delivery.settings import read
from tests.fakes.vendors import discord as d
from tests.fakes.vendors import push
from tests.fakes.vendors import slack as s
from tests.fakes.vendors import statuspage_receiver as sp
from tests.fakes.vendors import teams as t
from tests.fakes.vendors.server import VendorServer
from tests.fakes.webhook import FakeWebhookReceiver
from tests.kill.matrix.outside import Arrival, Outside, Road, servers, violations

_LOOPBACK = ["127.0.0.0/8"]
_GATEWAY = {"allow_hosts": ["127.0.0.1"], "allow_networks": _LOOPBACK}
_VAPID = "C1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"
_PUSH = {"vapid_private_key": _VAPID, "contact": "mailto:status@acme.example", "allow_networks": _LOOPBACK}


@contextmanager
def webhook() -> Iterator[Outside]:
    """Three receivers that keep one of what comes twice under one ``webhook-id``, as Standard Webhooks has it."""
    with FakeWebhookReceiver() as receiver:

        def accepted() -> list[tuple[str, Arrival]]:
            return [
                (one.id, Arrival(f"http://127.0.0.1:{receiver.port}{one.target}", one.raw.decode()))
                for one in list(receiver.deliveries)
                if one.accepted
            ]

        yield Outside(
            settings={"allow_networks": _LOOPBACK},
            addresses=[f"{receiver.url}/{number}" for number in range(3)],
            arrived=lambda: [arrival for _, arrival in accepted()],
            seen=lambda: list(dict(reversed(accepted())).values()),
            complaints=lambda: list(receiver.violations),
        )


@contextmanager
def statuspage_webhook() -> Iterator[Outside]:
    """Two receivers that know an update by the id that Statuspage gives it."""
    with servers(sp.StatuspageReceiver(), sp.StatuspageReceiver()) as running:

        def told() -> list[tuple[tuple[str, str], Arrival]]:
            return [
                ((address, update["id"]), Arrival(address, update["body"]))
                for address, server in _at(running, sp.HOOK)
                for incident in list(server.vendor.incidents)
                for update in incident["incident_updates"]
            ]

        yield Outside(
            settings={"allow_networks": _LOOPBACK},
            addresses=[address for address, _ in _at(running, sp.HOOK)],
            arrived=lambda: [arrival for _, arrival in told()],
            seen=lambda: list(dict(told()).values()),
            complaints=violations(running),
        )


@contextmanager
def slack() -> Iterator[Outside]:
    """Two incoming webhooks."""
    with servers(s.Slack(), s.Slack()) as running:
        yield _chat(running, s.HOOK, lambda vendor: vendor.hooked)


@contextmanager
def teams() -> Iterator[Outside]:
    """Two flows."""
    with servers(t.Teams(), t.Teams()) as running:
        yield _chat(running, t.HOOK, lambda vendor: vendor.cards)


@contextmanager
def discord() -> Iterator[Outside]:
    """Two webhooks."""
    with servers(d.Discord(), d.Discord()) as running:
        yield _chat(running, d.HOOK, lambda vendor: vendor.messages.values())


@contextmanager
def webpush() -> Iterator[Outside]:
    """Two browsers. A notification takes the place of one with the same tag: one that is repeated is seen once."""
    key = read(WebPushSettings, _PUSH).application_server_key
    with servers(push.PushService(key), push.PushService(key)) as running:
        for server in running:
            server.vendor.origin = server.url
        of = {_subscription(server): server for server in running}

        def shown() -> list[Arrival]:
            return [
                Arrival(address, json.dumps([one["tag"], one["body"]]))
                for address, server in of.items()
                for one in list(server.vendor.shown)
            ]

        yield Outside(
            settings=_PUSH,
            addresses=list(of),
            arrived=shown,
            seen=lambda: list(dict.fromkeys(shown())),
            complaints=violations(running),
        )


def _subscription(server: VendorServer[push.PushService]) -> str:
    keys = {"p256dh": push.PUBLIC, "auth": push.AUTH}
    return json.dumps({"endpoint": server.url + push.PATH, "expirationTime": None, "keys": keys})


def _at(running: Sequence[VendorServer[Any]], path: str) -> list[tuple[str, VendorServer[Any]]]:
    return [(server.url + path, server) for server in running]


def _chat(running: Sequence[VendorServer[Any]], path: str, messages: Any) -> Outside:
    return Outside(
        settings=_GATEWAY,
        addresses=[address for address, _ in _at(running, path)],
        arrived=lambda: [
            Arrival(address, json.dumps(one))
            for address, server in _at(running, path)
            for one in list(messages(server.vendor))
        ],
        complaints=violations(running),
    )


ROADS = (
    Road("webhook", "webhook", webhook),
    Road("statuspage_webhook", "statuspage_webhook", statuspage_webhook),
    Road("webpush", "webpush", webpush),
    Road("slack (webhook)", "slack", slack),
    Road("teams", "teams", teams),
    Road("discord", "discord", discord),
)
