"""What docs/channels.md says is true: its example runs, its tables agree with the code, every setting stands in it."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks import Webhook

from consumers.delivery.channels.registry import CHANNELS, ChannelKind
from consumers.delivery.classify import HTTP_MEANING, Meaning
from consumers.delivery.render.payload import TYPE_OF_KIND, payload_of
from consumers.delivery.settings import keys_of, read
from tests.unit.delivery.channels.examples import TEXT, WRITTEN, blocks
from tests.unit.delivery.channels.messages import message

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def example() -> Any:
    [code] = blocks("python")
    names: dict[str, Any] = {}
    exec(compile(code, "docs/channels.md", "exec"), names)
    return names["receive"]


def signed(body: bytes) -> dict[str, str]:
    now = datetime.now(UTC)
    signature = Webhook(SECRET).sign("0f" * 16, now, body.decode())
    return {"webhook-id": "0f" * 16, "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}


def test_the_receiver_in_the_documentation_works() -> None:
    receive = example()
    body = payload_of(message())
    assert receive(SECRET, signed(body), body) == (200, "ok")
    assert receive(SECRET, signed(body), body + b" ") == (400, "bad signature")
    challenge = json.dumps({"type": "subscription.challenge", "data": {"challenge": "t0ken"}}).encode()
    assert receive(SECRET, signed(challenge), challenge) == (200, "t0ken")


def test_the_payload_in_the_documentation_has_the_shape_of_a_real_one() -> None:
    [text] = blocks("json")

    def shape(value: Any) -> Any:
        match value:
            case dict():
                return {key: shape(inner) for key, inner in value.items()}
            case list():
                return [shape(value[0])]
            case _:
                return type(value)

    assert shape(json.loads(text)) == shape(json.loads(payload_of(message())))
    for name in TYPE_OF_KIND.values():
        assert f"`{name}`" in TEXT or f'"{name}"' in TEXT


@pytest.mark.parametrize("kind", CHANNELS, ids=lambda kind: kind.name)
def test_every_setting_of_a_channel_is_documented_and_the_example_is_valid(kind: ChannelKind) -> None:
    examples = [given for name, given in WRITTEN if name == kind.name]
    for given in examples:
        read(kind.settings, given)
    assert {key for given in examples for key in given} == set(keys_of(kind.settings))


WORDS = {"sent": Meaning.SENT, "recipient": Meaning.RECIPIENT, "retry": Meaning.RETRY, "message": Meaning.MESSAGE}


def hundreds(cell: str) -> set[int]:
    """Read the hundreds of ``1xx, 3xx, 404, 5xx but 501 and 505``, without what is left out of them."""
    kept, _, left_out = cell.partition(" but ")
    found = {int(hundred) * 100 + n for hundred in re.findall(r"\b(\d)xx", kept) for n in range(100)}
    return found - singles(left_out)


def singles(cell: str) -> set[int]:
    return {int(number) for number in re.findall(r"\b\d{3}\b", cell.partition(" but ")[0])}


def test_the_table_of_statuses_is_that_of_the_code() -> None:
    rows = re.findall(
        r"^\| ([^|]*(?:\dxx|\d{3})[^|]*) \| ([a-z]+)[^|]*\|$",
        TEXT.partition("| status |")[2].partition("\n## ")[0],
        re.MULTILINE,
    )
    documented: dict[int, Meaning] = {}
    for statuses in (hundreds, singles):  # a status that is named outweighs its hundred
        for cell, word in rows:
            documented |= dict.fromkeys(statuses(cell), WORDS[word])
    as_coded = {
        status: Meaning.MESSAGE if meaning is Meaning.ACCESS else meaning for status, meaning in HTTP_MEANING.items()
    }
    assert documented == as_coded
