"""The manifests against the API of Kubernetes, the real command line, the settings and the real kustomize."""

import json
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from schemas.topics import DEFAULT_PARTITIONS
from streams.keys.master import MASTER_VARIABLE
from streams.runtime.faust_driver import GROUP
from tests.deploy.command_line import parse
from tests.deploy.test_compose import ROLES
from tests.deploy.test_monitoring import exported
from tests.parts.need import need
from tocsin import __version__
from tocsin.config.loader import ENGINE_VARIABLES, load

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
SCHEMAS = Path(__file__).parent / "schemas"
API = json.loads((SCHEMAS / "kubernetes-1.35.json").read_text("utf-8"))
SCALED = json.loads((SCHEMAS / "keda-2.18-scaledobject.json").read_text("utf-8"))
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text("utf-8"))
TRIGGERS = {
    "kafka": {"bootstrapServers", "consumerGroup", "lagThreshold", "offsetResetPolicy"},
    "prometheus": {"serverAddress", "query", "threshold"},
}
"""What KEDA's scalers of these names read, as far as it is used here."""


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text("utf-8")))


MANIFESTS = [
    document
    for path in sorted(FOLDER.glob("*.yaml"))
    if path.name not in {"kustomization.yaml", "tocsin.yaml"}
    for document in documents(path)
]
SECRET = documents(FOLDER / "secret.example.yaml")[0]


def name_of(manifest: dict[str, Any]) -> str:
    return f"{manifest['kind']}-{manifest['metadata']['name']}"


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each for each in MANIFESTS if each["kind"] == kind}


DEPLOYMENTS = of_kind("Deployment")


def pod(name: str) -> dict[str, Any]:
    template: dict[str, Any] = DEPLOYMENTS[name]["spec"]["template"]
    return template


def container(name: str) -> dict[str, Any]:
    [only] = pod(name)["spec"]["containers"]
    found: dict[str, Any] = only
    return found


@cache
def validator(kind: str) -> Any:
    if kind == "keda.sh/v1alpha1 ScaledObject":
        return jsonschema_rs.validator_for(SCALED)
    return jsonschema_rs.validator_for(API["kinds"][kind] | {"$defs": API["$defs"], "$schema": API["$schema"]})


def validate(manifest: dict[str, Any]) -> None:
    validator(f"{manifest['apiVersion']} {manifest['kind']}").validate(manifest)


@pytest.mark.parametrize("manifest", MANIFESTS, ids=name_of)
def test_a_manifest_is_what_kubernetes_takes(manifest: dict[str, Any]) -> None:
    validate(manifest)


@pytest.mark.parametrize("manifest", [each for each in MANIFESTS if "spec" in each], ids=name_of)
def test_the_schema_would_notice_a_mistyped_name(manifest: dict[str, Any]) -> None:
    with pytest.raises(jsonschema_rs.ValidationError):
        validate(manifest | {"spec": manifest["spec"] | {"replcas": 2}})


