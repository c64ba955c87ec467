"""No secret and no address is in a log, a reason or a repr, on any channel, though the provider repeats in its answer all it was told."""

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
import pytest

from consumers.delivery.channel import AskableChannel, Channel
from consumers.delivery.channels.registry import CHANNEL_OF_NAME, CHANNELS
from consumers.delivery.context import ChannelContext
from consumers.delivery.settings import Secret, read
from tests.kill.matrix.outside import Road
from tests.kill.matrix.roads import ROADS
from tests.unit.delivery.channels.messages import message

STATUSES = (400, 401, 403, 404, 410, 429, 500, 503)
_IDLE = 0.2
_HERE = re.compile(r"127\.0\.0\.1:\d+")


class Parrot:
    """A provider that refuses whatever comes, and says in every member of its answer what it was told. Knows HTTP and SMTP."""

    def __init__(self) -> None:
        self.status = 500
        self.heard: list[str] = []
        self.port = 0

    async def __aenter__(self) -> "Parrot":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = b""
        try:
            while part := await asyncio.wait_for(reader.read(65_536), _IDLE):
                said += part
        except TimeoutError:
            pass
        self.heard.append(said.decode("utf-8", "replace"))
        writer.write(self._answer(self.heard[-1]) if said else b"554 5.7.1 nobody may send\r\n")
        writer.close()

    def _answer(self, said: str) -> bytes:
        names = ("message", "detail", "title", "error", "description", "reason", "more_info")
        document = dict.fromkeys(names, said) | {"errors": [{"message": said, "field": said}], "code": 99_999}
        body = json.dumps(document).encode()
        head = f"HTTP/1.1 {self.status} {' '.join(said.split()[:2])[:20]}\r\nContent-Type: application/json\r\n"
        return f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


SIGNING = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
"""The secret of an endpoint; webhooks are signed with it."""


@pytest.fixture
async def parrot() -> AsyncIterator[Parrot]:
    async with Parrot() as running:
        yield running


def secrets(settings: Any) -> Iterator[str]:
    """Yield what may not be shown of settings."""
    match settings:
        case Secret():
            yield settings.reveal()
        case dict():
            for value in settings.values():
                yield from secrets(value)
        case msgspec.Struct():
            for name in settings.__struct_fields__:
                yield from secrets(getattr(settings, name))
        case _:
            pass


def hidden_in(address: str) -> Iterator[str]:
    """Yield what may not be shown of an address: of a URL what stands behind its host, of a browser's its keys too."""
    if address.startswith("{"):
        known = json.loads(address)
        yield from (*hidden_in(known["endpoint"]), *known["keys"].values())
    elif "://" in address:
        yield address.partition("://")[2].partition("/")[2] or address
    else:
        yield address


def test_every_channel_is_here() -> None:
    assert {road.channel for road in ROADS} == {kind.name for kind in CHANNELS}


@pytest.mark.parametrize("road", ROADS, ids=lambda road: road.name)
async def test_nothing_secret_is_shown_whatever_a_provider_answers(
    road: Road, parrot: Parrot, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    def there(text: str) -> str:
        return _HERE.sub(f"127.0.0.1:{parrot.port}", text).replace("${PAGE_URL}", "http://127.0.0.1")

    with road.opened() as outside:
        given, address = json.loads(there(json.dumps(outside.settings))), there(outside.addresses[0])
    kind = CHANNEL_OF_NAME[road.channel]
    settings = read(kind.settings, given)
    channel: Channel = kind.factory(settings, ChannelContext())
    is_our_own = address in json.dumps(given)  # an account of the operator's, whose posts are public
    marked = [SIGNING, *secrets(settings), *([] if is_our_own else hidden_in(address))]
    shown = [repr(settings), repr(channel)]
    with caplog.at_level(logging.INFO):
        for status in STATUSES:
            parrot.status = status
            shown.append(
                repr(await channel.send(message(address=address, secret=SIGNING, in_doubt=status == STATUSES[-1])))
            )
            if channel.capabilities.asks:
                asked: Any = channel
                shown.append(repr(await _ask(asked, address)))
        await channel.close()
    told = capfd.readouterr()
    text = "\n".join([*shown, caplog.text, *(str(record.__dict__) for record in caplog.records), told.out, told.err])
    assert parrot.heard, "nothing was asked of it"
    for one in marked:
        assert one not in text, f"{road.name} shows {one[:4]}..."


async def _ask(channel: AskableChannel, address: str) -> Any:
    return await channel.find([message(address=address, in_doubt=True)])
