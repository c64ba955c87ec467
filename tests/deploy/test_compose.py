"""docker-compose.yml against the Compose Specification, the real command line, the settings and the files it mounts."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema_rs
import pytest
import yaml

from deploy.kafka import jars
from deploy.redis.server import SETTINGS
from deploy.registry.archive import VERSION as REGISTRY_VERSION
from streams.keys.master import MASTER_VARIABLE
from tests.deploy.command_line import parse
from tests.deploy.composition import ROOT, MissingVariableError, example, read, variables
from tests.parts.need import need
from tocsin import __version__
from tocsin.config.loader import ENGINE_VARIABLES, load, load_example

SCHEMA = json.loads((Path(__file__).parent / "schemas" / "compose-spec.json").read_text("utf-8"))
FILLED = example() | {name: f"{name.lower()}-secret" for name, value in example().items() if not value}
FILLED |= {"TOCSIN_MASTER_KEY": "5e" * 32, "SMTP_URL": "smtp://mail.example:25"}
DOCUMENT = read(FILLED)
SERVICES: dict[str, dict[str, Any]] = DOCUMENT["services"]
ROLES = {name: service for name, service in SERVICES.items() if service["image"].startswith("tocsin:")}
OTHERS = {name: service for name, service in SERVICES.items() if name not in ROLES}


def mounts(service: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Each mount: what, where, and how."""
    for line in service.get("volumes", []):
        source, target, *options = line.split(":")
        yield source, target, ":".join(options)


def test_it_is_what_the_compose_specification_describes() -> None:
    jsonschema_rs.validator_for(SCHEMA).validate(DOCUMENT)


@pytest.mark.parametrize("wrong", [{"imag": "x"}, {"restart": 3}, {"depends_on": {"kafka": {"condition": 1}}}])
def test_the_specification_would_notice(wrong: dict[str, Any]) -> None:
    broken = DOCUMENT | {"services": SERVICES | {"api": ROLES["api"] | wrong}}
    assert not jsonschema_rs.validator_for(SCHEMA).is_valid(broken)


# --- the commands ---


@pytest.mark.parametrize("name", ROLES)
def test_a_role_runs_a_command_that_exists(name: str) -> None:
    command, given = parse(ROLES[name]["command"])
    assert command.split() == ["worker", *name.split("-")][: len(command.split())]
    assert (given["host"], given["port"]) == ("0.0.0.0", 8080)


def test_the_command_line_would_notice() -> None:
    with pytest.raises(Exception, match="No such option"):
        parse(["up", "--confg", "tocsin.yaml"])


def test_every_channel_has_a_sender() -> None:
    """That the example switches on; others are one service each, as docs/deploy.md says."""
    assert {f"delivery-{channel}" for channel in load_example({}).channels} == {
        name for name in ROLES if name.startswith("delivery-")
    }


@pytest.mark.parametrize("name", ROLES)
def test_a_role_reads_the_configuration_that_is_mounted(name: str) -> None:
    _, given = parse(ROLES[name]["command"])
    assert str(given["config"]) in {target for _, target, _ in mounts(ROLES[name])}


# --- the environment ---


def test_the_configuration_is_whole_with_what_a_role_is_given() -> None:
    for role in ROLES.values():
        [(source, _, _)] = mounts(role)
        config = load(ROOT / source, role["environment"])
        assert config.engine is not None
        assert config.engine.kafka == "kafka:9092"
        assert str(config.page.url).rstrip("/") == "http://127.0.0.1:8080"


def test_a_role_is_given_nothing_that_nobody_reads() -> None:
    read_by_code = {MASTER_VARIABLE, *ENGINE_VARIABLES.values()}
    for role in ROLES.values():
        [(source, _, _)] = mounts(role)
        lines = [line for line in (ROOT / source).read_text("utf-8").splitlines() if not line.startswith("#")]
        read_by_file = set(re.findall(r"\$\{(\w+)", "\n".join(lines)))
        assert set(role["environment"]) == read_by_code | read_by_file


def test_the_example_environment_names_what_is_read_and_no_more() -> None:
    assert set(example()) == set(variables())


@pytest.mark.parametrize("name", [name for name, how in variables().items() if how == ":?"])
def test_a_secret_is_asked_for_and_has_no_default(name: str) -> None:
    assert example()[name] == ""
    with pytest.raises(MissingVariableError, match=name):
        read(FILLED | {name: ""})


def test_every_secret_comes_from_the_environment() -> None:
    given = {name for service in SERVICES.values() for name in service.get("environment", {})}
    secret = {name for name in given if re.search("KEY|TOKEN|PASSWORD|SECRET", name)}
    required = {name for name, how in variables().items() if how == ":?"} | {"GF_SECURITY_ADMIN_PASSWORD"}
    assert secret <= required


def test_the_addresses_are_those_of_services() -> None:
    urls = [value for service in SERVICES.values() for value in service.get("environment", {}).values()]
    named = {host for value in urls for host in re.findall(r"(?:^|//)([a-z]+):\d+", str(value))}
    assert named <= set(SERVICES)
    assert {"kafka", "redis"} <= named


