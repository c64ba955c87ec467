"""What readers are given: by page, by key, by rank, as of one moment, and a hint that something changed."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Event

import pytest

from streams.runtime.state_store import Changes, Held, Row, StateStore
from tests.parts.processes import wait_for

PLACE = ("tocsin.notifications", 1)
Heard = tuple[str, int, frozenset[str]]


def _fill(store: StateStore, changes: Changes) -> None:
    at = store.positions("ledger", 1).get(PLACE[0], 0)
    assert store.commit("ledger", PLACE, at, at + 1, changes)


def test_a_page_of_a_table_is_read_by_itself(store: StateStore) -> None:
    names = ["acme", "acme2", "", "a/b", "a*"]
    _fill(store, Changes({(table, page, "k"): f"{table} {page}".encode() for table in ("t", "tt") for page in names}))
    for table in ("t", "tt"):
        for page in names:
            assert store.page("ledger", 1, table, page) == {"k": f"{table} {page}".encode()}
    assert dict(store.rows("ledger", 1, ["t"])) == {("t", page, "k"): f"t {page}".encode() for page in names}
    assert dict(store.snapshot("ledger", 1, ["tt"])[1]) == {("tt", page, "k"): f"tt {page}".encode() for page in names}


def test_fetch_returns_what_exists_whatever_its_page(store: StateStore) -> None:
    rows = {("t", f"p{number % 3}", f"k{number}"): b"%d" % number for number in range(30)}
    _fill(store, Changes(dict(rows)))
    wanted = [("t", f"p{number % 3}", f"k{number}") for number in range(20, 40)] + [("other", "p0", "k0")]
    assert store.fetch("ledger", 1, wanted) == {row: rows[row] for row in wanted if row in rows}


@pytest.mark.parametrize(
    ("upto", "limit", "expected"),
    [
        (None, 9, ["b", "a", "c", "d", "é"]),
        (None, 2, ["b", "a"]),
        (None, 0, []),
        (10, 9, ["b", "a", "c", "d"]),
        (9, 9, ["b"]),
        (-6, 9, []),
    ],
)
def test_a_ranking_is_read_by_score_and_then_by_member(
    store: StateStore, upto: int | None, limit: int, expected: list[str]
) -> None:
    scores = {"c": 10, "a": 10, "b": -5, "é": 11, "d": 10}
    _fill(store, Changes(ranks={("queue", member): score for member, score in scores.items()}))
    _fill(store, Changes(ranks={("another", "z"): 0}))
    assert store.ranked("ledger", 1, "queue", upto, limit) == [(member, scores[member]) for member in expected]
    assert store.ranked_count("ledger", 1, "queue") == len(scores)
    assert store.ranked_count("ledger", 1, "nobody") == 0


def test_a_snapshot_is_of_one_moment(store: StateStore) -> None:
    """While somebody commits as fast as it can, the rows of every snapshot belong to its positions."""
    _fill(store, _numbered(1))
    snapshots: list[tuple[Held, list[tuple[Row, bytes]]]] = []

    def are_of_several_moments() -> bool:
        snapshots.extend(pool.map(lambda _: store.snapshot("ledger", 1, ["t"]), range(60)))
        return len({held.positions[PLACE[0]] for held, _ in snapshots}) > 1

    with _committing(store), ThreadPoolExecutor(2) as pool:
        wait_for("somebody to commit", are_of_several_moments)
    for held, rows in snapshots:
        at = held.positions[PLACE[0]]
        assert dict(rows) == _numbered(at).rows
        assert held.wishes == {("p", "t"): at}


def _numbered(number: int) -> Changes:
    rows: dict[tuple[str, str, str], bytes | None]
    rows = {("t", f"page{page}", f"key{key}"): b"%d" % number for page in range(5) for key in range(5)}
    return Changes(rows, wishes={("p", "t"): number})


@contextmanager
def _committing(store: StateStore) -> Iterator[None]:
    done = Event()

    def commit() -> None:
        while not done.is_set():
            at = store.positions("ledger", 1)[PLACE[0]]
            assert store.commit("ledger", PLACE, at, at + 1, _numbered(at + 1))

    with ThreadPoolExecutor(1) as pool:
        committing = pool.submit(commit)
        try:
            yield
        finally:
            done.set()
            committing.result()


def test_a_listener_is_told_which_pages_changed(store: StateStore) -> None:
    heard: SimpleQueue[Heard] = SimpleQueue()
    others: SimpleQueue[Heard] = SimpleQueue()
    store.listen(lambda *changed: heard.put(changed))
    store.listen(lambda *changed: others.put(changed))
    _fill(store, Changes(wishes={("acme", "t"): 1}))
    _fill(store, Changes({("t", "acme", "1"): b"x", ("t", "globex", "2"): None}))
    assert not store.commit("ledger", PLACE, 99, 100, Changes({("t", "acme", "1"): b"y"}))
    assert store.commit("pages", ("tocsin.pages", 7), 0, 1, Changes({("u", "initech", "1"): b"x"}))
    for queue in (heard, others):
        assert queue.get() == ("ledger", 1, frozenset({"acme", "globex"}))
        assert queue.get() == ("pages", 7, frozenset({"initech"}))
