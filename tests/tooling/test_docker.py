"""docker/ and deploy/compose.yaml: linted, valid, and of one mind with each other, with Prometheus and with k8s/."""

import json
import re
import shutil
import subprocess
import sys

import pytest
import repository
import yaml
from kustomize import K8S, with_address, workloads

DOCKERFILE = repository.ROOT / "docker" / "Dockerfile"
COMPOSE = repository.ROOT / "deploy" / "compose.yaml"
SERVERS = {"prompt-generator", "pair-generator", "training-coordinator", "edit-server", "gateway"}
TARGETS = SERVERS | {"training-worker", "cli"}


def stages():
    """Every stage's instructions: {name: {instruction: [arguments]}}, continued lines as one."""
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    found, stage = {}, None
    for line in filter(None, map(str.strip, text.splitlines())):
        instruction, _, arguments = line.partition(" ")
        if instruction == "FROM":
            base, _, name = arguments.split()
            stage = found[name] = {"FROM": [base]}
        elif stage is not None:
            stage.setdefault(instruction, []).append(" ".join(arguments.split()))
    return found


def inherited(name):
    """A target's stages of its own image, the last one last."""
    known, chain = stages(), []
    while name in known:
        chain.insert(0, known[name])
        name = known[name]["FROM"][0]
    return chain


def test_hadolint_has_no_complaint():
    hadolint = shutil.which("hadolint", path=f"{sys.prefix}/bin")
    done = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_a_target_a_service_of_one_builder():
    assert TARGETS <= set(stages())
    assert [name for name, stage in stages().items() if "cmake" in str(stage.get("RUN"))] == ["builder"]
    built = set(re.findall(r"\bip2p[\w-]*", next(r for r in stages()["builder"]["RUN"] if "cmake" in r)))
    for target in TARGETS:
        copied = {word.rsplit("/", 1)[1] for stage in inherited(target) for copy in stage.get("COPY", [])
                  for word in copy.split() if word.startswith("/out/bin/")}  # fmt: skip
        assert copied <= built, target
        program = json.loads(inherited(target)[-1]["ENTRYPOINT"][0])[0]
        assert program in copied | {"ip2p"}
        assert any(f"{program} --version" in run for run in inherited(target)[-1]["RUN"]), "a missing library shows"


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_images_end_as_a_user_without_rights_and_hold_no_builder(target):
    chain = inherited(target)
    users = [user for stage in chain for user in stage.get("USER", [])]
    assert users[-1] == "65532:65532"
    assert chain[0]["FROM"] == ["${RUN_BASE}"]
    for stage in chain:
        for copy in stage.get("COPY", []):
            assert copy.startswith("--from=programs /out/") or copy.startswith("docker/"), copy
        assert "ADD" not in stage


def health_of(target):
    (check,) = inherited(target)[-1]["HEALTHCHECK"]
    return check


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_health_is_asked_where_the_server_listens(target):
    chain = inherited(target)
    if target in ("training-worker", "cli"):
        assert health_of(target) == "NONE"
        return
    variables = dict(word.split("=", 1) for env in chain[-1]["ENV"] for word in env.split())
    port = variables["IP2P_LISTEN"].rsplit(":", 1)[1]
    command = json.loads(health_of(target).split("CMD", 1)[1])
    if target == "gateway":
        assert command == ["http-health", port, "/healthz"]
    else:
        assert command[:5] == ["env", "-i", "/opt/ip2p/bin/ip2p", "server", "health"]
        assert f"127.0.0.1:{port}" in command
        (ready,) = [w["spec"]["template"]["spec"]["containers"][0]["readinessProbe"] for w in workloads(K8S / "base" / target)]
        assert command[-1] == ready["grpc"]["service"]
    exposed = {word for ports in chain[-1]["EXPOSE"] for word in ports.split()}
    assert exposed == {value.rsplit(":", 1)[1] for name, value in variables.items() if name.endswith("LISTEN")}
    (service,) = with_address(K8S / "base" / target)
    assert exposed == {str(p["port"]) for p in service["spec"]["ports"]}


