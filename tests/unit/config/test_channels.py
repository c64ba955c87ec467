"""Settings of channels in the file: from plain data and the environment, every mistake named, no secret shown."""

from typing import Annotated

import pytest

from consumers.delivery.channels.email import EmailSettings
from consumers.delivery.channels.registry import CHANNELS, ChannelKind
from consumers.delivery.settings import ChannelSettings, Secret, keys_of, read, setting
from tests.unit.config.test_broken import PAGE, said_of
from tocsin.config import load_example, parse
from tocsin.config.channels import settings_of
from tocsin.config.table import keys_at


def test_every_channel_of_the_registry_can_be_configured() -> None:
    assert keys_at(("channels",)) == tuple(kind.name for kind in CHANNELS)


@pytest.mark.parametrize("kind", CHANNELS, ids=lambda kind: kind.name)
def test_a_channel_is_configured_by_the_settings_it_takes(kind: ChannelKind) -> None:
    assert keys_at(("channels", kind.name)) == tuple(keys_of(kind.settings))


def test_the_settings_of_the_example() -> None:
    found = load_example({"SMTP_URL": "smtp+starttls://acme:hunter22@mail.acme.example"}).channels
    assert list(found) == ["email", "webhook"]
    assert found["email"] == EmailSettings(
        via=Secret("smtp+starttls://acme:hunter22@mail.acme.example"), sender="Acme Status <status@acme.example>"
    )


def test_an_absent_channel_is_switched_off() -> None:
    assert parse(PAGE.encode(), "tocsin.yaml", {}).channels == {}
    assert parse(f"{PAGE}channels:\n".encode(), "tocsin.yaml", {}).channels == {}


def test_numbers_and_truths_may_come_from_the_environment() -> None:
    text = PAGE + (
        'channels: {email: {via: "smtp://h", from: a@b.example, connections: "${N}", resend_in_doubt: "${YES:-true}"}}'
    )
    email = parse(text.encode(), "tocsin.yaml", {"N": "7"}).channels["email"]
    assert isinstance(email, EmailSettings)
    assert (email.connections, email.resend_in_doubt) == (7, True)


@pytest.mark.parametrize(
    "section",
    [
        "channels: hunter22",
        "channels: [hunter22]",
        "channels: {email: hunter22}",
        "channels: {email: {via: hunter22, from: a@b.example}}",
        "channels: {email: {via: {hunter22: 1}, from: a@b.example}}",
        "channels: {email: {via: [hunter22], from: a@b.example}}",
        "channels: {email: {via: '${URL}', from: a@b.example}}",
        "channels: {email: {via: '${EMPTY}', from: '${URL}'}}",
    ],
)
def test_a_secret_in_any_wrong_place_is_not_shown(section: str) -> None:
    said = said_of(PAGE + section + "\n", {"URL": "smtp:hunter22", "EMPTY": ""})
    assert said
    assert not [line for line in said if "hunter22" in line]


def _even(number: int) -> None:
    if number % 2:
        raise ValueError(number)


class Inner(ChannelSettings, frozen=True):
    key: Annotated[Secret, setting("a key", "Opens.")]


class Smoke(ChannelSettings, frozen=True):
    keys: Annotated[tuple[Inner, ...], setting(None, "Several.")]
    puffs: Annotated[int, setting("an even number", "How many.", check=_even, ge=0)] = 2
    spare: Annotated[Secret | None, setting("a key", "Opens too.")] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.keys) > self.puffs:
            raise ValueError("expected as many puffs as keys")


@pytest.mark.parametrize(
    ("given", "mistakes"),
    [
        ({}, [("missing", ("keys",))]),
        ({"keys": [{"key": ""}, {}, {"key": "k", "kee": "k"}], "puffs": 3, "spare": 5}, [
            ("unexpected", ("keys", 0, "key")), ("missing", ("keys", 1, "key")), ("unknown", ("keys", 2, "kee")),
            ("unexpected", ("puffs",)), ("unexpected", ("spare",)),
        ]),
        ({"keys": {"key": "k"}, "puffs": -2}, [("unexpected", ("keys",)), ("unexpected", ("puffs",))]),
        ({"keys": [{"key": "k"}], "puffs": 0}, [("expected as many puffs as keys", ())]),
        ([], [("unexpected", ())]),
    ],
)  # fmt: skip
def test_every_mistake_is_found(given: object, mistakes: list[tuple[str, tuple[str | int, ...]]]) -> None:
    found = settings_of(Smoke, given, ())
    assert isinstance(found, list)
    assert [(what, path) for what, path, _ in found] == mistakes


def _lower(names: dict[str, Inner]) -> None:
    if any(name != name.lower() for name in names):
        raise ValueError("no")


class Chimneys(ChannelSettings, frozen=True):
    chimneys: Annotated[dict[str, Inner], setting("a mapping of names in lower case", "By name.", check=_lower)]


@pytest.mark.parametrize(
    ("given", "mistakes"),
    [
        ({"north": {"key": ""}, "south": {}, "WEST": {"kee": "k"}}, [
            ("unexpected", ("chimneys", "north", "key")), ("missing", ("chimneys", "south", "key")),
            ("missing", ("chimneys", "WEST", "key")), ("unknown", ("chimneys", "WEST", "kee")),
        ]),
        ({"WEST": {"key": "k"}}, [("unexpected", ("chimneys",))]),
        ({"north": "k"}, [("unexpected", ("chimneys", "north"))]),
        ([], [("unexpected", ("chimneys",))]),
    ],
)  # fmt: skip
def test_every_mistake_below_a_name_is_found(given: object, mistakes: list[tuple[str, tuple[str, ...]]]) -> None:
    found = settings_of(Chimneys, {"chimneys": given}, ())
    assert isinstance(found, list)
    assert [(what, path) for what, path, _ in found] == mistakes


def test_settings_check_themselves_however_they_are_made() -> None:
    with pytest.raises(ValueError, match=r"^puffs: expected an even number$"):
        Smoke(keys=(), puffs=3)
    with pytest.raises(ValueError, match=r"^via: expected a URL"):
        EmailSettings(via=Secret("http://hunter22"), sender="a@b.example")


def test_a_secret_cannot_print() -> None:
    made = read(Smoke, {"keys": [{"key": "hunter22"}], "spare": "hunter22"})
    assert "hunter22" not in f"{made} {made!r} {made.spare} {made.spare!r:>30} {[made.spare]} %s" % (made.keys,)
    assert made.spare is not None
    assert (made.spare.reveal(), made.spare, made.spare == "hunter22") == ("hunter22", Secret("hunter22"), False)
    assert len({made.spare, Secret("hunter22"), Secret("other")}) == 2
