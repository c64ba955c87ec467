"""Every way to run every channel, and its class: what can be done about a message in doubt there. Read off the capabilities."""

from collections.abc import Mapping, Sequence
from typing import Any

from consumers.delivery.channel import Channel
from consumers.delivery.channels.registry import CHANNEL_OF_NAME
from consumers.delivery.context import ChannelContext
from consumers.delivery.settings import ChannelSettings, read
from tests.kill.matrix import hooks, people, posts
from tests.kill.matrix.outside import Outside, Road

ROADS: Sequence[Road] = (*people.ROADS, *hooks.ROADS, *posts.ROADS)
ROAD_OF_NAME: Mapping[str, Road] = {road.name: road for road in ROADS}


def class_of(road: Road, outside: Outside) -> str:
    """Return the class of a channel that runs so: how doubts end there, and how its messages hang together."""
    settings = settings_of(road, outside)
    channel = CHANNEL_OF_NAME[road.channel].factory(settings, ChannelContext())
    return ", ".join(_words(settings, channel))


def settings_of(road: Road, outside: Outside) -> ChannelSettings:
    """Return the channel's settings as Tocsin reads them."""
    given: dict[str, Any] = {
        key: value.replace("${PAGE_URL}", "http://127.0.0.1") if isinstance(value, str) else value
        for key, value in outside.settings.items()
    }
    return read(CHANNEL_OF_NAME[road.channel].settings, given)


def _words(settings: ChannelSettings, channel: Channel) -> list[str]:
    can = channel.capabilities
    return [
        "asked again" if can.idempotent else "queried" if can.asks else "held",
        *(["told by receipts"] if settings.receipts() else []),
        *(["in batches"] if can.batch > 1 else []),
        *(["in a thread"] if can.threads else []),
    ]


def classes() -> dict[str, list[Road]]:
    """Return the roads by class, in the order of the list."""
    found: dict[str, list[Road]] = {}
    for road in ROADS:
        with road.opened() as outside:
            found.setdefault(class_of(road, outside), []).append(road)
    return found
