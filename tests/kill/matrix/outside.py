"""One vendor as the kill matrix sees it: where it is, whom it reaches, and what reached them. It knows no Tocsin."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias, TypeVar

from tests.fakes.vendors.server import Vendor, VendorServer

V = TypeVar("V", bound=Vendor)


class Arrival(NamedTuple):
    """A message that a vendor took for an address; ``text`` holds at least the words of the update."""

    address: str
    text: str


def _none() -> list[str]:
    return []


def _no_reports(_: str) -> list["Report"]:
    return []


class Report(NamedTuple):
    """What a vendor posts to us by itself, later: to which URL (a path: of the page), and what."""

    url: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Outside:
    """A vendor that runs, and those who are reached by it.

    ``settings`` are the channel's. ``arrived`` is what the vendor acted on, in order; ``seen`` what people or their
    programs have before them by the vendor's own rules for repetitions (None: all that arrived). ``reports`` are what it
    says later of all that it took; it is told the page's URL. ``repeats`` says that it knows no repetitions, so that what is
    asked again is there twice. ``complaints`` are what was wrong with requests, each once.
    """

    settings: Mapping[str, Any]
    addresses: Sequence[str]
    arrived: Callable[[], list[Arrival]]
    seen: Callable[[], list[Arrival]] | None = None
    reports: Callable[[str], list[Report]] = _no_reports
    complaints: Callable[[], list[str]] = field(default=_none)
    repeats: bool = False

    def before_them(self) -> list[Arrival]:
        """Return what people have before them."""
        return self.arrived() if self.seen is None else self.seen()


Opened: TypeAlias = Callable[[], AbstractContextManager[Outside]]


@dataclass(frozen=True)
class Road:
    """One way to run a channel of the registry: ``name`` is the channel's, with what is special in brackets."""

    name: str
    channel: str
    opened: Opened


@contextmanager
def servers(*vendors: V) -> Iterator[list[VendorServer[V]]]:
    """Yield a server for each vendor."""
    with ExitStack() as stack:
        yield [stack.enter_context(VendorServer(vendor)) for vendor in vendors]


def violations(running: Sequence[VendorServer[Any]]) -> Callable[[], list[str]]:
    """Return what reads the servers' complaints, each once."""
    return lambda: [complaint for server in running for complaint in server.forgive()]