def test_kustomize_builds_it_and_every_role_reads_the_configuration_of_its_name() -> None:
    done = subprocess.run([need("kubectl"), "kustomize", FOLDER], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    built = list(yaml.safe_load_all(done.stdout))
    for manifest in built:
        validate(manifest)
    assert {each["metadata"].get("namespace", "tocsin") for each in built} == {KUSTOMIZATION["namespace"]}
    [config] = [each["metadata"]["name"] for each in built if each["kind"] == "ConfigMap"]
    assert config.startswith("tocsin-")
    pods = [each["spec"]["template"]["spec"] for each in built if each["kind"] == "Deployment"]
    assert {volume["configMap"]["name"] for each in pods for volume in each["volumes"] if "configMap" in volume} == {
        config
    }
    assert {each["containers"][0]["image"] for each in pods} == {f"registry.example/tocsin:{__version__}"}


def test_everything_but_the_secret_and_what_needs_keda_is_built() -> None:
    there = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    applied = {*KUSTOMIZATION["resources"], *KUSTOMIZATION["configMapGenerator"][0]["files"]}
    assert there - applied == {"secret.example.yaml", "scaled-objects.yaml"}


def test_the_roles_are_those_of_the_composition() -> None:
    assert set(DEPLOYMENTS) == set(ROLES)


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_role_runs_a_command_that_exists_where_its_probes_and_its_service_ask(name: str) -> None:
    args = container(name)["args"]
    command, given = parse(args)
    assert args == ROLES[name]["command"]
    assert command.startswith("worker ")
    [port] = container(name)["ports"]
    assert given["port"] == port["containerPort"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container(name)[probe]["httpGet"]["port"] == port["name"]
    assert pod(name)["metadata"]["annotations"]["prometheus.io/port"] == str(given["port"])


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_who_is_slow_is_not_killed_for_it(name: str) -> None:
    asked = {
        probe: container(name)[f"{probe}Probe"]["httpGet"]["path"] for probe in ("startup", "readiness", "liveness")
    }
    assert asked["liveness"] == "/healthz"
    # Somebody looks at the age of what is not folded: before the first request where there are any, else always.
    assert (asked["startup"] if name == "api" else asked["readiness"]) == "/readyz"


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_role_may_do_nothing_but_its_work(name: str) -> None:
    spec, own = pod(name)["spec"], container(name)
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    [user] = re.findall(r"^USER (\d+):", (ROOT / "deploy" / "docker" / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    assert spec["securityContext"]["runAsUser"] == int(user)
    assert own["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert "memory" in own["resources"]["limits"]
    assert {mount["name"] for mount in own["volumeMounts"]} == {volume["name"] for volume in spec["volumes"]}


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_role_has_the_time_to_drain_that_the_composition_gives_it(name: str) -> None:
    assert f"{pod(name)['spec']['terminationGracePeriodSeconds']}s" == ROLES[name]["stop_grace_period"]


@pytest.mark.parametrize("kind", ["Service", "PodDisruptionBudget", "Deployment"])
def test_a_selector_finds_the_pods_that_are_meant(kind: str) -> None:
    for name, manifest in of_kind(kind).items():
        selector = manifest["spec"]["selector"]
        wanted = selector.get("matchLabels", selector)
        found = {each for each in DEPLOYMENTS if wanted.items() <= pod(each)["metadata"]["labels"].items()}
        assert found == {name}


def test_every_role_has_a_budget_for_disruptions() -> None:
    assert set(of_kind("PodDisruptionBudget")) == set(DEPLOYMENTS)


# --- the configuration and the secret ---


def test_the_configuration_is_whole_with_the_secret_and_asks_for_all_of_it() -> None:
    values = {name: f"{name.lower()}-secret" for name in SECRET["stringData"]}
    values |= {MASTER_VARIABLE: "5e" * 32, "TOCSIN_REDIS": "redis://redis:6379/0", "SMTP_URL": "smtp://mail:25"}
    config = load(FOLDER / "tocsin.yaml", values)
    assert config.engine is not None
    read = set(re.findall(r"\$\{(\w+)\}", (FOLDER / "tocsin.yaml").read_text("utf-8")))
    assert set(SECRET["stringData"]) == read | {MASTER_VARIABLE}
    assert read & set(ENGINE_VARIABLES.values()) == {"TOCSIN_REDIS"}


def test_the_secret_is_empty_and_is_the_one_that_roles_read() -> None:
    assert set(SECRET["stringData"].values()) == {""}
    assert {container(name)["envFrom"][0]["secretRef"]["name"] for name in DEPLOYMENTS} == {SECRET["metadata"]["name"]}


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_the_configuration_is_where_the_command_looks(name: str) -> None:
    _, given = parse(container(name)["args"])
    [folder] = [mount["mountPath"] for mount in container(name)["volumeMounts"] if mount["name"] == "config"]
    [file] = KUSTOMIZATION["configMapGenerator"][0]["files"]
    assert str(given["config"]) == f"{folder}/{file}"


# --- growing with the work ---


def test_what_grows_is_there_and_has_no_number_of_its_own() -> None:
    for name, scaler in of_kind("HorizontalPodAutoscaler").items():
        assert scaler["spec"]["scaleTargetRef"]["name"] == name
        assert "replicas" not in DEPLOYMENTS[name]["spec"]
    for name, scaler in of_kind("ScaledObject").items():
        assert scaler["spec"]["scaleTargetRef"]["name"] == name
        assert name in DEPLOYMENTS
        assert scaler["spec"]["minReplicaCount"] >= 1
    assert not set(of_kind("HorizontalPodAutoscaler")) & set(of_kind("ScaledObject"))


def test_the_folds_grow_by_the_lag_of_their_group_and_not_beyond_their_partitions() -> None:
    spec = of_kind("ScaledObject")["streams"]["spec"]
    [trigger] = spec["triggers"]
    engine = yaml.safe_load((FOLDER / "tocsin.yaml").read_text("utf-8"))["engine"]
    assert trigger["metadata"]["consumerGroup"] == engine.get("namespace", "") + GROUP
    assert trigger["metadata"]["bootstrapServers"] == engine["kafka"]
    assert spec["maxReplicaCount"] == DEFAULT_PARTITIONS


def test_a_trigger_says_what_its_scaler_reads() -> None:
    for scaler in of_kind("ScaledObject").values():
        for trigger in scaler["spec"]["triggers"]:
            assert set(trigger["metadata"]) == TRIGGERS[trigger["type"]]
            metrics = re.findall(r"\btocsin_\w+", trigger["metadata"].get("query", ""))
            assert set(metrics) <= set(exported())
