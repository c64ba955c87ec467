"""One channel of each class is killed at every failpoint, and nothing that is promised breaks; the whole is a command.

``python -m tests.kill.matrix`` runs every way to run every channel, with one death and with two.
"""

from collections.abc import Iterator

import pytest

from consumers.delivery.channels.registry import CHANNELS
from producers.receipts.registry import RECEIPT_KINDS
from streams.runtime.failpoints import NAMES
from tests.kill.forge import Forge
from tests.kill.matrix.roads import ROAD_OF_NAME, ROADS, classes, settings_of
from tests.kill.matrix.run import run
from tests.kill.matrix.verdict import MUST_BE_ZERO, Row

CHOSEN = (
    "discord", "statuspage_webhook", "email (SendGrid)", "email (SendGrid, events)", "sms (callbacks)", "sms", "slack (bot)",
    "mastodon",
)  # fmt: skip


@pytest.fixture(scope="module")
def forge() -> Iterator[Forge]:
    with Forge() as made:
        yield made


def test_every_channel_has_a_road() -> None:
    assert {road.channel for road in ROADS} == {kind.name for kind in CHANNELS}
    assert len(ROAD_OF_NAME) == len(ROADS)


def test_every_kind_of_receipt_comes_twice_and_out_of_order_somewhere() -> None:
    kinds: set[str] = set()
    for road in ROADS:
        with road.opened() as outside:
            kinds |= settings_of(road, outside).receipts().keys()
    assert kinds == {kind.name for kind in RECEIPT_KINDS}


def test_every_class_is_tried() -> None:
    names = [{road.name for road in roads} for roads in classes().values()]
    assert [len(of_class & set(CHOSEN)) for of_class in names] == [1] * len(names)
    assert len(CHOSEN) == len(names)


@pytest.mark.slow
@pytest.mark.parametrize("name", CHOSEN)
def test_killed_at_every_failpoint(name: str, forge: Forge) -> None:
    told: list[Row] = []
    found = run(ROAD_OF_NAME[name], NAMES, ("once",), forge.spawn, told.append)
    assert not found.broken
    assert [row.failpoint for row in told] == list(NAMES)
    assert not {row.failpoint: row.broken for row in told if row.broken}
    assert not [(row.failpoint, name) for row in told for name in MUST_BE_ZERO if row.counts[name]]
    if found.road == "sms":
        assert not any(row.counts["in doubt"] for row in told), "Twilio can be asked, and knows"
    doubts = {row.failpoint: row.counts["in doubt"] + row.counts["doubts ended"] for row in told}
    assert doubts["before_claim"] == 0
    assert all(doubts[failpoint] for failpoint in NAMES if failpoint not in {"before_claim", "recorded"})
