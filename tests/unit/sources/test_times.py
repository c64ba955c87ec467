"""Times as monitors write them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.sources.times import read_time

SECOND = 1_000_000
T = 1_772_365_212 * SECOND  # 2026-03-01T11:40:12Z


@pytest.mark.parametrize(
    ("written", "micros"),
    [
        ("2026-03-01T11:40:12Z", T),
        ("2026-03-01T11:40:12.123456789Z", T + 123_456),
        ("2026-03-01T11:40:12.1234567Z", T + 123_456),
        ("2026-03-01T11:40:12.5Z", T + 500_000),
        ("2026-03-01T19:40:12+08:00", T),
        ("2026-03-01T09:40:12-02:00", T),
        ("2026-03-01T11:40:12.000+0000", T),
        ("2026-03-01T11:40:12.093+0000", T + 93_000),
        ("2026-03-01t11:40:12z", T),
        ("2026-03-01T11:40:12", T),
        ("2026-03-01 11:40:12", T),
        ("2026-03-01 11:40:12 UTC", T),
        ("2026-03-01 12:40:12.25 +0100", T + 250_000),
        ("2026-03-01 11:40:12 +0000 UTC", T),
        ("  2026-03-01T11:40:12Z\n", T),
        ("2016-12-31T23:59:60Z", 1_483_228_799 * SECOND),
        (1_772_365_212, T),
        (1_772_365_212.5, T + 500_000),
        (1_772_365_212_250, T + 250_000),
        (1_772_365_212_000_007, T + 7),
        (1_772_365_212_000_007_999, T + 7),
        ("1772365212", T),
        ("1772365212.5", T + 500_000),
        ("1772365212250", T + 250_000),
        ("1772365212000007999", T + 7),
    ],
)
def test_a_time_is_read(written: object, micros: int) -> None:
    assert read_time(written) == micros


@pytest.mark.parametrize(
    "written",
    [
        None,
        "",
        " ",
        0,
        0.0,
        "0",
        -1,
        "-1",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+08:00",
        "1970-01-01T00:00:00Z",
        "1969-07-20T20:17:40Z",
    ],
)
def test_no_time_is_no_time(written: object) -> None:
    assert read_time(written) is None


@pytest.mark.parametrize(
    "written",
    [
        "yesterday",
        "2026-13-01T00:00:00Z",
        "2026-02-30",
        "0000-00-00 00:00:00",
        "٣٤",
        "1²",
        10**30,
        "9" * 40,
        "9" * 5_000,
        True,
        False,
        [],
        {},
        ["2026-03-01"],
    ],
)
def test_what_is_no_time_is_an_error(written: object) -> None:
    with pytest.raises(ValueError):
        read_time(written)


@given(st.datetimes(min_value=datetime(1971, 1, 1), timezones=st.timezones() | st.just(UTC)))  # noqa: DTZ001 - hypothesis adds the zone
def test_any_zone_and_any_number_of_digits(moment: datetime) -> None:
    micros = read_time(moment.isoformat())
    assert micros is not None
    assert abs(micros / SECOND - moment.timestamp()) < 0.001


@given(st.text(max_size=40) | st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_it_reads_or_says_that_it_cannot(written: object) -> None:
    try:
        micros = read_time(written)
    except ValueError:
        return
    assert micros is None or 0 < micros < 2**63
