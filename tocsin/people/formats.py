"""What every format of subscribers is, and all there are. A format is a module of its own, and a line here."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from tocsin.people import cachet, own, statuspage
from tocsin.people.person import Line, Reading
from tocsin.people.places import Places


class Format(NamedTuple):
    """One format.

    ``check`` raises FileError for columns that leave it open what a line means; ``read`` reads a line, which may be several
    people. ``json`` says that files in JSON are taken, too.
    """

    name: str
    check: Callable[[Sequence[str]], None]
    read: Callable[[Line, Places], Iterator[Reading]]
    json: bool


FORMATS: tuple[Format, ...] = (
    Format("tocsin", own.check, own.read, json=False),
    Format("statuspage", statuspage.check, statuspage.read, json=True),
    Format("cachet", cachet.check, cachet.read, json=True),
)
FORMAT_OF_NAME = {each.name: each for each in FORMATS}
