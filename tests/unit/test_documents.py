"""The documents can be found: each is in the index, and what they link to is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)|src=\"([^\"]+)\"")


def links_of(document: Path) -> set[Path]:
    found = (first or second for first, second in LINK.findall(document.read_text("utf-8")))
    return {
        (document.parent / link).resolve() for link in found if "://" not in link and not link.startswith("mailto:")
    }


def test_every_document_is_in_the_index() -> None:
    documents = {path.resolve() for path in DOCS.rglob("*.md")} - {DOCS / "README.md"}
    assert documents <= links_of(DOCS / "README.md")


def test_no_document_links_to_what_is_not_there() -> None:
    documents = [*ROOT.glob("*.md"), *DOCS.rglob("*.md")]
    dead = {(path.name, str(link)) for path in documents for link in links_of(path) if not link.exists()}
    assert not dead
