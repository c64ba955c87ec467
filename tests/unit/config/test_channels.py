import msgspec
import pytest

from consumers.delivery.channels.registry import CHANNELS, ChannelKind
from tocsin.config import load_example
from tocsin.config.channels import channel_settings
from tocsin.config.models import Channels
from tocsin.config.table import keys_at


def test_every_channel_of_the_registry_can_be_configured() -> None:
    assert keys_at(("channels",)) == tuple(kind.name for kind in CHANNELS)


@pytest.mark.parametrize("kind", CHANNELS, ids=lambda kind: kind.name)
def test_a_channel_is_configured_by_the_settings_it_takes(kind: ChannelKind) -> None:
    assert set(keys_at(("channels", kind.name))) == {
        field.encode_name for field in msgspec.structs.fields(kind.settings)
    }


def test_the_settings_of_the_example() -> None:
    found = channel_settings(load_example({"SMTP_URL": "smtp+starttls://acme:hunter22@mail.acme.example"}).channels)
    assert {name: msgspec.to_builtins(one) for name, one in found.items()} == {
        "email": {
            "via": "smtp+starttls://acme:hunter22@mail.acme.example",
            "from": "Acme Status <status@acme.example>",
            "connections": 4,
            "resend_in_doubt": False,
        },
        "webhook": {"allow_networks": ()},
    }


def test_an_absent_channel_is_switched_off() -> None:
    assert channel_settings(Channels()) == {}
