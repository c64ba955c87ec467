"""What only a store in a server of its own can do: die, come back, lose things, be set up wrongly."""

from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread

import pytest
import redis

from deploy.redis.server import Redis
from streams.runtime.redis_store import RedisStateStore
from streams.runtime.state_store import Changes, HalfLostError, Held, StoreUnavailableError
from tests.parts.redis import new_redis

pytestmark = pytest.mark.redis
PLACE = ("tocsin.pages", 3)
SOME = Changes(
    {("t", "acme", "k"): b"v", ("t", "acme", "l"): b"w"},
    {("queue", "acme/k"): 7},
    {("acme", "timer"): 5},
    {"tocsin.pages<x": b"1.0"},
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Redis]:
    with new_redis(tmp_path / "redis") as started:
        yield started


@pytest.fixture
def store(server: Redis) -> Iterator[RedisStateStore]:
    opened = RedisStateStore(server.url, "t.")
    yield opened
    opened.close()


@pytest.fixture
def keys(server: Redis) -> Iterator["redis.Redis"]:
    """The server as somebody sees it who deletes things."""
    with redis.Redis.from_url(server.url) as client:
        yield client


def test_kill_9_keeps_every_acknowledged_commit(server: Redis, store: RedisStateStore) -> None:
    for round_ in range(3):
        acknowledged = _commits_until_killed(server, store)
        server.start()
        held, rows = store.snapshot("pages", 3, ["t"])
        at = held.positions[PLACE[0]]
        assert at in {acknowledged, acknowledged + 1}, f"round {round_}: what was under way may have been written"
        assert dict(rows) == {("t", "acme", "n"): b"%d" % at}
        assert held.wishes == {("acme", "timer"): at}


def _commits_until_killed(server: Redis, store: RedisStateStore) -> int:
    acknowledged = store.positions("pages", 3).get(PLACE[0], 0)
    enough = Event()

    def kill() -> None:
        enough.wait()
        server.kill()

    killer = Thread(target=kill)
    killer.start()
    first = acknowledged
    while True:
        at = acknowledged + 1
        try:
            assert store.commit("pages", PLACE, acknowledged, at, _numbered(at))
        except StoreUnavailableError:
            killer.join()
            return acknowledged
        acknowledged = at
        if at - first == 100:
            enough.set()


def _numbered(at: int) -> Changes:
    return Changes({("t", "acme", "n"): b"%d" % at}, wishes={("acme", "timer"): at})


def test_an_emptied_redis_holds_nothing_and_takes_commits_from_the_beginning(
    store: RedisStateStore, keys: "redis.Redis"
) -> None:
    assert store.commit("pages", PLACE, 0, 7, SOME)
    keys.flushall()
    keys.script_flush()
    assert not store.commit("pages", PLACE, 7, 8, SOME)
    assert store.held("pages", 3) == Held({}, {}, {})
    assert store.commit("pages", PLACE, 0, 7, SOME)
    assert store.positions("pages", 3) == {"tocsin.pages": 7}


@pytest.mark.parametrize("lost", ["positions", "index", "rows/t/acme", "wishes", "origins", "ranks/queue"])
def test_a_half_lost_state_is_refused_and_named(store: RedisStateStore, keys: "redis.Redis", lost: str) -> None:
    assert store.commit("pages", PLACE, 0, 7, SOME)
    assert keys.delete(f"t.{{pages/3}}/{lost}") == 1
    with pytest.raises(HalfLostError, match=r"pages\[3\].*delete the keys t.\{pages/3\}/\*"):
        store.held("pages", 3)
    with pytest.raises(HalfLostError):
        store.snapshot("pages", 3, ["t"])
    at = 0 if lost == "positions" else 7
    with pytest.raises(HalfLostError):
        store.commit("pages", PLACE, at, 8, SOME)
    store.forget("pages", 3)
    assert store.held("pages", 3) == Held({}, {}, {})
    assert keys.keys("t.*") == []
    assert store.commit("pages", PLACE, 0, 1, SOME)


def test_one_lost_row_is_enough(store: RedisStateStore, keys: "redis.Redis") -> None:
    assert store.commit("pages", PLACE, 0, 7, SOME)
    keys.hdel("t.{pages/3}/rows/t/acme", "k")
    with pytest.raises(HalfLostError):
        store.held("pages", 3)


def test_what_was_left_without_its_positions_and_index_is_not_built_upon(
    store: RedisStateStore, keys: "redis.Redis"
) -> None:
    assert store.commit("pages", PLACE, 0, 7, Changes(SOME.rows))
    keys.delete("t.{pages/3}/positions", "t.{pages/3}/index")
    with pytest.raises(HalfLostError):
        store.commit("pages", PLACE, 0, 1, SOME)


