from datetime import timedelta
from pathlib import Path

import pytest

from consumers.delivery.channels.email import EmailSettings
from consumers.delivery.settings import Secret
from schemas.events import SourceDefined, TemplateDefined
from schemas.vocabulary import CellStatus, Publish
from streams.domain.catalogue import Catalogue, difference
from tocsin.config import ConfigError, load, load_example, parse
from tocsin.config.catalogue import desired
from tocsin.config.describe import describe_all

ROOT = Path(__file__).parents[3]
PACKAGED = ROOT / "tocsin" / "data" / "example.yaml"
SHARED = ROOT.parent / "shared" / "example" / "tocsin.yaml"
EXAMPLES = [path for path in (PACKAGED, SHARED) if path.exists()]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_example_loads_unchanged(path: Path) -> None:
    config = load(path, {})
    assert path.read_bytes() == PACKAGED.read_bytes()
    assert config == load_example({})
    assert [component.id for component in config.components] == ["platform", "payments", "login", "maps"]
    assert config.updates.every == timedelta(minutes=30)


def test_the_environment_takes_the_place_of_defaults() -> None:
    config = load_example(
        {"PROM_TOKEN": "from-the-environment", "PAGE_URL": "https://status.acme.example/", "OPS_TOKEN": ""}
    )
    assert [secret.get_secret_value() for secret in config.sources[0].secrets] == ["from-the-environment"]
    assert config.operators[0].token.get_secret_value() == "ops-secret"
    assert config.page.url == "https://status.acme.example"


def test_no_secret_is_printed_or_leaves_for_the_log() -> None:
    mail = "smtps://acme:hunter22@mail.acme.example"
    config = load_example({"SMTP_URL": mail, "PROM_TOKEN": "from-the-environment"})
    email = config.channels["email"]
    assert isinstance(email, EmailSettings)
    assert email.via == Secret(mail)
    written = f"{config!r} {config} {config.model_dump()} {config.model_dump_json()} {desired(config)}"
    for secret in ("hunter22", "from-the-environment", "ping-secret", "ops-secret", "lead-secret"):
        assert secret not in written


def test_the_catalogue_says_what_the_file_says() -> None:
    catalogue = desired(load_example({}))
    assert catalogue.page is not None
    assert (catalogue.page.update_every, catalogue.page.partial_weight) == (1800, 0.3)
    api, web, payments = (catalogue.components[name] for name in ("api", "web", "payments"))
    assert (api.parent, api.position, api.regions, api.slo) == ("platform", 0, ["eu", "us", "ap"], 99.95)
    assert (web.position, payments.parent, payments.position) == (1, None, 1)
    assert catalogue.sources["ping"] == SourceDefined("ping", "pingdom")
    assert catalogue.templates["slow"] == TemplateDefined(
        "slow",
        "{{ component.name }} is slow{% if region %} in {{ region.name }}{% endif %}",
        {
            "investigating": "{{ component.name }} answers slowly. Your data is safe. "
            "We will write again by {{ next_update }}.",
            "resolved": "{{ component.name }} is back to its usual speed.",
        },
    )
    errors, slow, paid, checks = catalogue.rules.rules
    assert errors.status == {"critical": CellStatus.MAJOR_OUTAGE, "warning": CellStatus.DEGRADED}
    assert (errors.source, errors.labels, errors.region) == ("prom", {"service": "api"}, "{{ labels.region }}")
    assert (slow.publish, slow.delay, paid.publish, paid.delay) == (Publish.AFTER, 300, Publish.APPROVE, 0)
    assert (checks.status, checks.region, checks.labels) == ({"*": CellStatus.PARTIAL_OUTAGE}, None, {})


def test_loading_the_same_file_twice_changes_nothing() -> None:
    assert difference(desired(load_example({})), desired(load_example({"PROM_TOKEN": "another-token"}))) == []


def test_a_dry_run_says_what_changes() -> None:
    before = desired(load_example({}))
    assert describe_all(Catalogue(), difference(Catalogue(), before))[:4] == [
        "+ page (Acme Cloud)",
        "~ regions eu, us, ap",
        "+ component platform (Platform)",
        "+ component api (API)  in platform  regions eu, us, ap",
    ]
    text = PACKAGED.read_text("utf-8").replace("publish: {after: 5m}", "publish: {after: 10m}")
    text = text.replace("slo: 99.99", "slo: 99.9").replace(
        "  - {id: maps, name: Maps (by a partner), third_party: true}\n", ""
    )
    text = text.replace("  - {id: ap, name: Asia Pacific}\n", "").replace("regions: [eu, us, ap]", "regions: [eu, us]")
    text = text.replace("  slow:\n", "  slower:\n").replace("template: slow\n", "template: slower\n")
    after = desired(parse(text.encode(), "tocsin.yaml", {}))
    assert describe_all(before, difference(before, after)) == [
        "~ component api (API)  in platform  regions eu, us: regions changed",
        "~ component payments (Payments)  regions eu, us: slo changed",
        "+ template slower",
        "~ rules: web-slow, checks changed",
        "- template slow",
        "- component maps",
        "~ regions eu, us",
    ]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.yaml: cannot be read: No such file or directory"):
        load(tmp_path / "missing.yaml", {})
