"""The operator's guide, typed line by line against a coordinator with a real worker and an edit server."""

import json
import os
import re
import shutil
import subprocess

import pytest
from conftest import BIN, ROOT
from server import Server, stubs  # noqa: F401  (fixture)
from training_runs import write_dataset
from training_server import CANCELLED, PAUSED, RUNNING, Cluster

GUIDE = (ROOT / "deploy" / "OPERATING.md").read_text()
# What a miniature wants other than the guide's Stable Diffusion.
SETTINGS = {"resolution": 64, "batch-size": 2, "max-steps": 100_000, "checkpoint-every": 5, "keep-checkpoints": 3, "seed": 1,
            "threads": 1}  # fmt: skip


def blocks():
    """{heading: shell lines} of those that have some."""
    found, heading, inside = {}, "", False
    for line in GUIDE.splitlines(keepends=True):
        if line.startswith("#") and not inside:
            heading = line.strip("# \n")
        elif line.startswith("```"):
            inside = line == "```sh\n"
        elif inside:
            found[heading] = found.get(heading, "") + line
    return found


class Operator:
    """Someone with a shell beside the data folder."""

    def __init__(self, folder, addresses):
        self.folder, self.addresses, self.kept = folder, addresses, ""
        (folder / "settings.json").write_text(json.dumps({"train": {"start": SETTINGS}}))

    def types(self, heading, **changes):
        """The lines under a heading, in one shell that stops at a fault; variables and what is exported stay."""
        lines = blocks()[heading]
        for old, new in (self.addresses | changes).items():
            lines = lines.replace(old, new)
        script = f"set -euo pipefail\n{self.kept}\n{lines}\ndeclare -p id IP2P_SERVER > variables"
        environment = {k: v for k, v in os.environ.items() if not k.startswith("IP2P_")}
        environment |= {"PATH": f"{BIN}:{os.environ['PATH']}", "IP2P_CONFIG": str(self.folder / "settings.json")}
        done = subprocess.run(["bash", "-c", script], cwd=self.folder, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"{heading}:\n{lines}\n{done.stdout}\n{done.stderr}"
        self.kept = (self.folder / "variables").read_text()
        return done.stdout

    @property
    def job(self):
        return re.search(r'id="(.+?)"', self.kept)[1]


@pytest.fixture
def place(stubs, checkpoint, tmp_path):
    data = tmp_path / "data"
    write_dataset(data / "pairs")
    (data / "pairs" / "seeds.json").unlink()  # the guide makes it
    shutil.copytree(checkpoint("tiny4-odd"), data / "models" / "stable-diffusion-v1-5")
    shutil.copytree(checkpoint("tiny"), data / "models" / "main")
    edit = Server("--model", f"main={data / 'models' / 'main'}", "--models-dir", data / "models", "--threads", 1)
    cluster = None
    try:
        cluster = Cluster(stubs, data, "--edit-server", f"127.0.0.1:{edit.ready['admin_port']}", "--threads-per-slot", 1, real=True)
        yield Operator(tmp_path, {"127.0.0.1:50055": cluster.server.address, "127.0.0.1:50051": edit.address}), cluster
    finally:
        if cluster:
            cluster.close()
        edit.close()


def test_the_guide_does_what_it_says(place):
    operator, cluster = place
    operator.types("Start a training run")
    job = operator.job
    cluster.until_step(job, 7)
    cluster.until(job, RUNNING)  # the coordinator's next tick says so, the worker's lines come with it
    cluster.until_logged(job, '"event":"step"')

    said = operator.types("Watch it")
    for told in (job, "running", '"event":"step"'):
        assert told in said, said
    assert "<svg" in (operator.folder / "curves.svg").read_text()

    said = operator.types("Pause and go on")
    assert "is paused" in said and "is queued" in said
    cluster.until(job, RUNNING)
    before = cluster.job(job).metrics.step
    cluster.until_step(job, before + 1)

    cluster.ask("PauseJob", job_id=job)
    cluster.until(job, PAUSED)
    steps = [c.step for c in cluster.ask("ListCheckpoints", job_id=job).checkpoints]
    said = operator.types("Promote, and take it back", **{"--step 5000": f"--step {steps[-1]}"})
    assert [line for line in said.splitlines() if " serves step " in line] == [
        f"main serves step {step} of {job}" for step in (steps[0], steps[-1])]
    assert re.search(r"^main +2 ", said, re.MULTILINE), said  # the revision, between the two

    said = operator.types("A job has failed")
    again = said.rsplit(" is cancelled", 1)[0].split()[-1]
    assert again.startswith("again-") and cluster.until(again, CANCELLED).spec.base_checkpoint.startswith(f"jobs/{job}/export/step-")


def test_every_shell_block_of_the_guide_is_typed_here():
    assert set(blocks()) == {"Start a training run", "Watch it", "Pause and go on", "Promote, and take it back", "A job has failed"}
