"""What bulletins promise: everybody reads what was said lately, the newest word of each, and nothing that has run out."""

from typing import Any

LONG, SHORT = 60.0, 0.05
TEXT = b'{"words": "12 and more\n\xe2\x80\xa6"}'


def test_everybody_reads_what_is_said_on_a_board(site: Any) -> None:
    assert site.port.read("board") == {}
    site.port.post("board", "ann", TEXT, LONG)
    site.port.post("board", "ben", b"", LONG)
    site.port.post("another", "cat", b"meow", LONG)
    assert site.port.read("board") == {"ann": TEXT, "ben": b""}


def test_the_newest_word_counts(site: Any) -> None:
    site.port.post("board", "ann", b"one", SHORT)
    site.port.post("board", "ann", b"two", LONG)
    site.wait(2 * SHORT)
    assert site.port.read("board") == {"ann": b"two"}


def test_what_has_run_out_is_not_read_and_harms_nobody(site: Any) -> None:
    site.port.post("board", "ann", b"one", SHORT)
    site.port.post("board", "ben", b"two", LONG)
    site.wait(2 * SHORT)
    assert site.port.read("board") == {"ben": b"two"}
    site.port.post("board", "cat", b"three", LONG)
    assert site.port.read("board") == {"ben": b"two", "cat": b"three"}


def test_a_word_can_be_taken_back(site: Any) -> None:
    site.port.post("board", "ann", b"one", LONG)
    site.port.remove("board", "ann")
    site.port.remove("board", "nobody")
    assert site.port.read("board") == {}