def test_forgetting_leaves_others_alone(store: RedisStateStore, keys: "redis.Redis") -> None:
    for processor, partition in (("pages", 3), ("pages", 33), ("apages", 3)):
        assert store.commit(processor, ("tocsin.pages", partition), 0, 7, SOME)
    store.forget("pages", 3)
    assert store.positions("pages", 33) == store.positions("apages", 3) == {"tocsin.pages": 7}
    assert store.positions("pages", 3) == {}


def test_an_unreachable_redis_is_unavailable_and_found_again(server: Redis, store: RedisStateStore) -> None:
    assert store.commit("pages", PLACE, 0, 7, SOME)
    server.stop()
    for call in (
        lambda: store.held("pages", 3),
        lambda: store.commit("pages", PLACE, 7, 8, SOME),
        lambda: store.listen(lambda *_: None),
        store.problems,
    ):
        with pytest.raises(StoreUnavailableError):
            call()
    server.start()
    assert store.commit("pages", PLACE, 7, 8, SOME)


def test_a_full_redis_refuses_and_keeps_what_it_has(store: RedisStateStore, keys: "redis.Redis") -> None:
    assert store.commit("pages", PLACE, 0, 7, SOME)
    keys.config_set("maxmemory", "1")
    with pytest.raises(StoreUnavailableError):
        store.commit("pages", PLACE, 7, 8, Changes({("t", "acme", "k"): b"else"}))
    keys.config_set("maxmemory", "0")
    assert store.positions("pages", 3) == {"tocsin.pages": 7}
    assert store.page("pages", 3, "t", "acme") == {"k": b"v", "l": b"w"}


def test_a_listener_hears_again_after_redis_was_away(server: Redis, store: RedisStateStore) -> None:
    heard: SimpleQueue[frozenset[str]] = SimpleQueue()
    store.listen(lambda processor, partition, pages: heard.put(pages))
    assert store.commit("pages", PLACE, 0, 1, SOME)
    assert heard.get() == {"acme"}
    server.kill()
    server.start()
    at = store.positions("pages", 3)["tocsin.pages"]
    while heard.empty():  # until the subscription stands again; a run that never hears is ended by the test's timeout
        assert store.commit("pages", PLACE, at, at + 1, Changes({("t", "later", "k"): b"%d" % at}))
        at += 1
    assert heard.get() == {"later"}


def test_a_listener_that_fails_does_not_silence_the_others(store: RedisStateStore, keys: "redis.Redis") -> None:
    heard: SimpleQueue[int] = SimpleQueue()

    def fails(*_: object) -> None:
        raise ValueError("a fault")

    store.listen(fails)
    store.listen(lambda processor, partition, pages: heard.put(partition))
    keys.publish("t.changes", b"\xc1 not ours")
    for at in range(2):
        assert store.commit("pages", PLACE, at, at + 1, SOME)
        assert heard.get() == 3


def test_the_settings_that_tocsin_ships_have_no_problem(store: RedisStateStore) -> None:
    assert store.problems() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("appendonly", "no"), ("appendfsync", "everysec"), ("maxmemory-policy", "allkeys-lru"),
     ("no-appendfsync-on-rewrite", "yes")],
)  # fmt: skip
def test_a_setting_that_may_lose_something_is_a_problem(
    store: RedisStateStore, keys: "redis.Redis", name: str, value: str
) -> None:
    keys.config_set(name, value)
    [problem] = store.problems()
    assert f"{name} {value}" in problem


def test_settings_that_are_not_told_are_a_problem(server: Redis, keys: "redis.Redis") -> None:
    keys.acl_setuser(
        "tocsin", enabled=True, passwords=["+geheim"], keys="*", channels="*", commands=["+@all", "-config"]
    )
    limited = RedisStateStore(server.url.replace("redis://", "redis://tocsin:geheim@"))
    try:
        [problem] = limited.problems()
        assert "appendfsync always" in problem
        assert limited.commit("pages", PLACE, 0, 1, SOME), "all else works without CONFIG"
    finally:
        limited.close()


def test_a_password_is_in_no_error(server: Redis) -> None:
    stranger = RedisStateStore(server.url.replace("redis://", "redis://tocsin:geheim@"))
    with pytest.raises(StoreUnavailableError) as caught:
        stranger.held("pages", 3)
    stranger.close()
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("namespace", ["a{b", "a}b", "a*", "a b", "[a]", "ä"])
def test_a_namespace_that_would_break_keys_is_refused(namespace: str) -> None:
    with pytest.raises(ValueError, match="namespace"):
        RedisStateStore("redis://localhost", namespace)
