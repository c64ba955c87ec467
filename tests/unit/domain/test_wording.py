"""Plain words from templates: what they may say, what they fall back on, and the time in the page's zone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import TemplateDefined
from streams.domain.wording import (
    MAX_LENGTH,
    Named,
    TemplateFaultError,
    Words,
    clock_time,
    fill,
    in_words,
    text_of,
    title_of,
)
from tests.builders.views import HOUR, MINUTE, micros

EU, US = Named("eu", "Europe"), Named("us", "United States")
WORDS = Words(Named("api", "API"), EU, [EU, US], {"pod": "api-7"}, {"title": "5xx"}, "14:30 CET", "12 minutes")
ALL = "{{ component.name }} {{ component }} {{ region.id }} {{ region }} {{ regions | join('+') }} {{ labels.pod }} {{ alert.title }} {{ next_update }} {{ duration }}"


def template(title: str = "T", **texts: str) -> TemplateDefined:
    return TemplateDefined("t", title, texts)


def test_a_template_may_speak_of_all_this() -> None:
    assert title_of(template(ALL), WORDS) == "API API eu Europe Europe+United States api-7 5xx 14:30 CET 12 minutes"


@pytest.mark.parametrize(
    ("made", "title", "opening", "end"),
    [
        (None, "API is disturbed in Europe, United States", "API is disturbed. We will write again by 14:30 CET.", "API works again."),
        (template(""), "API is disturbed in Europe, United States", "API is disturbed. We will write again by 14:30 CET.", "API works again."),
        (template("{{ nope.x }}", investigating="{{ 1/0 }}", resolved="{% if %}"),
         "API is disturbed in Europe, United States", "API is disturbed. We will write again by 14:30 CET.", "API works again."),
        (template("{{ unknown }}", investigating="  \n", resolved="{# nothing #}"),
         "API is disturbed in Europe, United States", "API is disturbed. We will write again by 14:30 CET.", "API works again."),
        (template("Oh", investigating="So", resolved="Done"), "Oh", "So", "Done"),
    ],
    ids=["no template", "an empty one", "one that breaks", "one that says nothing", "one that works"],
)  # fmt: skip
def test_there_are_always_words(made: TemplateDefined | None, title: str, opening: str, end: str) -> None:
    assert title_of(made, WORDS) == title
    assert text_of(made, "investigating", WORDS) == opening
    assert text_of(made, "resolved", WORDS) == end


FAULTS = {
    "syntax": "{{",
    "an unknown filter": "{{ labels | nope }}",
    "of nothing": "{{ a.b.c }}",
    "division": "{{ 1 // 0 }}",
    "types": "{{ 'a' + 1 }}",
    "an include": "{% include 'x' %}",
    "deep nesting": "{{ " + "(" * 3_000 + "1" + ")" * 3_000 + " }}",
    "too many blocks for Python": "{% for a in 'x' %}" * 40 + "{% endfor %}" * 40,
    "more than a sandbox gives": "{% for a in range(999999999) %}{% endfor %}",
    "dice": "{{ 'abc' | random }}",
    "dice of another kind": "{{ lipsum() }}",
}


@pytest.mark.parametrize("source", FAULTS.values(), ids=FAULTS)
def test_a_fault_is_one_kind_of_error(source: str) -> None:
    with pytest.raises(TemplateFaultError):
        fill(source, {"labels": {}})


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ labels.__class__.__init__.__globals__ }}",
        "{{ self.__init__.__globals__ }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ labels.update({'a': 'b'}) }}",
        "{% set x = regions.append(1) %}",
    ],
)
def test_the_sandbox_holds(source: str) -> None:
    labels = {"a": "1"}
    with pytest.raises(TemplateFaultError):
        fill(source, {"labels": labels, "regions": [EU]})
    assert labels == {"a": "1"}


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=50))
def test_a_label_is_data_whatever_it_holds(value: str) -> None:
    assert fill("[{{ labels.x }}]", {"labels": {"x": value}}) == f"[{value}]"
    assert fill("[{{ labels.x }}]", {"labels": {"x": f"{{{{ 1 + 1 }}}}{value}"}}) == f"[{{{{ 1 + 1 }}}}{value}]"


def test_a_text_ends_somewhere() -> None:
    assert len(fill("{{ 'x' * 20000 }}", {"labels": {}})) == MAX_LENGTH


def test_half_a_surrogate_pair_does_not_leave_a_template() -> None:
    assert fill(r"{{ '\ud800' }}é", {"labels": {}}) == "?é"


CLOCK = [
    # (the moment, its zone, now, what it reads)
    ("2026-11-18T13:30:00+00:00", "Europe/Berlin", "2026-11-18T13:00:00+00:00", "14:30 CET"),
    ("2026-07-18T13:30:00+00:00", "Europe/Berlin", "2026-07-18T13:00:00+00:00", "15:30 CEST"),
    ("2026-11-18T23:10:00+00:00", "Europe/Berlin", "2026-11-18T22:50:00+00:00", "19 November 00:10 CET"),
    ("2026-11-18T23:10:00+00:00", "UTC", "2026-11-18T22:50:00+00:00", "23:10 UTC"),
    ("2026-12-31T23:10:00+00:00", "Europe/Berlin", "2026-12-31T22:50:00+00:00", "1 January 00:10 CET"),
    ("2026-10-25T01:10:00+00:00", "Europe/Berlin", "2026-10-25T00:50:00+00:00", "02:10 CET"),
    ("2026-10-25T00:10:00+00:00", "Europe/Berlin", "2026-10-24T23:50:00+00:00", "02:10 CEST"),
    ("2026-03-29T01:10:00+00:00", "Europe/Berlin", "2026-03-29T00:50:00+00:00", "03:10 CEST"),
    ("2026-11-18T13:30:00+00:00", "Asia/Kathmandu", "2026-11-18T13:00:00+00:00", "19:15 +0545"),
    ("2026-11-18T13:30:00+00:00", "Mars/Olympus", "2026-11-18T13:00:00+00:00", "13:30 UTC"),
    ("2026-11-18T13:30:00+00:00", "../../etc/passwd", "2026-11-18T13:00:00+00:00", "13:30 UTC"),
    ("2026-11-18T13:30:00+00:00", "", "2026-11-18T13:00:00+00:00", "13:30 UTC"),
    ("2026-11-18T13:30:00+00:00", "Europe", "2026-11-18T13:00:00+00:00", "13:30 UTC"),
]


@pytest.mark.parametrize(("at", "zone", "now", "reads"), CLOCK, ids=[f"{row[1]} {row[0]}" for row in CLOCK])
def test_the_clock_of_the_page(at: str, zone: str, now: str, reads: str) -> None:
    assert clock_time(micros(at), zone, micros(now)) == reads


@given(st.integers(-(2**63), 2**63 - 1), st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Kiritimati"]))
def test_every_time_can_be_said(at: int, zone: str) -> None:
    assert clock_time(at, zone, 0)
    assert in_words(at)


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (-HOUR, "0 seconds"), (0, "0 seconds"), (1, "0 seconds"), (1_000_000, "1 second"), (59_999_999, "59 seconds"),
        (MINUTE, "1 minute"), (MINUTE + 59_000_000, "1 minute"), (12 * MINUTE, "12 minutes"), (HOUR, "1 hour"),
        (HOUR + 5 * MINUTE, "1 hour and 5 minutes"), (26 * HOUR, "1 day and 2 hours"),
        (49 * HOUR + MINUTE, "2 days, 1 hour and 1 minute"),
    ],
)  # fmt: skip
def test_durations_in_words(span: int, words: str) -> None:
    assert in_words(span) == words
