"""A table of broken files with what is said about each; ``PAGE`` is line 1 of most of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery.channels.registry import CHANNEL_OF_NAME
from producers.sources.registry import KIND_OF_NAME
from tocsin.config import Config, ConfigError, parse

PAGE = 'page: {id: acme, name: Acme, url: "https://status.acme.example"}\n'
REGIONS = "regions: [{id: eu, name: Europe}, {id: us, name: United States}]\n"
ID = "an id (a-z, 0-9, _ and -; at most 64; a letter or digit first)"
STATUS = (
    "a status (operational, degraded_performance, partial_outage, major_outage), "
    "or one for each severity (critical, error, warning, info, unknown)"
)
SECRET = "a secret of 8 to 256 printable ASCII characters without spaces"
KINDS = ", ".join(KIND_OF_NAME)
VARIABLES = "alert, component, duration, labels, next_update, region, regions"
CHANNELS = ", ".join(CHANNEL_OF_NAME)
SECTIONS = "page, regions, components, sources, rules, templates, updates, channels, delivery, operators, engine"
TEMPLATE = "templates: {down: {title: Down, investigating: Down, resolved: Up}}\n"
HALF_INTERNAL = (
    "components: [{id: platform, name: P, components: ["
    "{id: api, name: API, audience: internal}, {id: web, name: Web}]}]\n"
)
COMPONENTS = "components: [{id: api, name: API, regions: [eu]}, {id: login, name: Login}]\n"


def rule(
    affects: str = "{component: api, region: eu}", rest: str = "status: major_outage, publish: auto, template: down"
) -> str:
    return (
        PAGE + REGIONS + COMPONENTS + TEMPLATE + f"rules:\n  - {{id: one, match: {{}}, affects: {affects}, {rest}}}\n"
    )


def components(text: str) -> str:
    return PAGE + REGIONS + "components:\n" + text


BROKEN: dict[str, tuple[str, list[str]]] = {
    # the file
    "empty": ("", ["1: expected a mapping of keys at the top, got nothing"]),
    "a list": ("- page\n", ["1: expected a mapping of keys at the top, got a list"]),
    "a word": ("page\n", ['1: expected a mapping of keys at the top, got "page"']),
    "not YAML": ("page: [\n", ["2: expected YAML: expected the node content, but found '<stream end>'"]),
    "a tab": ("page:\n\tid: x\n", ["2: expected YAML: found character '\\t' that cannot start any token"]),
    "a control character": ("page: 1\nx: '\x07'\n", ["2: expected YAML: special characters are not allowed"]),
    "two documents": (PAGE + "---\nb: 1\n", ["2: expected YAML: but found another document"]),
    "no such anchor": ("page: *acme\n", ["1: expected YAML: found undefined alias 'acme'"]),
    "a ring of aliases": ("page: &a [*a]\n", ["1: expected at most 50000 values and 40 levels, aliases included"]),
    "billion laughs": (
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{after}: &{after} [{','.join([f'*{one}'] * 9)}]\n" for one, after in zip("abcdefgh", "bcdefghi", strict=True)),
        ["1: expected at most 50000 values and 40 levels, aliases included"],
    ),
    "deep nesting": ("page: " + "[" * 9000 + "]" * 9000, ["1: expected at most 40 levels of nesting"]),
    "a Python object": (
        "page: !!python/object:os.system {}\n",
        ["1: page: expected plain YAML, got the tag tag:yaml.org,2002:python/object:os.system"],
    ),
    # keys
    "a key twice": (
        'page:\n  id: acme\n  name: Acme\n  url: "https://status.acme.example"\n  id: other\n',
        ["5: page.id: expected each key once, got it on line 2 too"],
    ),
    "a key that is a number": (PAGE + "7: x\n", ['2: expected a key that is text (in quotes, if need be), got "7"']),
    "an unknown section": (
        PAGE + "region: []\n",
        [f'2: region: is not a setting: expected one of {SECTIONS}; did you mean "regions"?'],
    ),
    "an unknown key": (
        PAGE + "regions:\n  - {id: eu, nme: Europe}\n",
        [
            "3: regions[0].name: is missing: expected one line of text of 1 to 200 characters",
            '3: regions[0].nme: is not a setting: expected one of id, name; did you mean "name"?',
        ],
    ),
    "no page": ("regions: []\n", ["1: page: is missing: expected a mapping of keys"]),
    "a section of the wrong shape": (PAGE + "regions: eu\n", ["2: regions: expected a list, each a mapping of keys, got text"]),
    "items of the wrong shape": (PAGE + "regions: [eu, 5]\n", [
        "2: regions[0]: expected a mapping of keys, got text", "2: regions[1]: expected a mapping of keys, got 5",
    ]),
    "templates in a list": (PAGE + "templates: [{}]\n", ["2: templates: expected a mapping of keys, got a list"]),
    # single values
    "an id in capitals": (PAGE + "regions: [{id: EU, name: Europe}]\n", [f'2: regions[0].id: expected {ID}, got "EU"']),
    "a number for a name": (
        PAGE + "regions: [{id: eu, name: 5}]\n",
        ["2: regions[0].name: expected one line of text of 1 to 200 characters, got 5 (put it in quotes)"],
    ),
    "a page full of mistakes": (
        "page:\n  id: acme\n  name: ''\n  url: status.acme.example/\n"
         "  timezone: Europe/Berln\n  partial_weight: 2\n  maintenance_indicator: maybe\n  support_url: ftp://acme.example\n",
        [
            '3: page.name: expected one line of text of 1 to 200 characters, got ""',
            '4: page.url: expected an absolute http or https URL without user, query and fragment, got "status.acme.example/"',
            '5: page.timezone: expected a time zone such as Europe/Berlin, got "Europe/Berln"; did you mean "Europe/Berlin"?',
            "6: page.partial_weight: expected a number from 0 to 1, got 2",
            '7: page.maintenance_indicator: expected true or false, got "maybe"',
            '8: page.support_url: expected an absolute http or https URL, or mailto:, got "ftp://acme.example"',
        ],
    ),
    "a duration without a unit": (
        PAGE + "updates: {every: 30, remind: [ops@acme]}\n",
        [
            "2: updates.every: expected a duration such as 90s, 5m, 1h30m or 2d, at most 366d, got 30",
            '2: updates.remind[0]: expected an email address, got "ops@acme"',
        ],
    ),
    "channels": (
        PAGE + "channels:\n  email: {via: 'http://u:hunter22@x', from: nobody, connections: true}\n"
        "  webhook: {allow_networks: [10.0.0.1/8]}\n  xylograph: {}\n",
        [
            "3: channels.email.via: expected a URL: smtp://host[:port], smtps:// or smtp+starttls://[user:password@]host[:port]",
            '3: channels.email.from: expected an email address, with a name if you like: Acme <status@acme.example>, got "nobody"',
            "3: channels.email.connections: expected a whole number from 1 to 1000, got true",
            '4: channels.webhook.allow_networks[0]: expected an IP network such as 10.0.0.0/8, got "10.0.0.1/8"',
            f"5: channels.xylograph: is not a setting: expected one of {CHANNELS}",
        ],
    ),
    "a role": (
        PAGE + "operators: [{name: ops, role: approve, token: long-enough}]\n",
        ['2: operators[0].role: expected one of viewer, operator, approver, admin, got "approve"; did you mean "approver"?'],
    ),
    # secrets
    "tokens": (
        PAGE + "sources:\n"
        "  - {id: a, kind: generic, token: short}\n"
        "  - {id: b, kind: generic}\n"
        "  - {id: c, kind: generc, token: one-secret}\n"
        "  - {id: d, kind: generic, token: two-secret, tokens: [one-secret, two words, 12345678]}\n"
        "  - {id: e, kind: generic, token: two-secret, tokens: [three-secret]}\n"
        "operators: [{name: ops, role: admin, token: one-secret}]\n",
        [
            f"3: sources[0].token: expected {SECRET}",
            "4: sources[1]: expected either token or tokens",
            f'5: sources[2].kind: expected one of {KINDS}, got "generc"; did you mean "generic"?',
            f"6: sources[3].tokens[1]: expected {SECRET}",
            f"6: sources[3].tokens[2]: expected {SECRET}",
            "6: sources[3].tokens[0]: expected a secret of its own, unlike sources[2].token",
            "7: sources[4].token: expected a secret of its own, unlike sources[3].token",
            "7: sources[4]: expected either token or tokens",
            "8: operators[0].token: expected a secret of its own, unlike sources[2].token",
        ],
    ),
    # between items
    "ids twice": (
        PAGE + "regions: [{id: eu, name: A}, {id: eu, name: B}]\n"
        "components: [{id: api, name: A, components: [{id: web, name: B}]}, {id: web, name: C}]\n",
        [
            '2: regions[1].id: expected an id of its own, unlike regions[0].id, got "eu"',
            '3: components[1].id: expected an id of its own, unlike components[0].components[0].id, got "web"',
        ],
    ),
    "regions of components": (
        components("  - {id: g, name: G, regions: [eu], components: [{id: api, name: A, regions: [us, us, uss]}]}\n"),
        [
            '4: components[0].components[0].regions[2]: expected the id of a region: eu, us, got "uss"; did you mean "us"?',
            "4: components[0].regions: expected no regions on a group: its components have them",
            '4: components[0].components[0].regions[1]: expected each region once, got "us"',
        ],
    ),
    "a rule that names what is not there": (
        rule("{component: apii, region: eu}", "status: major, publish: later, template: dwn").replace("{}", "{source: prom}"),
        [
            f'6: rules[0].status: expected {STATUS}, got "major"; did you mean "major_outage"?',
            '6: rules[0].publish: expected auto, approve or {after: duration}, e.g. {after: 5m}, got "later"',
            '6: rules[0].match.source: expected the id of a source: there is none, got "prom"',
            '6: rules[0].affects.component: expected the id of a component: api, login, got "apii"; did you mean "api"?',
            '6: rules[0].template: expected the id of a template: down, got "dwn"; did you mean "down"?',
        ],
    ),
    "a rule's words": (
        rule(rest="status: {critial: major_outage, error: bad}, publish: {after: soon}, template: down"),
        [
            f'6: rules[0].status: expected {STATUS}, got the key "critial"',
            "6: rules[0].status.error: expected one of operational, degraded_performance, partial_outage, major_outage, "
             'got "bad"',
            '6: rules[0].publish.after: expected a duration such as 90s, 5m, 1h30m or 2d, at most 366d, got "soon"',
        ],
    ),
    "maintenance by an alert": (
        rule(rest="status: under_maintenance, publish: auto, template: down"),
        [f'6: rules[0].status: expected {STATUS}, got "under_maintenance"'],
    ),
    "a label that is a number": (
        rule().replace("match: {}", "match: {labels: {code: 500}}"),
        ["6: rules[0].match.labels.code: expected text, got 500 (put it in quotes)"],
    ),
    "a region elsewhere": (
        rule("{component: api, region: us}"),
        ['6: rules[0].affects.region: expected a region of api (eu) or a template, got "us"; did you mean "eu"?'],
    ),
    "a region of what has none": (
        rule("{component: login, region: eu}"),
        ["6: rules[0].affects.region: expected no region, since login has none"],
    ),
    "a rule for a group with something internal": (
        rule().replace(COMPONENTS, HALF_INTERNAL).replace("{component: api, region: eu}", "{component: platform}"),
        ['6: rules[0].affects.component: expected no group in which something is internal (api), got "platform"'],
    ),
    "an audience that there is not": (
        PAGE + "components: [{id: api, name: API, audience: staff}]\n",
        ['2: components[0].audience: expected one of public, internal, got "staff"'],
    ),
    "a region's template": (
        rule('{component: api, region: "{{ label.region }}"}'),
        ['6: rules[0].affects.region: expected only the variables labels, got "label"; did you mean "labels"?'],
    ),
    "templates": (
        PAGE + "templates:\n  Bad:\n"
        '    title: "{{ regin }} {{ region.nmae }}"\n'
        '    investigating: "{% if region %}"\n'
        '    identified: "{{ labels.x | shout }}"\n'
        "    monitoring: \"{% include 'x' %}\"\n",
        [
            f'3: templates.Bad: expected {ID}, got the key "Bad"',
            "3: templates.Bad.resolved: is missing: expected a template of 1 to 20000 characters",
            f'4: templates.Bad.title: expected only the variables {VARIABLES}, got "regin"; did you mean "region"?',
            '4: templates.Bad.title: expected only region.id and region.name, got "region.nmae"',
            "5: templates.Bad.investigating: expected a Jinja template, line 1 of it: Unexpected end of template. Jinja was "
             "looking for the following tags: 'elif' or 'else' or 'endif'. The innermost block that needs to be closed is 'if'.",
            "6: templates.Bad.identified: expected a Jinja template, line 1 of it: No filter named 'shout'.",
            "7: templates.Bad.monitoring: expected a Jinja template without include, import and extends",
        ],
    ),
}  # fmt: skip


def said_of(text: str, environment: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as error:
        parse(text.encode(), "tocsin.yaml", environment or {})
    return str(error.value).splitlines()


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_explained(name: str) -> None:
    text, expected = BROKEN[name]
    assert said_of(text) == [f"tocsin.yaml:{line} (from the file)" for line in expected]


def test_the_rule_that_the_broken_ones_come_from_is_right() -> None:
    assert parse(rule().encode(), "tocsin.yaml", {}).rules[0].id == "one"


def test_what_came_from_the_environment_is_named_and_never_shown() -> None:
    text = 'page:\n  id: "${ID}"\n  name: "${NAME:-}"\n  url: "${URL:-nope}"\n  timezone: "${ZONE}"\n  support_url: "a${"\n'
    said = said_of(text, {"ZONE": "hunter22"})
    assert said == [
        "tocsin.yaml:2: page.id: expected environment variable ID to be set, or a default: ${ID:-default} (from the file)",
        "tocsin.yaml:3: page.name: expected one line of text of 1 to 200 characters (from the default of ${NAME})",
        "tocsin.yaml:4: page.url: expected an absolute http or https URL without user, query and fragment "
        "(from the default of ${URL})",
        "tocsin.yaml:5: page.timezone: expected a time zone such as Europe/Berlin (from environment variable ZONE)",
        "tocsin.yaml:6: page.support_url: expected ${NAME} or ${NAME:-default} ($${ stands for a plain ${) (from the file)",
    ]


def test_a_missing_secret_is_named_with_its_key() -> None:
    text = PAGE + 'sources:\n  - {id: prom, kind: generic, token: "${PROM_TOKEN}"}\n'
    assert said_of(text) == [
        "tocsin.yaml:3: sources[0].token: expected environment variable PROM_TOKEN to be set, or a default: "
        "${PROM_TOKEN:-default} (from the file)"
    ]


@pytest.mark.parametrize("secret", ["hunter2", "hunter2 hunter2", "hünter22", "hunter22\n"])
def test_a_secret_is_not_repeated(secret: str) -> None:
    for text in ("sources: [{id: a, kind: generic, token: %s}]", "operators: [{name: a, role: admin, token: %s}]",
                 "sources: [%s]", "sources: [{id: a, kind: generic, tokens: %s}]"):  # fmt: skip
        quoted = '"' + secret.replace("\n", "\\n") + '"'
        assert "nter2" not in "".join(said_of(PAGE + text.replace("%s", quoted)))


def test_anchors_merges_and_plain_words_are_read() -> None:
    text = PAGE + (
        "regions: [{id: no, name: Norway}, {id: off, name: '$${OFF}'}]\n"
        "components:\n"
        "  - &api {id: api, name: API, regions: [no], slo: 99.9}\n"
        "  - {<<: *api, id: web, description: }\n"
        "operators:\n"
    )
    config = parse(text.encode(), "tocsin.yaml", {})
    assert [region.id for region in config.regions] == ["no", "off"]
    assert config.regions[1].name == "${OFF}"
    assert (config.components[1].id, config.components[1].name, config.components[1].slo) == ("web", "API", 99.9)
    assert config.operators == ()


def test_a_number_may_come_from_the_environment() -> None:
    text = PAGE.replace("}\n", ', partial_weight: "${WEIGHT}", maintenance_indicator: "${SHOWN:-false}"}\n')
    page = parse(text.encode(), "tocsin.yaml", {"WEIGHT": "0.5"}).page
    assert (page.partial_weight, page.maintenance_indicator) == (0.5, False)


def test_bytes_that_are_no_text_and_files_without_end_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"^tocsin.yaml:2: expected UTF-8 \(from the file\)$"):
        parse(b"page:\n  name: \xff\n", "tocsin.yaml", {})
    with pytest.raises(ConfigError, match=r"^tocsin.yaml: expected at most 1048576 bytes$"):
        parse(b"#" * 1_048_577, "tocsin.yaml", {})


JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.sampled_from(["eu", "${X}", "5m"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["id", "name", "token", "regions", "components", "match", "affects", "after", "email", "x"]),
        inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from([*Config.model_fields, "x"]), JUNK))
def test_junk_is_explained_and_never_more_than_that(data: dict[str, object]) -> None:
    import yaml

    for line in said_of(yaml.safe_dump(data)):
        assert line.startswith("tocsin.yaml:")
