"""Messages to send in tests."""

from typing import Any

import msgspec

from consumers.delivery.channel import Endpoint, Message
from schemas.events import Effect, Notice
from schemas.ids import derive
from schemas.vocabulary import CellStatus, Impact, Kind

PUBLISHED = 1_795_357_800_000_000  # 2026-11-22 14:30 UTC

NOTICE = Notice(
    kind=Kind.INCIDENT,
    update=derive("update", "1"),
    subject_id=derive("incident", "1"),
    title="API errors in Europe",
    body="Some **requests** fail.\n\n- reads work\n- writes do not",
    status="investigating",
    impact=Impact.MAJOR,
    impact_chosen=False,
    changes=[],
    affects=[Effect("api", "eu", CellStatus.MAJOR_OUTAGE), Effect("login", None, CellStatus.DEGRADED)],
    components=["API (Europe)", "Login"],
    page_name="Acme Cloud",
    page_url="https://status.acme.example",
    timezone="Europe/Berlin",
    promise_at=PUBLISHED + 1800 * 1_000_000,
    started_at=PUBLISHED - 60 * 1_000_000,
    published_at=PUBLISHED,
)


def notice(**changes: Any) -> Notice:
    return msgspec.structs.replace(NOTICE, **changes)


def message(about: Notice = NOTICE, address: str = "kim@customer.example", secret: str = "", **changes: Any) -> Message:
    given = {
        "notification": derive("notification", about.update, address),
        "unsubscribe_url": "https://status.acme.example/unsubscribe/t0ken?list=1&who=k",
    }
    return Message(notice=about, endpoint=Endpoint(address, secret), **(given | changes))
