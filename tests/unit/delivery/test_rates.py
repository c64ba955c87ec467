"""Limits as they are written, and what channels say of themselves stands in the documents."""

import re

import pytest
from limits.storage import MemoryStorage

from consumers.delivery.channel import Channel
from consumers.delivery.channels.registry import CHANNEL_OF_NAME, CHANNELS, ChannelKind
from consumers.delivery.context import ChannelContext
from consumers.delivery.limiter import Limiter
from consumers.delivery.rates import Destination, Limits, Rate, rates_of
from consumers.delivery.settings import read
from tests.unit.delivery.channels.examples import EXAMPLES, TEXT
from tocsin.config.models import ChannelLimits
from tocsin.delivering import allowed_of


@pytest.mark.parametrize(
    ("text", "rates"),
    [
        ("", []),
        ("none", []),
        ("1/s", [Rate(1, 1)]),
        ("5/2s, 30/m", [Rate(5, 2), Rate(30, 60)]),
        ("300/3h,10000/d", [Rate(300, 10_800), Rate(10_000, 86_400)]),
    ],
)
def test_limits_are_read(text: str, rates: list[Rate]) -> None:
    assert list(rates_of(text)) == rates


@pytest.mark.parametrize(
    "text", ["0/s", "1", "/s", "1/0s", "1/w", "-1/s", "1.5/s", "1/s,", "none, 1/s", "1 per second"]
)
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected limits such as"):
        rates_of(text)


def test_what_an_operator_says_takes_the_place_of_the_vendors_limit() -> None:
    assert Limits("1/s", "2/s", "3/s").changed(None, "none", "5/s") == Limits("1/s", "none", "5/s")


@pytest.mark.parametrize(
    ("address", "host"), [("https://U@A.example:1/x", "a.example"), ("C0123", "C0123"), ("http://[", "http://[")]
)
def test_a_host_is_read_off_an_address(address: str, host: str) -> None:
    assert Destination.HOST.of(address) == host
    assert Destination.ENDPOINT.of(address) == address


def test_an_address_is_no_name_in_the_storage() -> None:
    storage = MemoryStorage()
    limiter = Limiter("sms", Limits(destination="1/s"), storage=storage, secret="s")
    limiter.wait("+15005550006")
    [name] = storage.events
    assert "5005550006" not in name
    Limiter("sms", Limits(destination="1/s"), storage=storage, secret="t").wait("+15005550006")
    assert len(storage.events) == 2, "whoever does not know the secret cannot find the name of a number"


@pytest.mark.parametrize("kind", CHANNELS, ids=lambda kind: kind.name)
async def test_the_limits_of_a_channel_are_documented(kind: ChannelKind) -> None:
    channel = kind.factory(read(kind.settings, EXAMPLES[kind.name]), ChannelContext(page="acme"))
    limits = channel.capabilities.limits
    for text in (limits.account, limits.sender, limits.destination):
        rates_of(text)
    await channel.close()
    section = TEXT.partition("## Rate limits")[2].partition("\n## ")[0]
    [row] = re.findall(rf"^\| `{kind.name}` \|(.*)\|$", section, re.MULTILINE)
    written = [cell.strip().strip("`") for cell in row.split("|")][:3]
    assert written == [limits.account, limits.sender, limits.destination]


# --- channels of one account ---

SID, OTHER = "AC" + "1" * 32, "AC" + "2" * 32


def phones(sms: str, voice: str, limits: dict[str, dict[str, str]]) -> tuple[Limits, Limits]:
    """Return what text messages and calls of two accounts may send, where this is set."""
    number, context = "+15005550006", ChannelContext(page="acme")
    made: dict[str, Channel] = {}
    for name, sid in (("sms", sms), ("voice", voice)):
        kind = CHANNEL_OF_NAME[name]
        settings = {"account_sid": sid, "auth_token": "0" * 32, "from": number, "countries": ["US"]}
        made[name] = kind.factory(read(kind.settings, settings), context)
    chosen = {name: ChannelLimits(**rates) for name, rates in limits.items()}
    return allowed_of("sms", made, chosen), allowed_of("voice", made, chosen)


@pytest.mark.parametrize(
    ("limits", "both"),
    [
        ({}, ""),
        ({"sms": {"account": "30/s"}}, "30/s"),
        ({"voice": {"account": "10/s, 300/m"}}, "10/s, 300/m"),
        ({"sms": {"account": "30/s"}, "voice": {"account": "10/s"}}, "10/s, 30/s"),
        ({"sms": {"account": "30/s"}, "voice": {"account": "none"}}, "30/s"),
        ({"sms": {"account": "30/s", "sender": "5/s"}, "voice": {"account": "30/s"}}, "30/s"),
    ],
)
def test_what_is_set_for_one_channel_of_an_account_holds_for_the_other(
    limits: dict[str, dict[str, str]], both: str
) -> None:
    sms, voice = phones(SID, SID, limits)
    assert (sms.account, voice.account) == (both, both)
    assert (sms.sender, voice.sender) == (limits.get("sms", {}).get("sender", "1/s"), "1/s")


def test_another_account_is_another_matter() -> None:
    sms, voice = phones(SID, OTHER, {"sms": {"account": "30/s"}})
    assert (sms.account, voice.account) == ("30/s", "")
