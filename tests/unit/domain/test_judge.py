"""What one report of a monitor means for an instance in each state: the table of docs/rules.md, "Alerts"."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import Micros
from schemas.vocabulary import AlertStatus, Severity
from streams.domain.episodes import (
    Changes,
    Closes,
    Instance,
    Judgement,
    Nothing,
    Opens,
    Refreshes,
    Report,
    episode_id,
    judge,
)

S: Micros = 1_000_000
NOW: Micros = 1_000 * S
CRITICAL, WARNING = Severity.CRITICAL, Severity.WARNING


def firing(starts_at: Micros | None, *, expires_at: Micros | None = None, severity: Severity = CRITICAL) -> Report:
    return Report(AlertStatus.FIRING, severity, starts_at, None, expires_at)


def resolved(ends_at: Micros | None, *, starts_at: Micros | None = 900 * S, inconclusive: bool = False) -> Report:
    return Report(AlertStatus.RESOLVED, CRITICAL, starts_at, ends_at, None, inconclusive=inconclusive)


def running(started_at: Micros = 900 * S, *, expires_at: Micros | None = None) -> Instance:
    return Instance("e1", CRITICAL, started_at, expires_at, None, None, "", 0)


def ended(at: Micros = 950 * S, *, told: bool = True, reason: str = "resolved") -> Instance:
    return Instance("e1", CRITICAL, 900 * S, None, at, at if told else None, reason, 0)


TEST = Report(AlertStatus.FIRING, CRITICAL, NOW, None, None, test=True)
EXPIRED = ended(reason="expired", told=False)


class Row(NamedTuple):
    name: str
    known: Instance | None
    report: Report
    means: Judgement


TABLE = [
    Row("the first firing opens", None, firing(990 * S), Opens(990 * S, None)),
    Row("a first firing without a start opens now", None, firing(None), Opens(NOW, None)),
    Row("a first firing with a lease opens", None, firing(990 * S, expires_at=1_240 * S), Opens(990 * S, None)),
    Row("an unchanged repeat is nothing", running(), firing(900 * S), Nothing("an unchanged repeat")),
    Row("a repeat without a start is nothing", running(), firing(None), Nothing("an unchanged repeat")),
    Row("a newer start while it fires is a re-fire", running(), firing(960 * S), Opens(960 * S, "e1")),
    Row("a newer start and another severity is a re-fire", running(), firing(960 * S, severity=WARNING), Opens(960 * S, "e1")),
    Row("an older start is late", running(), firing(890 * S), Nothing("a late firing of an earlier episode")),
    Row("an older start with another severity is late too", running(), firing(890 * S, severity=WARNING),
        Nothing("a late firing of an earlier episode")),
    Row("another severity is a change", running(), firing(900 * S, severity=WARNING), Changes()),
    Row("another severity without a start is a change", running(), firing(None, severity=WARNING), Changes()),
    # leases: Alertmanager v2 says until when a firing alert holds, and repeats itself every minute
    Row("a lease that has most of its time left stays", running(expires_at=1_200 * S), firing(900 * S, expires_at=1_240 * S),
        Nothing("an unchanged repeat")),
    Row("half a lease left is not yet a reason", running(expires_at=1_120 * S), firing(900 * S, expires_at=1_240 * S),
        Nothing("an unchanged repeat")),
    Row("less than half a lease left moves it", running(expires_at=1_119 * S), firing(900 * S, expires_at=1_240 * S),
        Refreshes(1_240 * S)),
    Row("a lease that just ended and whose timer is still to come moves", running(expires_at=999 * S),
        firing(900 * S, expires_at=1_240 * S), Refreshes(1_240 * S)),
    Row("a shorter lease is nothing", running(expires_at=1_020 * S), firing(900 * S, expires_at=1_010 * S),
        Nothing("an unchanged repeat")),
    Row("a lease for one that had none", running(), firing(900 * S, expires_at=1_240 * S), Refreshes(1_240 * S)),
    Row("a lease that was over before it arrived", running(), firing(900 * S, expires_at=999 * S),
        Nothing("an unchanged repeat")),
    Row("a replica that saw it begin 26 ms later", running(expires_at=1_200 * S),
        firing(900 * S + 26_000, expires_at=1_240 * S), Nothing("an unchanged repeat")),
    Row("a replica that saw it begin earlier refreshes as well", running(expires_at=1_050 * S),
        firing(899 * S, expires_at=1_240 * S), Refreshes(1_240 * S)),
    Row("a replica with another severity changes it", running(expires_at=1_200 * S),
        firing(899 * S, expires_at=1_240 * S, severity=WARNING), Changes()),
    # ends
    Row("resolved closes when the monitor says", running(), resolved(970 * S), Closes(970 * S)),
    Row("resolved without a time closes now", running(), resolved(None), Closes(NOW)),
    Row("an end in the future closes now", running(), resolved(1_500 * S), Closes(NOW)),
    Row("an end before the start is of an earlier episode", running(), resolved(880 * S),
        Nothing("a late end of an earlier episode", keep=True)),
    Row("resolved a second time is nothing", ended(), resolved(960 * S), Nothing("resolved already")),
    Row("resolved what never fired is kept", None, resolved(970 * S), Nothing("resolved without having fired", keep=True)),
    Row("lost sight of is no recovery", running(), resolved(970 * S, inconclusive=True),
        Nothing("the monitor lost sight of it: no recovery", keep=True)),
    Row("lost sight of what never fired", None, resolved(970 * S, inconclusive=True),
        Nothing("the monitor lost sight of it: no recovery", keep=True)),
    # after the end
    Row("the firing of a closed episode, late", ended(), firing(900 * S), Nothing("a late firing of a closed episode")),
    Row("a firing from before the stated end", ended(), firing(940 * S), Nothing("a late firing from before the end")),
    Row("a firing that starts with the stated end", ended(), firing(950 * S), Nothing("a late firing from before the end")),
    Row("a firing after the end re-fires", ended(), firing(951 * S), Opens(951 * S, None)),
    Row("where no end was stated any newer start re-fires", ended(told=False), firing(940 * S), Opens(940 * S, None)),
    Row("a firing without a start re-fires now", ended(), firing(None), Opens(NOW, None)),
    Row("a late firing with another severity stays late", ended(), firing(900 * S, severity=WARNING),
        Nothing("a late firing of a closed episode")),
    Row("after its lease ran out it fires again, with the start it always had", EXPIRED,
        firing(900 * S, expires_at=1_240 * S), Opens(NOW, None)),
    Row("a lease that is over says nothing of now", EXPIRED, firing(900 * S, expires_at=990 * S), Nothing("a lease that is over")),
    Row("expired, and told without a lease that it still fires", EXPIRED, firing(900 * S),
        Nothing("a late firing of a closed episode")),
    Row("resolved after the lease ran out", EXPIRED, resolved(970 * S), Nothing("resolved already")),
    # tests
    Row("a test opens nothing", None, TEST, Nothing("a test of the monitor", keep=True)),
    Row("a test changes nothing", running(), TEST, Nothing("a test of the monitor", keep=True)),
    Row("a test reopens nothing", ended(), TEST, Nothing("a test of the monitor", keep=True)),
]  # fmt: skip


@pytest.mark.parametrize("row", TABLE, ids=[row.name for row in TABLE])
def test_table(row: Row) -> None:
    assert judge(row.known, row.report, NOW) == row.means


TIMES = st.integers(0, 2_000 * S)
INSTANCES = st.none() | st.builds(
    Instance, st.sampled_from(["e1", "e2"]), st.sampled_from(Severity), TIMES, st.none() | TIMES, st.none() | TIMES,
    st.none() | TIMES, st.sampled_from(["", "resolved", "expired"]), st.integers(0, 3),
)  # fmt: skip
REPORTS = st.builds(
    Report, st.sampled_from(AlertStatus), st.sampled_from(Severity), st.none() | TIMES, st.none() | TIMES, st.none() | TIMES,
    st.booleans(), st.booleans(),
)  # fmt: skip


@given(INSTANCES, REPORTS, TIMES)
def test_every_report_means_something_in_every_state(known: Instance | None, report: Report, now: Micros) -> None:
    match judge(known, report, now):
        case Opens(instead=instead):
            assert report.status is AlertStatus.FIRING
            assert not report.test
            assert instead is None or (known is not None and instead == known.episode and known.ended_at is None)
        case Changes() | Refreshes():
            assert known is not None
            assert known.ended_at is None
            assert report.status is AlertStatus.FIRING
        case Closes(ended_at=at):
            assert known is not None
            assert known.ended_at is None
            assert at <= now
        case Nothing(reason=reason):
            assert reason


@given(INSTANCES, REPORTS, TIMES)
def test_a_lease_moves_to_a_later_time_that_is_not_over(known: Instance | None, report: Report, now: Micros) -> None:
    match judge(known, report, now):
        case Refreshes(expires_at=at):
            assert known is not None
            assert at > max(now, known.expires_at or 0)
        case _:
            pass


def test_an_episode_is_named_by_where_what_and_when() -> None:
    names = {
        episode_id(*parts) for parts in [("p", "s", "f", 1), ("p", "s", "f", 2), ("p", "s", "g", 1), ("q", "s", "f", 1)]
    }
    assert len(names) == 4
    assert episode_id("p", "s", "f", 1) in names
