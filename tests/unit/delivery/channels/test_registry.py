"""Every channel in the registry describes itself, and its settings refuse what cannot work."""

import inspect
from typing import Any

import msgspec
import pytest

from consumers.delivery.channel import AddressError, Channel, ConfirmBy
from consumers.delivery.channels.email import EmailSettings
from consumers.delivery.channels.registry import CHANNEL_OF_NAME, CHANNELS, ChannelKind
from consumers.delivery.channels.webhook import WebhookSettings
from consumers.delivery.context import ChannelContext
from consumers.delivery.net.smtp import SmtpServer
from consumers.delivery.settings import ChannelSettings, keys_of, read
from tests.unit.delivery.channels.examples import EXAMPLES, WRITTEN
from tocsin.config.table import described

ED25519 = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="
"""A public key, and not of the kind that SendGrid signs with (RFC 8410)."""


COMBINE = {"email", "sms", "voice", "teams", "discord", "webpush"}
"""What docs/subscribers.md says of channels: these tell several incidents in one message."""


def made(kind: ChannelKind, given: Any) -> Channel:
    return kind.factory(read(kind.settings, given), ChannelContext())


def test_names_are_unique_and_each_has_an_example() -> None:
    assert list(CHANNEL_OF_NAME) == [kind.name for kind in CHANNELS]
    assert set(CHANNEL_OF_NAME) == set(EXAMPLES)


@pytest.mark.parametrize(("name", "given"), WRITTEN)
async def test_a_channel_describes_itself(name: str, given: Any) -> None:
    kind = CHANNEL_OF_NAME[name]
    channel = made(kind, given)
    described = channel.capabilities
    assert described.name == kind.name
    assert described.confirm_by in ConfirmBy
    assert 1 <= described.claim <= 1000
    assert hasattr(channel, "send_all") == (described.batch > 1)
    assert described.threads == (".earlier" in inspect.getsource(inspect.getmodule(type(channel)) or type(channel))), (
        "what is not declared is not filled"
    )
    assert described.combines == (kind.name in COMBINE)
    assert not (described.combines and described.threads), "a thread is of one incident"
    assert channel.validate(described.address_hint) == described.address_hint
    assert described.address_hint not in channel.mask(described.address_hint)
    with pytest.raises(AddressError):
        channel.validate("\x00")
    await channel.close()


@pytest.mark.parametrize("kind", CHANNELS, ids=lambda kind: kind.name)
def test_every_setting_says_what_it_must_be(kind: ChannelKind) -> None:
    for key in keys_of(kind.settings).values():
        assert described(key.annotation).text != "a mapping of keys"
        assert key.purpose.endswith(".")


@pytest.mark.parametrize("kind", CHANNELS, ids=lambda kind: kind.name)
def test_unknown_settings_are_refused(kind: ChannelKind) -> None:
    with pytest.raises(msgspec.ValidationError, match="colour"):
        read(kind.settings, EXAMPLES[kind.name] | {"colour": "red"})


@pytest.mark.parametrize(
    ("settings", "given"),
    [
        (EmailSettings, {"via": "http://127.0.0.1", "from": "a@b.example"}),
        (EmailSettings, {"via": "smtp://user:pw@mail.example", "from": "a@b.example"}),
        (EmailSettings, {"via": "smtp://mail.example?x=1", "from": "a@b.example"}),
        (EmailSettings, {"via": "smtp://mail.example:99999", "from": "a@b.example"}),
        (EmailSettings, {"via": "smtp://mail.example", "from": "nobody"}),
        (EmailSettings, {"via": "smtp://mail.example", "from": "a@b.example", "connections": 0}),
        (EmailSettings, {"via": "smtp://mail.example"}),
        (EmailSettings, {"from": "a@b.example"}),
        (EmailSettings, {"sendgrid": {}, "from": "a@b.example"}),
        (EmailSettings, {"sendgrid": {"api_key": "pw", "event_key": "pw"}, "from": "a@b.example"}),
        (EmailSettings, {"sendgrid": {"api_key": "pw", "event_key": "cHc="}, "from": "a@b.example"}),
        (EmailSettings, {"sendgrid": {"api_key": "pw", "event_key": ED25519}, "from": "a@b.example"}),
        (EmailSettings, {"sendgrid": {"api_key": "pw", "api": "http://api.example"}, "from": "a@b.example"}),
        (EmailSettings, {"sendgrid": {"api_key": "pw", "api": "https://api.example/v3"}, "from": "a@b.example"}),
        (WebhookSettings, {"allow_networks": ["10.0.0.1/8"]}),
        (WebhookSettings, {"allow_networks": ["internal"]}),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: type[ChannelSettings], given: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        read(settings, given)
    assert "pw" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example", SmtpServer("mail.example", 25, "none")),
        ("smtps://mail.example", SmtpServer("mail.example", 465, "implicit")),
        ("smtp+starttls://u:p%40ss@mail.example", SmtpServer("mail.example", 587, "starttls", "u", "p@ss")),
        ("smtp://u:p@mail.example:2525?starttls=true", SmtpServer("mail.example", 2525, "starttls", "u", "p")),
        ("smtp://u:p@127.0.0.1:2525", SmtpServer("127.0.0.1", 2525, "none", "u", "p")),
    ],
)
def test_the_servers_url(url: str, server: SmtpServer) -> None:
    assert SmtpServer.of_url(url) == server
    assert "p@ss" not in repr(server)
