"""A large page and its million subscribers, the same for every run: 200 components in 20 groups, 20 regions.

Who chooses what is invented, and meant to be ordinary: most want a few cells, some a group, some everything, and some
only what is serious. It knows nothing of indexes or ledgers.
"""

from collections.abc import Iterator
from random import Random

from schemas.events import Cell, Change, Filter, Notice
from schemas.vocabulary import CellStatus, Impact, Kind

PAGE = "bench"
COMPONENTS = 200
GROUPS = 20
REGIONS = 20
_EVERYTHING = 0.10
_WHOLE_GROUPS = 0.15
_MOST_CELLS = 5
_SHARED_FILTERS = 0.4
"""Subscribers who came by one of a few links, and so have a filter that many have."""
_LINKS = 500


def component(number: int) -> str:
    """Return a component's id."""
    return f"component-{number}"


def group_of(number: int) -> str:
    """Return the id of the group above a component."""
    return f"group-{number % GROUPS}"


def region(number: int) -> str:
    """Return a region's id."""
    return f"region-{number}"


def lineage(wanted: str) -> list[str]:
    """Return a component and the group above it."""
    return [wanted, group_of(int(wanted.rpartition("-")[2]))]


def subscribers(count: int, seed: int = 1) -> Iterator[tuple[str, Filter]]:
    """Yield ids (32 hex digits) with their filters."""
    random = Random(seed)
    links = [_filter(random) for _ in range(_LINKS)]
    for _ in range(count):
        wanted = random.choice(links) if random.random() < _SHARED_FILTERS else _filter(random)
        yield f"{random.getrandbits(128):032x}", wanted


def changes(random: Random, most: int = 3) -> list[Change]:
    """Return one to ``most`` cells of one component that break or recover."""
    broken = component(random.randrange(COMPONENTS))
    before, after = random.sample([CellStatus.OPERATIONAL, CellStatus.DEGRADED, CellStatus.MAJOR_OUTAGE], 2)
    return [
        Change(broken, region(number), before, after)
        for number in random.sample(range(REGIONS), random.randint(1, most))
    ]


def notice(update: str, subject: str, changed: list[Change], now: int) -> Notice:
    """Return something to tell about these cells."""
    return Notice(
        kind=Kind.INCIDENT,
        update=update,
        subject_id=subject,
        title="Requests fail",
        body="Some requests fail. We are looking into it.",
        status="investigating",
        impact=Impact.MAJOR,
        impact_chosen=False,
        changes=changed,
        affects=[],
        components=[],
        page_name="Bench",
        page_url="https://status.example.com",
        timezone="UTC",
        promise_at=None,
        started_at=now,
        published_at=now,
    )


def _filter(random: Random) -> Filter:
    impact = random.choices([Impact.NONE, Impact.MINOR, Impact.MAJOR, Impact.CRITICAL], [70, 10, 15, 5])[0]
    kinds = random.choices([[Kind.INCIDENT, Kind.MAINTENANCE], [Kind.INCIDENT], [Kind.MAINTENANCE]], [80, 15, 5])[0]
    return Filter(_cells(random), impact, kinds)


def _cells(random: Random) -> list[Cell] | None:
    kind = random.random()
    if kind < _EVERYTHING:
        return None
    if kind < _EVERYTHING + _WHOLE_GROUPS:
        return [Cell(group_of(random.randrange(GROUPS)), random.choice([None, _region(random)]))]
    return [Cell(_component(random), _region(random)) for _ in range(random.randint(1, _MOST_CELLS))]


def _component(random: Random) -> str:
    # Some components are much more used than others.
    return component(int(COMPONENTS * random.random() ** 2))


def _region(random: Random) -> str:
    return region(int(REGIONS * random.random() ** 2))
