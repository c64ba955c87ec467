"""Which rule an alert falls under, and where it leads: the first match decides, even where it leads nowhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.events import ComponentDefined, EpisodeOpened, Rule
from schemas.vocabulary import CellStatus, Publish, Severity
from streams.domain.model import Component
from streams.domain.routing import Layout, Routed, Rulebook, Unrouted, route
from streams.domain.tree import Tree
from tests.builders import views

LAYOUT = Layout({each.definition.component: each.definition for each in views.ACME})
RULE = Rule(
    "r", "prom", {"service": "api"}, "api", "{{ labels.region }}",
    {"critical": CellStatus.MAJOR_OUTAGE, "warning": CellStatus.DEGRADED}, Publish.AUTO, 0, "t",
)  # fmt: skip


def alarm(source: str = "prom", severity: Severity = Severity.CRITICAL, **labels: str) -> EpisodeOpened:
    return EpisodeOpened(
        "e", source, "f", severity, 0, "title", {"service": "api", "region": "eu"} | labels, {}, "", False
    )


def led(rule: Rule, *rest: Rule, by: EpisodeOpened | None = None) -> list[str] | str:
    """Return the cells that are affected, or why nobody is told."""
    match route(Rulebook([rule, *rest]), LAYOUT, alarm() if by is None else by):
        case Routed(cells=cells):
            return [cell.key for cell in cells]
        case Unrouted(reason=reason):
            return reason


OTHER = replace(RULE, id="other", component="login", region=None)
HOSTILE = "{{ ''.__class__.__mro__[1].__subclasses__() }}"

TABLE = {
    "the labels match": (led(RULE), ["api/eu"]),
    "further labels do not matter": (led(RULE, by=alarm(pod="api-7")), ["api/eu"]),
    "another source": (led(RULE, by=alarm("ping")), "no rule matches"),
    "any source": (led(replace(RULE, source=None), by=alarm("ping")), ["api/eu"]),
    "another label": (led(RULE, by=alarm(service="web")), "no rule matches"),
    "no labels to match": (led(replace(RULE, labels={}), by=alarm(service="web")), ["api/eu"]),
    "the first match decides": (led(RULE, OTHER), ["api/eu"]),
    "one that does not match is passed over": (led(replace(RULE, source="x"), OTHER), ["login"]),
    "the first decides even where it leads nowhere": (
        led(RULE, OTHER, by=alarm(region="mars")), "rule r leads to the region 'mars', where api does not run",
    ),
    "the first decides even without a status": (
        led(RULE, OTHER, by=alarm(severity=Severity.INFO)), "rule r has no status for the severity info",
    ),
    "a status for every severity": (
        led(replace(RULE, status={"*": CellStatus.DEGRADED}), by=alarm(severity=Severity.UNKNOWN)), ["api/eu"],
    ),
    "operational is no trouble": (
        led(replace(RULE, status={"critical": CellStatus.OPERATIONAL})), "rule r has no status for the severity critical",
    ),
    "maintenance is no trouble": (
        led(replace(RULE, status={"critical": CellStatus.MAINTENANCE})), "rule r has no status for the severity critical",
    ),
    "an unknown component": (
        led(replace(RULE, component="fax")), "rule r leads to the component 'fax', which the page does not have",
    ),
    "a component by label": (led(replace(RULE, component="{{ labels.service }}"), by=alarm()), ["api/eu"]),
    "a component by a label that is missing": (
        led(replace(RULE, component="{{ labels.nothing }}")), "rule r leads to the component '', which the page does not have",
    ),
    "no region means all of them": (led(replace(RULE, region=None)), ["api/eu", "api/us", "api/ap"]),
    "a fixed region": (led(replace(RULE, region="us")), ["api/us"]),
    "a region by a label that is missing": (
        led(replace(RULE, region="{{ labels.zone }}")), "rule r leads to the region '', where api does not run",
    ),
    "a region made of a label": (led(replace(RULE, region="{{ labels.region[:2] }}"), by=alarm(region="eu-west-1")), ["api/eu"]),
    "a region for a component without regions": (
        led(replace(RULE, component="login")), "rule r leads to the region 'eu', where login does not run",
    ),
    "a component without regions": (led(OTHER), ["login"]),
    "a group is all below it": (led(replace(RULE, component="platform", region=None)), ["api/eu", "api/us", "api/ap", "web/eu", "web/us"]),
    "a group in one region": (led(replace(RULE, component="platform"), by=alarm(region="us")), ["api/us", "web/us"]),
    "a group in a region where only some of it runs": (led(replace(RULE, component="platform"), by=alarm(region="ap")), ["api/ap"]),
    "a label that is a template is text": (
        led(RULE, by=alarm(region=HOSTILE)), f"rule r leads to the region {HOSTILE!r}, where api does not run",
    ),
    "a label that is a template in a component": (
        led(replace(RULE, component="{{ labels.x }}"), by=alarm(x="{{ 7 * 7 }}")),
        "rule r leads to the component '{{ 7 * 7 }}', which the page does not have",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("got", "wanted"), TABLE.values(), ids=TABLE)
def test_table(got: list[str] | str, wanted: list[str] | str) -> None:
    assert got == wanted


@pytest.mark.parametrize(
    "source", ["{{ labels.region", "{{ labels.region | nope }}", "{{ 1 / 0 }}", "{{ labels.region.x.y }}"]
)
def test_a_template_that_cannot_be_filled_is_a_reason(source: str) -> None:
    found = led(replace(RULE, region=source))
    assert isinstance(found, str)
    assert found.startswith("rule r: the template cannot be filled")


NAMES = st.sampled_from("abcd")
TREES = st.dictionaries(NAMES, st.tuples(st.none() | NAMES, st.lists(st.sampled_from(["eu", "us"]), unique=True)))


@given(TREES, NAMES, st.none() | st.sampled_from(["eu", "us", "ap"]))
def test_every_tree_leads_somewhere_even_one_that_bites_its_tail(
    tree: dict[str, tuple[str | None, list[str]]], name: str, region: str | None
) -> None:
    definitions = {
        key: ComponentDefined(key, key, parent, 0, regions, None, False, "") for key, (parent, regions) in tree.items()
    }
    cells = Layout(definitions).cells(name, region)
    assert len(cells) == len(set(cells))
    assert all(region is None or cell.region == region for cell in cells)
    shown = Tree({key: Component(definition, 0, 0) for key, definition in definitions.items()})
    assert {cell.component for cell in cells} <= {leaf.definition.component for leaf in shown.leaves(None)}


WORDS = st.sampled_from(["api", "web", "eu"])
LABELS = st.dictionaries(st.sampled_from(["service", "region", "team"]), WORDS)
RULES = st.lists(
    st.builds(lambda labels, source: replace(RULE, labels=labels, source=source), LABELS, st.none() | st.just("prom"))
)


@given(RULES, LABELS, st.sampled_from(["prom", "ping"]))
def test_the_rulebook_finds_what_reading_the_rules_in_their_order_finds(
    rules: list[Rule], labels: dict[str, str], source: str
) -> None:
    numbered = [replace(rule, id=str(rank)) for rank, rule in enumerate(rules)]
    matching = [rule for rule in numbered if rule.source in (None, source) and rule.labels.items() <= labels.items()]
    asked = EpisodeOpened("e", source, "f", Severity.CRITICAL, 0, "title", labels, {}, "", False)
    assert Rulebook(numbered).first(asked) == (matching[0] if matching else None)
