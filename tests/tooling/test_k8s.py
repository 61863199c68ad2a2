"""The manifests of k8s/: they render, they are valid for their API, and they keep this project's rules."""

import collections
import copy
import ipaddress
import re
import subprocess
import sys

import kubernetes_validate
import pytest
import repository
import yaml
from kustomize import K8S, of_kind, pod_specs, render, with_address, workloads

BASES = sorted(path.parent for path in (K8S / "base").glob("*/kustomization.yaml"))
LOCAL, PROD, PROD_S3 = (K8S / "overlays" / name for name in ("local", "prod", "prod-s3"))
JOB_OF = {LOCAL: LOCAL / "pair-job", PROD: PROD / "pair-job", PROD_S3: PROD / "pair-job-s3"}
OVERLAYS, JOBS = list(JOB_OF), list(JOB_OF.values())
PAIR_JOB, COORDINATOR = K8S / "base" / "pair-job", K8S / "base" / "training-coordinator"
VERSIONS = ["1.33", "1.37"]  # backoffLimitPerIndex is stable since 1.33; the newest that the validator knows
OPERATOR = "monitoring.coreos.com/"  # kinds of the Prometheus operator, which the validator does not know
SERVICES = {"prompt-generator", "pair-generator", "training-coordinator", "edit-server", "gateway"}
PRIVATE = [ipaddress.ip_network(n)
           for n in ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")]  # fmt: skip
# From outside: Secrets that operators make.
SECRETS = {LOCAL: set(), PROD: {"openai-key", "ip2p-tokens"}, PROD_S3: {"openai-key", "ip2p-tokens", "object-store"}}
# Whose policies let them reach public addresses.
REACHING = {LOCAL: {"prompt-generator"}, PROD: {"prompt-generator"},
            PROD_S3: {"prompt-generator", "training-coordinator", "training-worker", "gateway", "pairs"}}  # fmt: skip


def name_of(folder):
    return str(folder.relative_to(K8S))


each_folder = pytest.mark.parametrize("folder", [*BASES, *OVERLAYS, *JOBS], ids=name_of)
each_overlay = pytest.mark.parametrize("overlay", OVERLAYS, ids=name_of)


def together(overlay):
    """An overlay's services and its job, which share claims and policies."""
    return [*render(overlay), *render(JOB_OF[overlay])]


def templates(overlay):
    return [d["spec"]["template"] for d in together(overlay) if "template" in d.get("spec", {})]


def test_there_are_manifests():
    assert {base.name for base in BASES} == SERVICES | {"shared", "monitoring", "pair-job"}


@pytest.mark.parametrize("version", VERSIONS)
@each_folder
def test_every_object_is_valid(folder, version):
    for document in render(folder):
        if not document["apiVersion"].startswith(OPERATOR):
            kubernetes_validate.validate(document, version, strict=True)


def test_the_validator_refuses_what_is_wrong():
    document = copy.deepcopy(of_kind(PAIR_JOB, "Job")[0])
    document["spec"]["backofLimitPerIndex"] = document["spec"].pop("backoffLimitPerIndex")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document, VERSIONS[0], strict=True)


