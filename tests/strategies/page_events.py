"""Events that meet each other: any order of valid events about few incidents, drafts, alerts and components.

Most make no sense where they stand, which is the point: a fold is total.
"""

from functools import cache
from typing import Any

import msgspec
from hypothesis import strategies as st

from schemas import events as e
from schemas.events import AnyEvent, Event, EventData, Micros
from schemas.ids import derive
from schemas.topics import ALERTS, PAGES
from schemas.vocabulary import CellStatus, Publish
from tests.strategies.events import LONGS, values

PAGE = "acme"
START: Micros = 1_795_000_000_000_000
IDS = st.sampled_from(["a1", "b2", "c3"])
COMPONENTS = st.sampled_from(["api", "web", "login", "group"])
REGIONS = st.sampled_from(["eu", "us"])
LABELS = st.fixed_dictionaries({"service": COMPONENTS, "region": REGIONS | st.just("{{ 7 * 7 }}")})
TEMPLATES = st.sampled_from(
    [
        "",
        "words",
        "{{ region.name }} {{ next_update }}",
        "{{ alert.title }}",
        "{{ nope.x }}",
        r"{{ '\ud800' }}",
        "{{ labels }}",
    ]
)
TIMES = st.integers(START - 10**10, START + 10**10) | LONGS
TIMERS = st.builds(
    "{}:{}".format, st.sampled_from(["draft", "promise", "start", "end", "lease", "x"]), IDS | st.just("s/f")
)
WORDS = st.sampled_from(["", "words", "ü"])
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: WORDS,
    dict[str, str]: st.dictionaries(WORDS, WORDS, max_size=1),
    float | None: st.none() | st.floats(allow_nan=False),
}
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("incident", "draft", "maintenance", "update", "episode", "id"), IDS),
    **dict.fromkeys(
        ("occurred_at", "starts_at", "ends_at", "expires_at", "started_at", "ended_at", "due", "promise_at"), TIMES
    ),
    "component": COMPONENTS,
    "parent": st.none() | COMPONENTS,
    "regions": st.lists(REGIONS, unique=True),
    "region": st.none() | REGIONS,
    "labels": LABELS,
    "source": st.just("s"),
    "fingerprint": st.just("f"),
    "template": IDS,
    "title": TEMPLATES,
    "texts": st.dictionaries(st.sampled_from(["investigating", "resolved"]), TEMPLATES),
    "timezone": st.sampled_from(["UTC", "Europe/Berlin", "Mars/Olympus", ""]),
    "waits_for": st.sampled_from(["approval", "delay"]),
    "timer": TIMERS,
    "processor": st.sampled_from(["pages", "episodes"]),
    "test": st.booleans(),
}
RULES = st.builds(
    e.Rule, id=IDS, source=st.none() | st.just("s"), labels=st.just({}),
    component=COMPONENTS | st.sampled_from(["{{ labels.service }}", "{{ nope.x }}"]),
    region=st.none() | REGIONS | st.just("{{ labels.region }}"),
    status=st.dictionaries(st.sampled_from(["critical", "warning", "*"]), values(CellStatus)), publish=values(Publish),
    delay=st.integers(0, 3_600) | LONGS, template=IDS,
)  # fmt: skip


CATALOGUE: tuple[EventData, ...] = (
    e.PageDefined("Acme", "", "Europe/Berlin", "", 1800, 0.3, True),
    e.ComponentDefined("api", "API", None, 0, ["eu", "us"], None, False, ""),
    e.ComponentDefined("web", "Web", None, 1, ["eu"], None, False, ""),
    e.ComponentDefined("login", "Login", None, 2, [], None, False, ""),
    e.RulesDefined(
        [
            e.Rule(
                service, None, {"service": service}, service, None if service == "login" else "{{ labels.region }}",
                {"*": CellStatus.PARTIAL_OUTAGE, "critical": CellStatus.MAJOR_OUTAGE}, publish, 60, "words",
            )
            for service, publish in (("api", Publish.AUTO), ("web", Publish.AFTER), ("login", Publish.APPROVE))
        ]
    ),
)  # fmt: skip
"""A page on which most alerts lead somewhere: half of the histories begin with it."""


@cache
def data_of(kind: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    """Return a strategy for one type of data whose ids are few."""
    if kind is e.RulesDefined:
        return st.builds(e.RulesDefined, st.lists(RULES, max_size=2))
    fields: dict[str, st.SearchStrategy[Any]] = {}
    for field in msgspec.structs.fields(kind):
        fields[field.name] = st.lists(data_of(e.Effect), max_size=3) if field.name == "affects" else _field(field)
    if kind is e.RegionsDefined:
        fields["regions"] = st.just([e.Region("eu", "Europe")])
    return st.builds(kind, **fields)


def _field(field: Any) -> st.SearchStrategy[Any]:
    known = FIELDS.get(field.name)
    if known is None:
        return PLAIN[field.type] if field.type in PLAIN else values(field.type)
    optional = type(None) in getattr(field.type, "__args__", ())
    return st.none() | known if optional else known


def histories(*kinds: type[EventData], max_size: int = 25) -> st.SearchStrategy[list[AnyEvent]]:
    """Return a strategy for sequences of events of one page; each has an id of its own, and our clock does not go back."""
    one = st.tuples(
        st.sampled_from(kinds).flatmap(data_of),
        TIMES,
        st.integers(0, 10**9),
        st.sampled_from(["tocsin", "operator:ada"]),
        st.booleans(),
    )

    def told(acts: list[Any]) -> list[AnyEvent]:
        now, found = START, []
        if e.RulesDefined in kinds and acts and acts[0][-1]:
            acts = [(data, START, 0, "config", False) for data in CATALOGUE] + acts
        for number, (data, occurred_at, later, actor, drill) in enumerate(acts):
            now += later
            found.append(
                Event(
                    derive("said", str(number)),
                    PAGE,
                    occurred_at,
                    now,
                    actor,
                    None,
                    None,
                    drill and later % 7 == 0,
                    data,
                )
            )
        return found

    return st.lists(one, max_size=max_size).map(told)


PAGE_HISTORIES = histories(*(kind for kind in PAGES.types if kind is not e.CellStatusChanged))
ALERT_HISTORIES = histories(*ALERTS.types)
