"""The restricted Pod Security Standard holds for every pod of k8s/; the check itself refuses what it should."""

import copy

import kustomize
import pod_security
import pytest

FOLDERS = sorted(path.parent for path in kustomize.K8S.rglob("kustomization.yaml"))
GOOD = {
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [{"name": "c", "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}}],
}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(kustomize.K8S)))
def test_every_pod_is_admitted(folder):
    for workload in kustomize.workloads(folder):
        assert not pod_security.violations(workload["spec"]["template"]["spec"]), workload["metadata"]["name"]


def test_the_namespace_enforces_it():
    for overlay in ("local", "prod", "prod-s3"):
        (namespace,) = kustomize.of_kind(kustomize.K8S / "overlays" / overlay, "Namespace")
        assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def change(path, value):
    """GOOD with one field other; a value of None takes it away."""
    pod = copy.deepcopy(GOOD)
    *parents, last = path
    place = pod
    for key in parents:
        place = place[key] if isinstance(key, int) else place.setdefault(key, {})
    if value is None:
        del place[last]
    else:
        place[last] = value
    return pod


OWN = ("containers", 0, "securityContext")


@pytest.mark.parametrize(
    "path, value, words",
    [
        (("hostNetwork",), True, "hostNetwork is set"),
        (("hostPID",), True, "hostPID is set"),
        (("volumes",), [{"name": "v", "hostPath": {"path": "/"}}], "volume v is a hostPath"),
        (("volumes",), [{"name": "v", "nfs": {}}], "volume v is a nfs"),
        (("securityContext", "sysctls"), [{"name": "kernel.msgmax", "value": "1"}], "sysctl kernel.msgmax"),
        (("securityContext", "runAsUser"), 0, "the pod runs as user 0"),
        (("securityContext", "runAsNonRoot"), None, "c may run as root"),
        (("securityContext", "seccompProfile"), None, "c has no seccomp profile"),
        (("securityContext", "seccompProfile"), {"type": "Unconfined"}, "the pod has another seccomp profile"),
        ((*OWN, "appArmorProfile"), {"type": "Unconfined"}, "c has another AppArmor profile"),
        ((*OWN, "seLinuxOptions"), {"type": "spc_t"}, "c has SELinux options"),
        ((*OWN, "privileged"), True, "c is privileged"),
        ((*OWN, "allowPrivilegeEscalation"), None, "c may escalate"),
        ((*OWN, "runAsNonRoot"), False, "c may run as root"),
        ((*OWN, "procMount"), "Unmasked", "c has another procMount"),
        ((*OWN, "capabilities"), {}, "c keeps capabilities"),
        ((*OWN, "capabilities"), {"drop": ["ALL"], "add": ["SYS_ADMIN"]}, "c adds capabilities"),
        (("containers", 0, "ports"), [{"containerPort": 1, "hostPort": 1}], "c has a port of the host"),
        (("containers", 0, "livenessProbe"), {"tcpSocket": {"host": "10.0.0.1", "port": 1}}, "c is probed at another host"),
    ],
)
def test_the_check_refuses(path, value, words):
    assert pod_security.violations(change(path, value)) == [words]


def test_the_check_admits():
    assert not pod_security.violations(GOOD)
    assert not pod_security.violations(change((*OWN, "capabilities"), {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}))
