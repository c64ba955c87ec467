"""What every key store does, whichever engine keeps it."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from streams.keys.store import Kept, KeyStore
from streams.keys.vault import ErasedError, Vault, WrongMasterKeyError
from tests.contract.keys.conftest import OpenStore

ANN, BEN = Kept(b"wrapped \x00\xff ann", b"hash \x00\x80 1"), Kept(b"wrapped ben", None)


def test_nothing_is_kept_of_a_stranger(store: KeyStore) -> None:
    assert store.get("ann") is None
    assert store.find(b"hash") == []
    assert not store.erase("ann")
    assert not list(store.owners())


def test_what_was_added_is_kept(store: KeyStore) -> None:
    store.add("ann", ANN)
    store.add("ünï/cødé 🔔", BEN)
    assert (store.get("ann"), store.get("ünï/cødé 🔔")) == (ANN, BEN)
    assert sorted(store.owners()) == ["ann", "ünï/cødé 🔔"]


def test_the_first_is_kept(store: KeyStore) -> None:
    store.add("ann", ANN)
    store.add("ann", Kept(b"another key", b"another hash"))
    assert store.get("ann") == ANN
    assert store.find(b"another hash") == []


def test_many_are_added_as_each_would_be(store: KeyStore) -> None:
    store.add("ann", ANN)
    many = [(f"owner {number}", Kept(f"key {number}".encode(), b"same")) for number in range(40)]
    store.add_all([("ann", Kept(b"another key", b"same")), *many, ("owner 0", BEN)])
    assert store.get("ann") == ANN, "the first is kept"
    assert [store.get(owner) for owner, _ in many] == [kept for _, kept in many]
    assert store.find(b"same") == sorted(owner for owner, _ in many)
    store.add_all([])
    store.add("ben", BEN)
    assert store.get("ben") == BEN


def test_many_are_read_as_each_would_be(store: KeyStore) -> None:
    many = {f"owner {number}": Kept(f"key {number}".encode(), b"same") for number in range(600)}
    many["ünï/cødé 🔔"] = BEN
    store.add_all(list(many.items()))
    store.add("nobody asks", ANN)
    store.erase("owner 7")
    del many["owner 7"]
    assert store.get_all([*many, "owner 7", "a stranger", "owner 1"]) == many
    assert store.get_all([]) == {}


def test_owners_are_found_by_their_hash(store: KeyStore) -> None:
    for owner in ("c", "a", "b"):
        store.add(owner, Kept(owner.encode(), b"same"))
    store.add("other", Kept(b"x", b"else"))
    store.add("none", BEN)
    assert store.find(b"same") == ["a", "b", "c"]
    assert store.erase("b")
    assert store.find(b"same") == ["a", "c"]
    assert store.erase("a")
    assert store.erase("c")
    assert store.find(b"same") == []
    assert store.find(b"else") == ["other"]


def test_what_is_erased_is_gone(store: KeyStore) -> None:
    store.add("ann", ANN)
    assert store.erase("ann")
    assert store.get("ann") is None
    assert store.find(ANN.lookup or b"") == []
    assert not store.erase("ann")
    store.add("ann", BEN)
    assert store.get("ann") == BEN, "the same owner may come back, with another key"


def test_reopening_keeps_everything_but_what_was_erased(open_store: OpenStore) -> None:
    first = open_store()
    first.add("ann", ANN)
    first.add("ben", BEN)
    first.erase("ben")
    first.close()
    second = open_store()
    assert second.get("ann") == ANN
    assert second.find(ANN.lookup or b"") == ["ann"]
    assert list(second.owners()) == ["ann"]


def test_of_several_who_add_at_once_one_is_kept_for_all(store: KeyStore) -> None:
    def add(number: int) -> Kept | None:
        store.add("ann", Kept(f"key {number}".encode(), f"hash {number}".encode()))
        return store.get("ann")

    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(add, range(8)))
    assert len(set(seen)) == 1
    assert [number for number in range(8) if store.find(f"hash {number}".encode())] != []
    assert sum(len(store.find(f"hash {number}".encode())) for number in range(8)) == 1


def test_two_that_are_open_see_each_other(open_store: OpenStore) -> None:
    one, other = open_store(), open_store()
    one.add("ann", ANN)
    assert other.get("ann") == ANN
    assert other.erase("ann")
    assert one.get("ann") is None


def test_a_vault_over_it(open_store: OpenStore) -> None:
    vault = Vault(open_store(), bytes(32))
    vault.create("ann", "ann@example.com")
    vault.create("anna", "ann@example.com")
    sealed = vault.seal("ann", b"ann@example.com")
    assert vault.find("ann@example.com") == ["ann", "anna"]
    assert vault.siblings("ann") == ["anna"]
    vault.create_all({"bea": "bea@example.com", "ben": "ben@example.com"})
    assert vault.find("ben@example.com") == ["ben"]
    assert vault.open("bea", vault.seal("bea", b"bea@example.com")) == b"bea@example.com"
    again = Vault(open_store(), bytes(32))
    assert again.open("ann", sealed) == b"ann@example.com"
    bens = vault.seal("ben", b"ben@example.com")
    of_many = {"ann": sealed, "ben": bens, "bea": bens, "a stranger": sealed}
    assert vault.open_all(of_many) == {"ann": b"ann@example.com", "ben": b"ben@example.com"}
    assert vault.erase("ann")
    assert vault.open_all(of_many) == {"ben": b"ben@example.com"}
    for call in (lambda: vault.open("ann", sealed), lambda: vault.seal("ann", b"x")):
        with pytest.raises(ErasedError):
            call()
    vault.create("ann")
    with pytest.raises(ErasedError):
        vault.open("ann", sealed)


def test_a_store_opens_with_its_own_master_key_only(open_store: OpenStore) -> None:
    Vault(open_store(), bytes(32))
    with pytest.raises(WrongMasterKeyError):
        Vault(open_store(), bytes([1]) * 32)