@each_folder
def test_pods_are_confined(folder):
    """Beyond the restricted standard, which test_pod_security.py holds them to."""
    trusted = {subject["name"] for binding in of_kind(folder, "RoleBinding") for subject in binding["subjects"]}
    for spec in pod_specs(folder):
        # Only who was given a role has a token to use it with.
        assert spec["automountServiceAccountToken"] is (spec["serviceAccountName"] in trusted)
        assert spec["securityContext"]["runAsUser"] > 0
        for container in spec["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["resources"]["requests"].keys() >= {"cpu", "memory"}
            assert "memory" in container["resources"]["limits"]


@each_overlay
def test_everything_that_is_named_is_there(overlay):
    names = {(d["kind"], d["metadata"]["name"]) for d in together(overlay)}
    assert len(names) == len(together(overlay))
    for template in templates(overlay):
        spec = template["spec"]
        assert ("ServiceAccount", spec["serviceAccountName"]) in names
        for volume in spec["volumes"]:
            if claim := volume.get("persistentVolumeClaim"):
                assert ("PersistentVolumeClaim", claim["claimName"]) in names
        volumes = {volume["name"] for volume in spec["volumes"]}
        for container in spec["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} == volumes
            for source in container["envFrom"]:
                assert ("ConfigMap", source["configMapRef"]["name"]) in names


@each_overlay
def test_secrets_come_as_files(overlay):
    mounted = {v["secret"]["secretName"] for t in templates(overlay) for v in t["spec"]["volumes"] if "secret" in v}
    assert mounted == SECRETS[overlay]
    assert not of_kind(overlay, "Secret")
    for template in templates(overlay):
        for container in template["spec"]["containers"]:
            assert all("valueFrom" not in variable for variable in container.get("env", []))
        for volume in template["spec"]["volumes"]:
            assert volume.get("secret", {}).get("defaultMode", 0o440) == 0o440


@each_overlay
def test_a_promotion_is_told_to_every_edit_server(overlay):
    (pods,) = [d for d in of_kind(overlay, "Service") if d["spec"].get("clusterIP") == "None"]
    (known,) = [d for d in with_address(overlay) if d["metadata"]["name"] == "edit-server"]
    assert pods["spec"]["selector"] == known["spec"]["selector"]
    (settings,) = [d["data"] for d in of_kind(overlay, "ConfigMap") if "IP2P_EDIT_SERVER" in d.get("data", {})
                   and d["metadata"]["name"].startswith("training-coordinator")]  # fmt: skip
    (port,) = pods["spec"]["ports"]
    assert settings["IP2P_EDIT_SERVER"] == f"{pods['metadata']['name']}:{port['port']}"
    assert port in known["spec"]["ports"]


@each_overlay
def test_every_service_is_known_by_its_name(overlay):
    """To dashboards and alerts the Service's name is the job."""
    assert {d["metadata"]["name"] for d in with_address(overlay)} == SERVICES
    pods = {t["metadata"]["labels"]["app.kubernetes.io/name"]: t["spec"]["containers"][0] for t in templates(overlay)}
    for service in with_address(overlay):
        selected = pods[service["spec"]["selector"]["app.kubernetes.io/name"]]
        ports = {p["name"]: p["containerPort"] for p in selected["ports"]}
        assert {p["targetPort"]: p["port"] for p in service["spec"]["ports"]} == ports
        assert selected["image"].split(":")[0] == f"ip2p-{service['metadata']['name']}"
        assert re.fullmatch(r"0\.1\.0(-cuda)?", selected["image"].split(":")[1])


@each_overlay
def test_probes_ask_the_services_own_health(overlay):
    for workload in workloads(overlay):
        (container,) = workload["spec"]["template"]["spec"]["containers"]
        ready, alive, started = (container[probe] for probe in ("readinessProbe", "livenessProbe", "startupProbe"))
        if workload["metadata"]["name"] == "gateway":
            assert ready["httpGet"] == alive["httpGet"] == started["httpGet"]
            assert (ready["httpGet"]["path"], ready["httpGet"]["port"]) == ("/healthz", "http")
            names = set_variables(overlay, "gateway")[0].get("IP2P_ALLOWED_HOSTS")
            asked = [h["value"] for h in ready["httpGet"].get("httpHeaders", []) if h["name"] == "Host"]
            assert asked == ([names] if names else [])
            continue
        port = {p["name"]: p["containerPort"] for p in container["ports"]}["grpc"]
        assert alive["grpc"] == started["grpc"] == {"port": port}
        area, service = re.fullmatch(r"ip2p\.(\w+)\.v1\.(\w+)", ready["grpc"]["service"]).groups()
        protos = "".join(repository.text(n) for n in repository.sources(".proto", under=[f"protos/ip2p/{area}/"]))
        assert ready["grpc"]["port"] == port and f"service {service} " in protos


@each_overlay
def test_pods_leave_one_at_a_time(overlay):
    budgets = {d["metadata"]["name"]: d["spec"] for d in of_kind(overlay, "PodDisruptionBudget")}
    assert set(budgets) == SERVICES
    for workload in workloads(overlay):
        chosen = budgets[workload["metadata"]["name"]]
        assert chosen["maxUnavailable"] == 1 and chosen["selector"] == workload["spec"]["selector"]


# Who may speak to whom.


@each_overlay
def test_nobody_speaks_unless_told(overlay):
    (everybody,) = [p for p in of_kind(overlay, "NetworkPolicy") if not p["spec"]["podSelector"]]
    assert everybody["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    policies = [p for p in together(overlay) if p["kind"] == "NetworkPolicy"]
    for template in templates(overlay):
        chosen = [p for p in policies
                  if p["spec"]["podSelector"].get("matchLabels", {None: 0}).items() <= template["metadata"]["labels"].items()]
        assert any(set(p["spec"]["policyTypes"]) == {"Ingress", "Egress"} for p in chosen)


def leads_outside(rule):
    """Whether a rule of egress lets through to a public address."""
    if not rule.get("to"):
        return True
    blocks = [ipaddress.ip_network(peer["ipBlock"]["cidr"]) for peer in rule["to"] if "ipBlock" in peer]
    return not all(any(b.version == p.version and b.subnet_of(p) for p in PRIVATE) for b in blocks)


@each_overlay
def test_only_those_reach_out_who_must(overlay):
    reaching = {p["metadata"]["name"]: [r for r in p["spec"].get("egress", []) if leads_outside(r)]
                for p in together(overlay) if p["kind"] == "NetworkPolicy"}  # fmt: skip
    reaching = {name: rules for name, rules in reaching.items() if rules}
    assert set(reaching) == REACHING[overlay]
    for (rule,) in reaching.values():
        assert rule["ports"] == [{"port": 443}]
        excluded = [ipaddress.ip_network(n) for peer in rule["to"] for n in peer["ipBlock"]["except"]]
        for address in ("10.1.2.3", "172.20.0.1", "192.168.1.1", "169.254.169.254", "100.100.0.1", "fd00::1", "fe80::1"):
            address = ipaddress.ip_address(address)
            assert any(address in network for network in excluded if network.version == address.version)


@each_overlay
def test_the_gateway_may_call_what_it_is_told_of(overlay):
    """Its settings name HOST:PORT of services; policies at both ends let these through, and probes of nobody else."""
    (settings,) = [d for d in of_kind(overlay, "ConfigMap") if d["metadata"]["name"].startswith("gateway-settings")]
    policies = {p["metadata"]["name"]: p["spec"] for p in of_kind(overlay, "NetworkPolicy")}
    (labels,) = [t["metadata"]["labels"] for t in templates(overlay) if t["spec"]["serviceAccountName"] == "gateway"]
    (out,) = [r for r in policies["gateway"]["egress"] if any("matchExpressions" in p.get("podSelector", {}) for p in r["to"])]
    called = [value.split(":") for name, value in settings["data"].items() if name.endswith(("_SERVER", "_METRICS"))]
    assert len(called) == 8
    for host, port in called:
        assert {"port": int(port)} in out["ports"]
        assert f"ip2p-{host}" in out["to"][0]["podSelector"]["matchExpressions"][0]["values"]
        assert any(
            {"port": int(port)} in rule["ports"]
            and any(peer.get("podSelector", {}).get("matchLabels", {None: 0}).items() <= labels.items() for peer in rule["from"])
            for rule in policies[host]["ingress"]
        ), (host, port)


# Settings.


def programs_source(name):
    return "".join(repository.text(f) for f in repository.sources(".cc", under=[f"services/{name.replace('-', '_')}/"]))


def set_variables(overlay, name):
    (template,) = [t for t in templates(overlay) if t["spec"]["serviceAccountName"] == name]
    (container,) = template["spec"]["containers"]
    maps = {d["metadata"]["name"]: d["data"] for d in of_kind(overlay, "ConfigMap")}
    own = {v["name"]: v["value"] for v in container.get("env", [])}
    return maps[container["envFrom"][0]["configMapRef"]["name"]] | own, template["spec"], container


def stores_source():
    return "".join(repository.text(f"common/object_store/{name}.cc") for name in ("store_settings", "cache_folder"))


@pytest.mark.parametrize("name", sorted(SERVICES))
@each_overlay
def test_variables_are_settings(overlay, name):
    """A variable that nothing reads would be ignored in silence."""
    variables, _, _ = set_variables(overlay, name)
    source = programs_source(name)
    for variable in variables:
        setting = variable.removeprefix("IP2P_").lower()
        read = variable.startswith("IP2P_") and re.search(rf'Add\(\s*"{setting}"', source)
        assert read or f'"{variable}"' in stores_source(), variable


@pytest.mark.parametrize("name", sorted(SERVICES))
@each_overlay
def test_paths_and_ports_are_there(overlay, name):
    variables, spec, container = set_variables(overlay, name)
    mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
    ports = {port["containerPort"] for port in container["ports"]}
    for variable, value in variables.items():
        path = value.split("=")[-1]
        if path.startswith("/") and not path.startswith("/opt/ip2p/share/"):  # which is in the image
            assert any(path == m or path.startswith(m + "/") for m in mounted), variable
        if variable.endswith("LISTEN"):
            host, port = value.rsplit(":", 1)
            assert host == "0.0.0.0" and int(port) in ports
    drain = int(variables.get("IP2P_DRAIN_SECONDS", 10))
    assert drain < spec["terminationGracePeriodSeconds"]


# Monitoring.


def test_every_service_is_scraped():
    monitors = {d["metadata"]["name"]: d["spec"] for d in of_kind(PROD, "ServiceMonitor")}
    assert set(monitors) == SERVICES
    for service in with_address(PROD):
        monitor = monitors[service["metadata"]["name"]]
        assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        assert {e["port"] for e in monitor["endpoints"]} <= {p["name"] for p in service["spec"]["ports"]}


def test_rules_are_those_of_prometheus():
    script = K8S / "base" / "monitoring" / "make_rules.py"
    subprocess.run([sys.executable, "-B", script, "--check"], check=True)
    (rules,) = of_kind(PROD, "PrometheusRule")
    files = sorted((repository.ROOT / "deploy" / "prometheus" / "rules").glob("*.yml"))
    assert rules["spec"]["groups"] == [g for file in files for g in yaml.safe_load(file.read_text())["groups"]]


def test_dashboards_are_those_of_grafana():
    (shown,) = [d for d in of_kind(PROD, "ConfigMap") if d["metadata"]["name"] == "ip2p-dashboards"]
    assert shown["metadata"]["labels"]["grafana_dashboard"] == "1"
    folder = repository.ROOT / "deploy" / "grafana" / "dashboards"
    assert shown["data"] == {file.name: file.read_text() for file in folder.glob("*.json")}


def test_autoscalers_follow_recorded_figures():
    adapter = yaml.safe_load((PROD / "prometheus-adapter.yaml").read_text())["rules"]["external"]
    given = {rule["name"]["as"]: rule["seriesQuery"] for rule in adapter}
    (rules,) = of_kind(PROD, "PrometheusRule")
    recorded = {rule.get("record") for group in rules["spec"]["groups"] for rule in group["rules"]}
    assert set(given.values()) <= recorded
    scaled = collections.Counter()
    for scaler in of_kind(PROD, "HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        (workload,) = [w for w in workloads(PROD) if w["metadata"]["name"] == target["name"]]
        assert target["kind"] == workload["kind"] and "replicas" not in workload["spec"]
        (metric,) = scaler["spec"]["metrics"]
        assert metric["type"] == "External" and metric["external"]["metric"]["name"] in given
        scaled[target["name"]] += 1
    assert scaled == {"edit-server": 1, "pair-generator": 1}


# The pair job.


def test_the_pair_job_is_indexed_and_fails_by_index():
    (job,) = of_kind(PAIR_JOB, "Job")
    spec = job["spec"]
    assert spec["completionMode"] == "Indexed"
    assert spec["backoffLimitPerIndex"] >= 1
    (container,) = spec["template"]["spec"]["containers"]
    assert container["args"][0] == f"--n-partitions={spec['completions']}"
    first, second = spec["podFailurePolicy"]["rules"]
    assert first == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    assert second == {
        "action": "FailIndex",
        "onExitCodes": {"containerName": container["name"], "operator": "In", "values": [2, 42]},
    }
    assert spec["template"]["spec"]["restartPolicy"] == "Never"


@pytest.mark.parametrize("folder", [PAIR_JOB, *JOBS], ids=name_of)
def test_the_pair_jobs_variables_are_flags(folder):
    """A variable that no flag reads would be ignored in silence."""
    source = "".join(repository.text(f"services/cli/{name}.cc") for name in ("pairs_generate", "pairs_commands", "model_flags"))
    (settings,) = of_kind(folder, "ConfigMap")
    for name in settings["data"]:
        flag = "--" + name.removeprefix("IP2P_").lower().replace("_", "-")
        assert (name.startswith("IP2P_") and f'"{flag}"' in source) or f'"{name}"' in stores_source(), name


# The coordinator.


def test_the_coordinator_may_only_launch_jobs():
    (role,) = of_kind(COORDINATOR, "Role")
    granted = {}
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            granted |= {(group, resource): sorted(rule["verbs"]) for resource in rule["resources"]}
    assert granted == {
        ("batch", "jobs"): ["create", "delete", "get", "list", "watch"],
        ("", "pods"): ["get", "list"],
    }
    assert not of_kind(COORDINATOR, "ClusterRole") and not of_kind(COORDINATOR, "ClusterRoleBinding")


@each_overlay
def test_workers_meet_the_coordinator_where_it_listens(overlay):
    variables, _, container = set_variables(overlay, "training-coordinator")
    services = {d["metadata"]["name"]: {p["port"] for p in d["spec"]["ports"]} for d in of_kind(overlay, "Service")}
    for variable in ("IP2P_WORKER_ADDRESS", "IP2P_EDIT_SERVER"):
        host, port = variables[variable].split(":")
        assert int(port) in services[host]
    names = {d["metadata"]["name"] for d in of_kind(overlay, "ServiceAccount")}
    assert variables["IP2P_WORKER_SERVICE_ACCOUNT"] in names
    claims = {d["metadata"]["name"] for d in of_kind(overlay, "PersistentVolumeClaim")}
    assert variables["IP2P_WORKER_DATA_CLAIM"] in claims
    mounts = {m["name"]: m["mountPath"] for m in container["volumeMounts"]}
    assert mounts["data"] == variables["IP2P_DATA_DIR"]
    assert re.fullmatch(r"ip2p-training-worker:0\.1\.0(-cuda)?", variables["IP2P_WORKER_IMAGE"])


def test_the_ingress_leads_to_the_gateway_by_its_name():
    (ingress,) = of_kind(PROD, "Ingress")
    (rule,) = ingress["spec"]["rules"]
    variables, _, _ = set_variables(PROD, "gateway")
    assert rule["host"] == variables["IP2P_ALLOWED_HOSTS"] and ingress["spec"]["tls"][0]["hosts"] == [rule["host"]]
    service = rule["http"]["paths"][0]["backend"]["service"]
    assert (service["name"], service["port"]["name"]) == ("gateway", "http")
