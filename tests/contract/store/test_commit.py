"""What a commit promises: all or nothing, once, for one of those who try."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from streams.runtime.state_store import Changes, Held, StateStore, StoreUnavailableError

PLACE = ("tocsin.pages", 3)
ROW = ("incidents", "acme", "i1")
WISHES = {("acme", "draft:d/1"): 1_790_000_000_123_457, ("acme", "promise:ü"): 0}
EVERYTHING = Changes(
    rows={ROW: b"\x00\xff one", ("drafts", "acme", "d/1"): b"", ("incidents", "globex", "i2"): b"two"},
    ranks={("queue/email", "acme/n1"): 1_790_000_000_123_457, ("queue/email", "acme/n0"): 5, ("told", "acme/n1"): -4},
    wishes={**WISHES},
    origins={"tocsin.pages<episodes/tocsin.alerts/3": b"17.2"},
)


def test_an_empty_store_holds_nothing(store: StateStore) -> None:
    assert store.held("pages", 3) == Held({}, {}, {})
    assert store.positions("pages", 3) == {}
    assert list(store.rows("pages", 3, ["incidents"])) == []
    assert store.snapshot("pages", 3, ["incidents"]) == (Held({}, {}, {}), [])
    assert store.page("pages", 3, "incidents", "acme") == {}
    assert store.fetch("pages", 3, [ROW]) == {}
    assert store.fetch("pages", 3, []) == {}
    assert store.ranked("pages", 3, "queue/email", None, 10) == []


def test_a_commit_writes_everything_beside_the_position(store: StateStore) -> None:
    assert store.commit("pages", PLACE, 0, 12, EVERYTHING)
    assert store.held("pages", 3) == Held({"tocsin.pages": 12}, WISHES, EVERYTHING.origins)
    assert store.positions("pages", 3) == {"tocsin.pages": 12}
    assert dict(store.rows("pages", 3, ["incidents", "drafts"])) == EVERYTHING.rows
    assert store.ranked("pages", 3, "queue/email", None, 9) == [("acme/n0", 5), ("acme/n1", 1_790_000_000_123_457)]
    assert store.ranked("pages", 3, "told", None, 9) == [("acme/n1", -4)]


def test_nothing_is_written_from_another_position(store: StateStore) -> None:
    store.commit("pages", PLACE, 0, 12, EVERYTHING)
    before = store.snapshot("pages", 3, ["incidents", "drafts"])
    changes = Changes(
        {ROW: b"else"},
        {("queue/email", "acme/n0"): None},
        {("acme", "promise:ü"): None, ("acme", "new"): 8},
        {"tocsin.pages<else": b"1.0"},
    )
    for expected in (0, 11, 13):
        assert not store.commit("pages", PLACE, expected, expected + 1, changes)
    assert store.snapshot("pages", 3, ["incidents", "drafts"]) == before
    assert len(store.ranked("pages", 3, "queue/email", None, 9)) == 2


def test_nothing_is_written_beside_a_topic_that_moved(store: StateStore) -> None:
    changes = Changes({ROW: b"one"}, beside={"tocsin.alerts": 0, "tocsin.deliveries": 7})
    assert not store.commit("pages", PLACE, 0, 12, changes)
    assert store.held("pages", 3) == Held({}, {}, {})
    assert store.commit("pages", ("tocsin.deliveries", 3), 0, 7, Changes())
    assert store.commit("pages", PLACE, 0, 12, changes)
    assert store.fetch("pages", 3, [ROW]) == {ROW: b"one"}
    assert store.commit(
        "pages", ("tocsin.alerts", 3), 0, 1, Changes(beside={"tocsin.pages": 12, "tocsin.deliveries": 7})
    )
    assert not store.commit("pages", PLACE, 12, 13, changes)
    assert store.positions("pages", 3) == {"tocsin.alerts": 1, "tocsin.deliveries": 7, "tocsin.pages": 12}


def test_none_deletes_and_what_was_never_there_may_be_deleted(store: StateStore) -> None:
    store.commit("pages", PLACE, 0, 12, EVERYTHING)
    gone: dict[Any, None] = dict.fromkeys([*EVERYTHING.rows, ("drafts", "none", "at all")])
    changes = Changes(
        gone, dict.fromkeys(EVERYTHING.ranks), dict.fromkeys([*EVERYTHING.wishes, ("acme", "never wished")])
    )
    assert store.commit("pages", PLACE, 12, 13, changes)
    assert store.snapshot("pages", 3, ["incidents", "drafts"]) == (
        Held({"tocsin.pages": 13}, {}, dict(EVERYTHING.origins)), [],
    )  # fmt: skip
    assert store.ranked("pages", 3, "queue/email", None, 9) == []


def test_a_score_and_a_wish_can_be_moved(store: StateStore) -> None:
    store.commit("pages", PLACE, 0, 1, EVERYTHING)
    moved = Changes(ranks={("queue/email", "acme/n1"): 4}, wishes={("acme", "promise:ü"): 77})
    assert store.commit("pages", PLACE, 1, 2, moved)
    assert store.ranked("pages", 3, "queue/email", None, 9) == [("acme/n1", 4), ("acme/n0", 5)]
    assert store.held("pages", 3).wishes["acme", "promise:ü"] == 77


def test_a_processor_has_a_position_for_each_topic(store: StateStore) -> None:
    assert store.commit("ledger", ("tocsin.notifications", 2), 0, 5, Changes({ROW: b"planned"}))
    assert store.commit("ledger", ("tocsin.deliveries", 2), 0, 9, Changes({ROW: b"sent"}))
    assert store.positions("ledger", 2) == {"tocsin.notifications": 5, "tocsin.deliveries": 9}
    assert store.page("ledger", 2, "incidents", "acme") == {"i1": b"sent"}


def test_processors_and_partitions_share_nothing(store: StateStore) -> None:
    for number, (processor, partition) in enumerate([("pages", 3), ("pages", 30), ("status", 3), ("page", 3)]):
        place = ("tocsin.pages", partition)
        assert store.commit(
            processor, place, 0, number + 1, Changes({ROW: b"%d" % number}, wishes={("a", "t"): number})
        )
    assert [store.fetch(*whose, [ROW]) for whose in [("pages", 3), ("pages", 30), ("status", 3), ("page", 3)]] == [
        {ROW: b"0"}, {ROW: b"1"}, {ROW: b"2"}, {ROW: b"3"},
    ]  # fmt: skip
    assert store.held("pages", 3) == Held({"tocsin.pages": 1}, {("a", "t"): 0}, {})


def test_a_position_may_move_alone(store: StateStore) -> None:
    assert store.commit("pages", PLACE, 0, 500, Changes())
    assert store.commit("pages", PLACE, 500, 501, Changes())
    assert store.held("pages", 3).positions == {"tocsin.pages": 501}


def test_of_many_who_try_one_succeeds_each_time(store: StateStore) -> None:
    """Eight workers count to 200 together: nobody's step is lost or done twice."""
    done: Counter[int] = Counter()

    def worker(name: int) -> None:
        while (at := store.positions("counting", 0).get("t", 0)) < 200:
            number = int(store.fetch("counting", 0, [("n", "p", "k")]).get(("n", "p", "k"), b"0"))
            changes = Changes({("n", "p", "k"): b"%d" % (number + 1), ("who", "p", str(at)): b"%d" % name})
            if store.commit("counting", ("t", 0), at, at + 1, changes):
                done[name] += 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(worker, range(8)))
    assert store.fetch("counting", 0, [("n", "p", "k")]) == {("n", "p", "k"): b"200"}
    assert Counter(int(who) for who in store.page("counting", 0, "who", "p").values()) == done
    assert done.total() == 200


