"""The pages of a history: component trees, regions, rules of every kind of publication, sources. Values only."""

from collections.abc import Iterator
from random import Random
from typing import Any

from schemas import events as e
from schemas.events import Cell, EventData, Rule
from schemas.vocabulary import Audience, CellStatus, Publish

SERVICES = ("api", "web", "payments", "cdn", "login", "maps")
SOURCES = ("prom", "grafana", "pingdom")
LEASING = ("prom",)
"""Sources whose alerts expire."""
REGIONS = ("eu", "us", "ap")
NOWHERE = "moon"
"""A region that nothing runs in, and a service that no rule knows."""
SEVERITIES = ("critical", "error", "warning", "info", "unknown")
ZONES = ("UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns")
_STATUS = (
    {"critical": CellStatus.MAJOR_OUTAGE, "error": CellStatus.PARTIAL_OUTAGE, "warning": CellStatus.DEGRADED},
    {"*": CellStatus.PARTIAL_OUTAGE, "critical": CellStatus.MAJOR_OUTAGE},
    {"critical": CellStatus.MAJOR_OUTAGE, "*": CellStatus.DEGRADED, "info": CellStatus.OPERATIONAL},
)
_TEXTS = {
    "investigating": "{{ component.name }} fails in {{ region.name }}: {{ alert.title }}. News by {{ next_update }}.",
    "resolved": "Over after {{ duration }}; it was {{ regions | join(', ') }}.",
}
TEMPLATES = {
    "errors": e.TemplateDefined("errors", "Errors of {{ component.name }} in {{ region.name }}", _TEXTS),
    "slow": e.TemplateDefined("slow", "{{ component.name }} is slow", {"investigating": "Slow ({{ labels.region }})."}),
    "broken": e.TemplateDefined("broken", "{{ nope.nothing }}", {"investigating": "{{ labels.service }"}),
}


def page_id(number: int) -> str:
    return f"page-{number:02}"


def settings(random: Random, page: str) -> e.PageDefined:
    return e.PageDefined(
        f"Acme {page}", f"https://{page}.example", random.choice(ZONES), "", random.choice([0, 900, 1800, 3600]),
        random.choice([0.0, 0.3, 0.5, 1.0]), random.random() < 0.5,
    )  # fmt: skip


def components(random: Random) -> list[e.ComponentDefined]:
    """Return a tree: groups, groups of groups, leaves with and without regions."""
    groups = [("platform", None), ("edge", "platform")]
    own: list[tuple[str, str | None]] = [*groups]
    own += [(service, random.choice([None, "platform", "edge"])) for service in SERVICES]
    return [component(random, name, parent, rank) for rank, (name, parent) in enumerate(own)]


def component(random: Random, name: str, parent: str | None, rank: int) -> e.ComponentDefined:
    regions = [] if name in ("platform", "edge", "login") else sorted(random.sample(REGIONS, random.randint(0, 3)))
    slo = random.choice([None, 0.999])
    does = f"What {name} does."
    return e.ComponentDefined(name, name.title(), parent, rank, regions, slo, name == "maps", does, audience(random))


def audience(random: Random) -> Audience:
    """Return for whom something is: one time in six not for the public."""
    return Audience.INTERNAL if random.random() < 1 / 6 else Audience.PUBLIC


def rules(random: Random) -> e.RulesDefined:
    """Return rules in a random order; most services have one of their own."""
    found = [_rule(random, service) for service in SERVICES if random.random() < 0.9]
    found.append(Rule("all", None, {"scope": "all"}, "platform", None, {"*": CellStatus.DEGRADED}, Publish.AUTO, 0, ""))
    labelled = "{{ labels.service }}"
    found.append(Rule("any", "pingdom", {}, labelled, "{{ labels.region }}", _STATUS[1], Publish.AFTER, 240, "slow"))
    random.shuffle(found)
    return e.RulesDefined(found)


def _rule(random: Random, service: str) -> Rule:
    return Rule(
        service, random.choice([None, None, "prom"]), {"service": service}, service,
        random.choice(["{{ labels.region }}", "{{ labels.region }}", None]), dict(random.choice(_STATUS)),
        random.choice(list(Publish)), random.choice([0, 30, 120, 600]), random.choice(["errors", "slow", "broken", "gone"]),
    )  # fmt: skip


def catalogue(random: Random, page: str) -> Iterator[EventData]:
    """Yield what defines a page."""
    yield settings(random, page)
    yield e.RegionsDefined([e.Region(region, region.upper()) for region in REGIONS])
    yield from components(random)
    yield from TEMPLATES.values()
    yield from (e.SourceDefined(source, "generic") for source in SOURCES)
    yield rules(random)


def labels(random: Random, number: int) -> dict[str, Any]:
    """Return what instance ``number`` of a page is labelled with; some lead nowhere."""
    if number % 11 == 10:
        return {"service": NOWHERE, "region": random.choice(REGIONS)}
    service = SERVICES[number % len(SERVICES)]
    found = {"service": service, "region": NOWHERE if number % 13 == 12 else random.choice(REGIONS)}
    return found | {"scope": "all"} if number % 9 == 8 else found


CELLS = (
    *(Cell(service, region) for service in SERVICES for region in (None, *REGIONS)),
    Cell("platform"), Cell("edge"), Cell("platform", "eu"), Cell("nothing", "eu"),
)  # fmt: skip
"""Cells that filters and questions name: of leaves, of groups, and some that do not exist."""