# --- what stands on what ---


def test_what_is_waited_for_can_be_healthy() -> None:
    for service in SERVICES.values():
        for awaited, how in service.get("depends_on", {}).items():
            assert how == {"condition": "service_healthy"}
            assert "healthcheck" in SERVICES[awaited]


def test_a_role_is_healthy_as_its_image_says() -> None:
    assert all("healthcheck" not in role for role in ROLES.values())
    assert "\nHEALTHCHECK " in (ROOT / "deploy" / "docker" / "Dockerfile").read_text("utf-8")
    assert all("healthcheck" in service for service in OTHERS.values())


def test_what_is_mounted_is_there() -> None:
    for service in SERVICES.values():
        for source, target, options in mounts(service):
            assert target.startswith("/")
            if source.startswith("."):
                assert (ROOT / source).exists()
                assert options == "ro"
            else:
                assert source in DOCUMENT["volumes"]


def test_every_volume_and_network_is_used() -> None:
    assert {
        source for service in SERVICES.values() for source, _, _ in mounts(service) if source[0] not in "./"
    } == set(DOCUMENT["volumes"])
    assert {network for service in SERVICES.values() for network in service["networks"]} == set(DOCUMENT["networks"])


def test_only_what_people_and_monitors_reach_is_published_and_on_this_machine_unless_told_otherwise() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(published) == {"api", "prometheus", "grafana"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    assert all("outside" in SERVICES[name]["networks"] for name in published)
    assert DOCUMENT["networks"]["inside"]["internal"] is True


# --- the images ---


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_is_pinned_and_runs_as_nobody_in_particular(name: str) -> None:
    service = SERVICES[name]
    assert re.search(r":v?\d+\.\d+\.\d+(-[a-z0-9]+)?$", service["image"])
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    # The registry's image names its own user, who is not root.
    assert name == "registry" or int(service["user"].split(":")[0]) > 0


@pytest.mark.parametrize("name", ROLES)
def test_a_role_cannot_write_but_into_its_tmp(name: str) -> None:
    assert ROLES[name]["read_only"] is True
    assert [entry.split(":")[0] for entry in ROLES[name]["tmpfs"]] == ["/tmp"]
    assert ROLES[name]["image"] == f"tocsin:{__version__}"
    build = ROLES[name]["build"]
    assert (ROOT / build["context"] / build["dockerfile"]).is_file()


def test_the_kafka_is_that_of_the_tests_with_the_settings_of_the_tests() -> None:
    properties = ET.parse(jars.POM).find("{*}properties")
    assert properties is not None
    version = properties.findtext("{*}kafka.version")
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{version}"
    [(source, target, _), _] = mounts(SERVICES["kafka"])
    assert (ROOT / source).resolve() == jars.HERE / "server.properties"
    assert target == "/mnt/shared/config/server.properties"


def test_the_redis_has_the_settings_of_the_tests() -> None:
    [(source, target, _), (_, data, _)] = mounts(SERVICES["redis"])
    assert (ROOT / source).resolve() == SETTINGS
    assert SERVICES["redis"]["command"][:2] == ["redis-server", target]
    assert SERVICES["redis"]["command"][-2:] == ["--dir", data]


def test_the_registry_is_that_of_the_tests() -> None:
    assert SERVICES["registry"]["image"] == f"apicurio/apicurio-registry:{REGISTRY_VERSION}"


# --- what watches ---


def test_prometheus_scrapes_every_role_and_misses_each_that_is_gone() -> None:
    settings = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text("utf-8"))
    [found] = [job["dns_sd_configs"][0] for job in settings["scrape_configs"] if job["job_name"] == "tocsin"]
    assert set(found["names"]) == set(ROLES)
    assert {parse(role["command"])[1]["port"] for role in ROLES.values()} == {found["port"]}
    rules = (ROOT / "deploy" / "prometheus" / "alerts-fleet.yml").read_text("utf-8")
    assert set(re.findall(r'absent\(up\{job="tocsin", role="([^"]+)"\}\)', rules)) == set(ROLES)


def test_grafana_finds_prometheus_and_the_dashboard() -> None:
    provisioning = ROOT / "deploy" / "grafana" / "provisioning"
    [source] = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text("utf-8"))["datasources"]
    assert source["url"] == "http://prometheus:9090"
    [provider] = yaml.safe_load((provisioning / "dashboards" / "tocsin.yml").read_text("utf-8"))["providers"]
    folders = {str(Path(target).parent) for _, target, _ in mounts(SERVICES["grafana"])}
    assert provider["options"]["path"] in folders


@pytest.mark.prometheus
def test_prometheus_knows_the_options_that_it_is_given() -> None:
    done = subprocess.run([need("prometheus"), "--help"], capture_output=True, text=True, check=False)
    known = set(re.findall(r"--[a-z][a-z.-]+", done.stdout + done.stderr))
    assert {option.split("=")[0] for option in SERVICES["prometheus"]["command"]} <= known