@pytest.mark.parametrize("size", [3_000, 60_000])
def test_a_large_commit_is_one_step(store: StateStore, size: int) -> None:
    rows = {("entries", f"page{number % 7}", f"key{number}"): b"%d" % number * 10 for number in range(size)}
    ranks = {("queue", f"page/key{number}"): number for number in range(size)}
    assert store.commit("ledger", PLACE, 0, 1, Changes(dict(rows), dict(ranks)))
    assert dict(store.rows("ledger", 3, ["entries"])) == rows
    _, snapshot = store.snapshot("ledger", 3, ["entries"])
    assert dict(snapshot) == rows
    assert len(store.ranked("ledger", 3, "queue", None, size + 1)) == size
    wanted = [("entries", f"page{number % 7}", f"key{number}") for number in range(0, size + 70, 7)]
    assert len(store.fetch("ledger", 3, wanted)) == len([row for row in wanted if row in rows])
    assert not store.commit("ledger", PLACE, 0, 1, Changes(dict.fromkeys(rows)))
    assert store.commit("ledger", PLACE, 1, 2, Changes(dict.fromkeys(rows), dict.fromkeys(ranks)))
    assert list(store.rows("ledger", 3, ["entries"])) == []


def test_a_closed_store_says_so(store: StateStore) -> None:
    store.close()
    for call in (
        lambda: store.held("pages", 3),
        lambda: store.positions("pages", 3),
        lambda: list(store.rows("pages", 3, ["incidents"])),
        lambda: store.page("pages", 3, "incidents", "acme"),
        lambda: store.fetch("pages", 3, [ROW]),
        lambda: store.snapshot("pages", 3, ["incidents"]),
        lambda: store.ranked("pages", 3, "queue", None, 1),
        lambda: store.commit("pages", PLACE, 0, 1, Changes()),
        lambda: store.listen(lambda *_: None),
    ):
        with pytest.raises(StoreUnavailableError):
            call()
    store.close()
