"""CSV: nothing that a spreadsheet would run, the same text back, and lines counted as an editor counts them."""

from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.people.reading import people, places
from tocsin.people import json_values, own, table
from tocsin.people.person import FileError, Line, Person

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1).map(str.strip).filter(bool)
IDS = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,8}", fullmatch=True)
CELLS = st.builds(lambda component, region: {"component": component, "region": region}, IDS, st.none() | IDS)
EXPORTED = st.fixed_dictionaries(
    {
        "channel": IDS,
        "address": TEXT | st.sampled_from(["=1+1", "+4930", "-1", "@x", "'=1", "''@", "'", "a\nb", 'a",b', "é;"]),
        "secret": st.none() | st.just("whsec_QUJD"),
        "state": st.sampled_from(["active", "pending"]),
        "filter": st.fixed_dictionaries(
            {
                "cells": st.none() | st.lists(CELLS, min_size=1, max_size=4),
                "min_impact": st.sampled_from(["none", "minor", "major", "critical"]),
                "kinds": st.sampled_from([["incident"], ["maintenance"], ["incident", "maintenance"]]),
            }
        ),
        "audience": st.sampled_from(["public", "internal"]),
        "id": IDS,
        "created_at": st.just("2026-11-18T14:20:00Z"),
    }
)


def lines(text: str) -> list[Line]:
    columns, rows = table.columns_of(StringIO(text, newline=""))
    return list(table.lines(columns, rows))


@given(st.lists(EXPORTED, max_size=5))
def test_what_is_exported_is_imported_as_it_was(subscribers: list[dict[str, object]]) -> None:
    out = StringIO(newline="")
    write = table.writer(out, own.COLUMNS)
    for subscriber in subscribers:
        write(own.row_of(subscriber))
    found = people("tocsin", out.getvalue())
    for subscriber, person in zip(subscribers, found, strict=True):
        wanted = subscriber["filter"]
        assert isinstance(wanted, dict)
        cells = wanted["cells"]
        assert person.body(confirmed=True) == {
            name: value
            for name, value in {
                "channel": subscriber["channel"],
                "address": subscriber["address"],
                "secret": subscriber["secret"],
                "cells": cells and [{name: value for name, value in cell.items() if value} for cell in cells],
                "min_impact": wanted["min_impact"],
                "kinds": wanted["kinds"],
                "audience": subscriber["audience"],
                "confirmed": True if subscriber["state"] == "active" else None,
            }.items()
            if value is not None
        }


@given(st.text())
def test_no_cell_is_a_formula(text: str) -> None:
    assert not table.disarmed(text).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert table.armed(table.disarmed(text)) == text


def test_a_number_that_nobody_disarmed_is_a_number() -> None:
    assert table.armed("+4930123") == "+4930123"
    assert table.armed("'hello'") == "'hello'"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_lines_are_counted_as_an_editor_counts_them(delimiter: str) -> None:
    text = 'a,b\r\n1,"x\r\ny"\r\n\r\n2,z\r\n'.replace(",", delimiter)
    assert [(line.number, line.values) for line in lines(text)] == [
        (2, {"a": "1", "b": "x\r\ny"}),
        (5, {"a": "2", "b": "z"}),
    ]


def test_a_line_that_cannot_be_read_is_named_and_the_next_is_read() -> None:
    long = "x" * (table.LONGEST + 1)
    found = lines(f"a,b\n1,2,3\n1,{long}\n\udcff,2\n3,4\n5\n")
    assert [(line.number, bool(line.broken)) for line in found] == [
        (2, True),
        (3, True),
        (4, True),
        (5, False),
        (6, False),
    ]
    assert "3 cells" in found[0].broken
    assert "quotation" in found[1].broken
    assert "UTF-8" in found[2].broken
    assert found[4].values == {"a": "5"}
    assert all(long not in line.broken for line in found)


@pytest.mark.parametrize("text", ["", "\n", "a,b,a\n1,2,3\n"])
def test_a_file_without_columns_is_refused(text: str) -> None:
    with pytest.raises(FileError):
        lines(text)


def test_nothing_of_a_line_prints() -> None:
    assert "ann@" not in repr(Line(1, {"email": "ann@example.com"}))
    assert "ann@" not in repr(Person("email", "ann@example.com", secret="ann@"))


# --- our own columns ---


@pytest.mark.parametrize("header", ["address", "channel", "channel,address,cell", "email"])
def test_columns_that_are_not_ours_are_refused(header: str) -> None:
    with pytest.raises(FileError, match="line 1"):
        own.check(header.split(","))


def test_the_least_that_a_line_needs() -> None:
    [person] = people("tocsin", "channel,address\nemail,ann@example.com\n")
    assert person.body(confirmed=False) == {"channel": "email", "address": "ann@example.com"}


def test_states() -> None:
    text = "channel,address,state\n" + "".join(
        f"email,ann@example.com,{state}\n" for state in ("suppressed", "removed", "odd")
    )
    columns, rows = table.columns_of(StringIO(text))
    found = [one for line in table.lines(columns, rows) for one in own.read(line, places())]
    assert [type(one).__name__ for one in found] == ["LeftOut", "LeftOut", "Mistake"]


# --- JSON ---


@pytest.mark.parametrize(
    "text",
    [
        '[{"a": 1}, {"a": [2]}]', '[{"a": 1}]\n[{"a": [2]}]', '{"a": 1}\n{"a": [2]}\n', ' [ ] {"a":1},{"a":[2]}',
        '{"meta": {"page": 1}, "data": [{"a": 1}]}\n{"data": [{"a": [2]}]}',
    ],
)  # fmt: skip
@pytest.mark.parametrize("step", [1, 7, 1_000])
def test_json_comes_value_by_value(text: str, step: int) -> None:
    class Slow(StringIO):
        def read(self, size: int | None = -1, /) -> str:
            return super().read(min(step, size or 0))

    found = list(json_values.lines(Slow(text)))
    assert [(line.number, line.values) for line in found] == [(1, {"a": 1}), (2, {"a": [2]})]


def test_what_is_no_object_is_named() -> None:
    assert [line.broken for line in json_values.lines(StringIO('[1, "x", {}]'))] == ["is not an object"] * 2 + [""]


@pytest.mark.parametrize("text", ["[{", '{"a": ', "[{}] nonsense", "[" * 100_000 + "{" * 3, '{"a":' * 100_000])
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(FileError, match="not JSON"):
        list(json_values.lines(StringIO(text)))


def test_many_values_are_not_kept() -> None:
    class Endless(StringIO):
        given = 0

        def read(self, size: int | None = -1, /) -> str:
            self.given += 1
            return '{"a": "' + "x" * 1000 + '"}\n'

    source = Endless()
    some = json_values.lines(source)
    for _ in range(50):
        next(some)
    assert source.given <= 51, "what is read ahead is a chunk, not the file"