def test_the_context_holds_what_the_build_reads():
    kept = {line[1:] for line in (repository.ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert kept == {"CMakeLists.txt", "CMakePresets.json", "common", "deploy", "docker", "protos", "services", "tests"}
    assert all((repository.ROOT / name).exists() for name in kept)


# compose.yaml


def compose(*files):
    """The merged and checked configuration, by compose itself."""
    flags = [word for file in files for word in ("-f", file)]
    command = ["docker-compose", *map(str, flags), "config"]
    clean = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent"}
    done = subprocess.run(command, capture_output=True, text=True, env=clean)
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)


@pytest.fixture(scope="module")
def plain():
    return compose(COMPOSE)


def test_compose_accepts_both_forms(plain):
    gpu = compose(COMPOSE, COMPOSE.with_name("compose.gpu.yaml"))
    assert set(gpu["services"]) == set(plain["services"]) == SERVERS | {"cli", "prometheus", "grafana"}
    for name in ("pair-generator", "training-coordinator", "edit-server", "cli"):
        assert gpu["services"][name]["image"].endswith("-cuda")
        assert gpu["services"][name]["deploy"]["resources"]["reservations"]["devices"]


def test_services_are_built_from_targets(plain):
    for name in SERVERS | {"cli"}:
        service = plain["services"][name]
        target = service["build"]["target"]
        assert target in TARGETS and service["image"] == f"ip2p-{target}:0.1.0"
        assert (repository.ROOT / "docker" / "Dockerfile").samefile(f"{service['build']['context']}/docker/Dockerfile")


def test_services_are_confined(plain):
    for service in plain["services"].values():
        assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert not service.get("privileged") and "secrets" not in service.get("environment", {})


def test_ports_are_this_hosts_only(plain):
    for service in plain["services"].values():
        for port in service.get("ports", []):
            assert str(port if isinstance(port, str) else port["host_ip"]).startswith("127.0.0.1"), port


def test_only_the_prompt_generator_reaches_out(plain):
    networks = plain["networks"]
    assert networks["inside"]["internal"] is True
    assert networks["host"]["driver_opts"]["com.docker.network.bridge.enable_ip_masquerade"] == "false"
    outside = [name for name, service in plain["services"].items() if "outside" in service["networks"]]
    assert outside == ["prompt-generator"]


def test_prometheus_scrapes_where_images_listen(plain):
    config = yaml.safe_load((repository.ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    jobs = {job["job_name"]: job["dns_sd_configs"][0] for job in config["scrape_configs"] if "dns_sd_configs" in job}
    assert set(jobs) == SERVERS
    for name, found in jobs.items():
        variables = dict(w.split("=", 1) for env in inherited(name)[-1]["ENV"] for w in env.split())
        assert found["names"] == [name] and str(found["port"]) == variables["IP2P_METRICS_LISTEN"].split(":")[1]
    assert "inside" in plain["services"]["prometheus"]["networks"]


def test_the_gateway_is_told_of_services_that_are_there(plain):
    for name, value in plain["services"]["gateway"]["environment"].items():
        if name.endswith(("_SERVER", "_METRICS")):
            host, port = value.split(":")
            variables = " ".join(inherited(host)[-1]["ENV"])
            assert f":{port}" in variables, name


@pytest.mark.parametrize("name", sorted(SERVERS))
def test_variables_are_settings(plain, name):
    source = "".join(repository.text(f) for f in repository.sources(".cc", under=[f"services/{name.replace('-', '_')}/"]))
    own = {word.split("=")[0] for stage in inherited(name) for env in stage.get("ENV", []) for word in env.split()}
    for variable in set(plain["services"][name]["environment"]) | {v for v in own if v.startswith("IP2P_")}:
        setting = variable.removeprefix("IP2P_").lower()
        assert re.search(rf'Add\(\s*"{setting}"', source), variable


def test_grafana_finds_its_files(plain):
    mounted = {v.split(":")[1]: v.split(":")[0] for v in plain["services"]["grafana"]["volumes"]}
    provider = yaml.safe_load((repository.ROOT / "deploy/grafana/provisioning/dashboards/ip2p.yml").read_text())["providers"][0]
    assert provider["options"]["path"] in mounted
    source = (repository.ROOT / "deploy/grafana/provisioning/datasources/prometheus.yml").read_text()
    for variable in re.findall(r"\$\{(\w+)\}", source):
        assert variable in plain["services"]["grafana"]["environment"]
    assert plain["services"]["grafana"]["environment"]["IP2P_PROMETHEUS_URL"] == "http://prometheus:9090"
