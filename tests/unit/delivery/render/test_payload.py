"""The body of a webhook: its documented shape, and never above 20 kB."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.delivery.render.payload import SIZE_LIMIT, TYPE_OF_KIND, payload_of
from schemas.events import Effect
from schemas.vocabulary import CellStatus, Kind
from tests.unit.delivery.channels.messages import NOTICE, message, notice


def test_the_shape_of_an_incident() -> None:
    what = message()
    assert json.loads(payload_of(what)) == {
        "type": "incident.updated",
        "timestamp": "2026-11-22T14:30:00.000Z",
        "data": {
            "page": {"name": "Acme Cloud", "url": "https://status.acme.example"},
            "incident": {
                "id": NOTICE.subject_id,
                "title": "API errors in Europe",
                "status": "investigating",
                "impact": "major",
                "url": f"https://status.acme.example/incidents/{NOTICE.subject_id}",
            },
            "update": {"id": NOTICE.update, "body": NOTICE.body, "published_at": "2026-11-22T14:30:00.000Z"},
            "affects": [
                {"component": "api", "region": "eu", "status": "major_outage"},
                {"component": "login", "region": None, "status": "degraded_performance"},
            ],
            "components": ["API (Europe)", "Login"],
            "started_at": "2026-11-22T14:29:00.000Z",
            "promise_at": "2026-11-22T15:00:00.000Z",
            "over": False,
            "drill": False,
            "truncated": False,
            "unsubscribe_url": what.unsubscribe_url,
        },
    }


def test_every_kind_has_a_type_and_names_its_subject() -> None:
    assert set(TYPE_OF_KIND) == set(Kind) - {Kind.SUMMARY}, "a summary is for people"
    assert "maintenance" in json.loads(payload_of(message(notice(kind=Kind.MAINTENANCE))))["data"]
    assert json.loads(payload_of(message(notice(kind=Kind.CONFIRMATION), token="t0ken")))["data"] == {
        "challenge": "t0ken",
        "page": {"name": "Acme Cloud", "url": "https://status.acme.example"},
    }


@settings(max_examples=50, deadline=None)
@given(
    body=st.text(max_size=200),
    repeat=st.integers(1, 1000),
    title=st.text(max_size=600),
    cells=st.integers(0, 2000),
    name=st.text(max_size=50),
)
def test_it_never_exceeds_the_limit(body: str, repeat: int, title: str, cells: int, name: str) -> None:
    what = notice(
        body=body * repeat,
        title=title,
        affects=[Effect(f"component-{n}", "eu", CellStatus.MAJOR_OUTAGE) for n in range(cells)],
        components=[name] * cells,
    )
    raw = payload_of(message(what))
    data = json.loads(raw)["data"]
    assert len(raw) <= SIZE_LIMIT
    assert data["truncated"] or (len(data["affects"]) == len(data["components"]) == cells)


def test_a_cut_text_ends_at_a_word_and_says_so() -> None:
    data = json.loads(payload_of(message(notice(body="word " * 10_000))))["data"]
    assert data["update"]["body"].endswith("word…")
    assert data["truncated"] is True
