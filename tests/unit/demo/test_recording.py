"""The recording is one that monitors could have sent, and its times can be moved."""

from datetime import UTC, datetime, timedelta

import msgspec
import orjson
import pytest

from producers.sources.registry import KIND_OF_NAME
from producers.sources.source import Parsed, RawRequest
from tocsin.config import load_example
from tocsin.demo.recording import Post, Shift, load_recording

RECORDING = load_recording()
POSTS = [step for step in RECORDING.steps if isinstance(step, Post)]
CONFIG = load_example({})
KINDS = {source.id: source.kind for source in CONFIG.sources}
START = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def read(post: Post, shift: Shift) -> Parsed:
    body = orjson.dumps(shift.body(post.body))
    received = int((START + shift.after(post.at)).timestamp() * 1_000_000)
    return KIND_OF_NAME[KINDS[post.source]].parse(RawRequest(body, {}, "", received))


def test_it_is_about_an_hour() -> None:
    assert 45 <= RECORDING.minutes <= 60
    assert [step.at for step in RECORDING.steps] == sorted({step.at for step in RECORDING.steps})


def test_whoever_is_told_is_in_the_cast() -> None:
    names = {person.name for person in RECORDING.cast}
    assert len(names) == len({person.email for person in RECORDING.cast}) == len(RECORDING.cast)
    assert {name for step in RECORDING.steps for name in step.tells} < names  # and somebody hears of nothing


@pytest.mark.parametrize("post", POSTS, ids=lambda post: str(post.at))
def test_every_body_is_understood_without_a_word(post: Post) -> None:
    parsed = read(post, Shift(RECORDING.began, START, 60))
    assert parsed.alerts
    assert not parsed.problems


@pytest.mark.parametrize("speed", [1, 60, 600])
def test_what_is_posted_has_happened_and_in_the_recorded_order(speed: float) -> None:
    shift = Shift(RECORDING.began, START, speed)
    for post in POSTS:
        now = int((START + shift.after(post.at)).timestamp() * 1_000_000)
        for alert in read(post, shift).alerts:
            assert all(at <= now for at in (alert.starts_at, alert.ends_at) if at is not None)
            assert alert.ends_at is None or alert.starts_at is None or alert.starts_at <= alert.ends_at


def test_a_repeat_is_the_same_alert_to_the_byte() -> None:
    shift = Shift(RECORDING.began, START, 60)
    first, second, repeat = POSTS[0], POSTS[3], next(post for post in POSTS if "replica" in post.says)
    assert shift.body(second.body) == shift.body(repeat.body) != shift.body(first.body)


def test_only_times_are_moved() -> None:
    still = Shift(RECORDING.began, RECORDING.began, 1)
    for post in POSTS:
        assert msgspec.to_builtins(still.body(post.body)) == post.body


def test_time_passes_faster() -> None:
    shift = Shift(RECORDING.began, START, 60)
    assert shift.after(30) == timedelta(seconds=30)
    assert shift.time(RECORDING.began + timedelta(minutes=30)) == START + timedelta(seconds=30)
