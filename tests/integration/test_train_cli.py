"""`ip2p train` as people run it, against a real coordinator: jobs from start to end, over its restarts; curves."""

import json
import os
import re
import signal
import subprocess
import threading
import time

import pytest
from conftest import BIN
from server import stubs  # noqa: F401 (a fixture)
from training_runs import train as train_alone
from training_runs import write_dataset, write_job
from training_server import RUNNING, Cluster

LEARNS = ["--objective", "clip", "--fresh-config", "config", "--checkpoint-every", 10]
SPEC = [*LEARNS, "--dataset", "shapes"]
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith("IP2P_")}


@pytest.fixture
def cluster(stubs, tmp_path):  # noqa: F811
    # The client finds it again under its address.
    cluster = FixedCluster(stubs, tmp_path)
    yield cluster
    cluster.close()


class FixedCluster(Cluster):
    """A coordinator that takes the same port each time."""

    def start(self):
        super().start()
        if "--listen" not in self.arguments:
            self.arguments += ["--listen", self.server.address]


def ip2p(*arguments, code=0, stdin=None):
    run = subprocess.run([BIN / "ip2p", "train", *map(str, arguments)], capture_output=True, text=True, env=CLEAN,
                         input=stdin, timeout=120)
    assert run.returncode == code, f"exit code {run.returncode}\n{run.stdout}{run.stderr}"
    return run


class Follower:
    """A client that goes on beside the test; its lines on standard output and error, as they come."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([BIN / "ip2p", "train", *map(str, arguments)], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, env=CLEAN)
        self.out, self.err = [], []
        self.readers = [threading.Thread(target=lambda f=f, to=to: to.extend(f), daemon=True)
                        for f, to in ((self.process.stdout, self.out), (self.process.stderr, self.err))]
        for reader in self.readers:
            reader.start()

    def until(self, there, timeout=60):
        deadline = time.monotonic() + timeout
        while not there():
            assert time.monotonic() < deadline and self.process.poll() is None, "".join(self.out + self.err)
            time.sleep(0.02)

    def wait(self):
        code = self.process.wait(120)
        for reader in self.readers:
            reader.join(5)
        return code


def test_a_job_from_start_to_its_end(cluster):
    at = ["--server", cluster.server.address]
    run = ip2p("start", *at, "--name", "first", *SPEC, "--max-steps", 60, "--world-size", 2, "--watch")
    job, last = run.stdout.splitlines()
    assert re.fullmatch(r"first-[0-9a-f]+", job)
    # The step is that of the last heartbeat of a worker that is over.
    assert re.fullmatch(rf"{job} succeeded: step \d+ of 60, loss 0\.\d+", last)
    request_id = re.search(r"request id ([0-9a-f]{32});", run.stderr).group(1)
    again = ip2p("start", *at, "--name", "first", *SPEC, "--max-steps", 60, "--world-size", 2,
                 "--request-id", request_id)
    assert again.stdout == f"{job}\n"
    assert "state        succeeded\n" in ip2p("status", job, *at).stdout
    assert json.loads(ip2p("list", *at, "--state", "succeeded", "--json").stdout)["jobs"][0]["id"] == job
    steps = [c["step"] for c in json.loads(ip2p("checkpoints", job, *at, "--json").stdout)["checkpoints"]]
    assert steps == ["60", "50", "40"]
    log = ip2p("logs", job, *at, "--rank", 1).stdout
    assert re.fullmatch(r"\d{4}-\d\d-\d\d [\d:]{8}\.\d{3} rank 1  starts at step 0\n.* rank 1  is done\n", log)
    assert ip2p("delete", job, *at).stdout == f"{job} is deleted\n"
    assert "no such job" in ip2p("status", job, *at, code=42).stderr


def test_pause_save_resume_cancel(cluster):
    at = ["--server", cluster.server.address]
    spec = {"name": "moved", "objective": "OBJECTIVE_CLIP", "freshConfig": "config", "dataset": "shapes",
            "params": {"maxSteps": 100000, "checkpointEvery": 1000}}
    job = ip2p("start", "--spec", "-", *at, "--max-steps", 5000, stdin=json.dumps(spec)).stdout.strip()
    cluster.until(job, RUNNING)
    saved = int(json.loads(ip2p("save", job, *at, "--json").stdout)["checkpoint"]["step"])
    assert re.match(rf"{job} is paused: step \d+ of 5000, ", ip2p("pause", job, *at).stdout)
    assert "paused" in ip2p("pause", job, *at, code=42).stderr
    ip2p("resume", job, *at, "--from-step", saved)
    cluster.until(job, RUNNING)
    assert ip2p("logs", job, *at, "--tail", 1).stdout.endswith(f" rank 0  starts at step {saved}\n")
    watch = Follower("watch", job, *at)
    watch.until(lambda: watch.err)
    ip2p("cancel", job, *at)
    assert watch.wait() == 130
    assert "was cancelled" in watch.err[-1]


def test_a_failed_job_is_a_failed_watch(cluster):
    at = ["--server", cluster.server.address]
    bad = ip2p("start", *at, "--name", "BAD", *LEARNS, "--batch-size", 0, code=42)
    assert 'spec.name is "BAD"; wants [a-z0-9-]{1,63}' in bad.stderr
    assert "spec.params.batch_size is 0; wants 1..65536" in bad.stderr
    run = ip2p("start", *at, "--name", "missing", *LEARNS, "--dataset", "missing", "--watch", code=1)
    assert "the dataset is missing; wants a folder of pairs" in run.stderr


def test_watch_and_logs_outlive_the_coordinator(cluster):
    at = ["--server", cluster.server.address]
    job = ip2p("start", *at, "--name", "long", *SPEC, "--max-steps", 700, "--world-size", 2).stdout.strip()
    watch = Follower("watch", job, *at, "--json", "--interval-ms", 100)
    logs = Follower("logs", job, *at, "--follow")
    cluster.until_step(job, 5)
    watch.until(lambda: watch.out)
    logs.until(lambda: len(logs.out) == 2)
    for stop in (signal.SIGKILL, signal.SIGTERM):
        cluster.server.process.send_signal(stop)
        cluster.server.wait()
        watch.until(lambda: watch.err and "is away" in watch.err[-1])
        time.sleep(1)
        before = len(watch.out)
        cluster.server.close()
        cluster.start()
        begun = time.monotonic()
        watch.until(lambda: len(watch.out) > before)  # noqa: B023 (called at once)
        assert time.monotonic() - begun < 8  # 5 s is the longest wait between two tries
    assert watch.wait() == 0
    last = json.loads(watch.out[-1])
    assert last["state"] == "JOB_STATE_SUCCEEDED" and 600 < int(last["metrics"]["step"]) <= 700
    assert logs.wait() == 0
    # Each line once, whatever was read before a coordinator went away.
    assert logs.out == ip2p("logs", job, *at).stdout.splitlines(keepends=True)
    assert [line.split("  ", 1)[1] for line in logs.out[-2:]] == ["is done\n"] * 2


def test_ctrl_c_leaves_the_job_alone(cluster):
    at = ["--server", cluster.server.address]
    job = ip2p("start", *at, "--name", "left", *SPEC, "--max-steps", 5000).stdout.strip()
    watch = Follower("watch", job, *at)
    watch.until(lambda: any("running" in line for line in watch.err))
    watch.process.send_signal(signal.SIGINT)
    assert watch.wait() == 130
    assert "the job goes on" in watch.err[-1]
    cluster.until_step(job, cluster.job(job).metrics.step + 5)


def test_curves_of_real_runs(checkpoint, tmp_path):
    """Two runs of the real worker, with validations, in one chart."""
    dataset = write_dataset(tmp_path / "pairs")
    start = checkpoint("tiny4-odd")
    for seed in (3, 4):
        job = write_job(tmp_path / f"{seed}.json", start, dataset, seed=seed, validateEvery=2, validationSamples=1)
        train_alone(job, tmp_path / f"run-{seed}")
    runs = [tmp_path / "run-3", tmp_path / "run-4"]
    ip2p("plot", *runs, "-o", tmp_path / "curves.svg")
    svg = (tmp_path / "curves.svg").read_text()
    assert all(text in svg for text in ("Training loss", "Validation loss", ">run-3<", ">run-4<"))
    ip2p("plot", *runs, "-o", tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    curves = json.loads(ip2p("plot", *runs, "--json").stdout)["runs"]
    for run, curve in zip(runs, curves, strict=True):
        logged = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        assert curve["loss"] == [[line["step"], line["loss"]] for line in logged]
        assert [v["step"] for v in curve["validations"]] == [2, 4]
        assert all(0 < v["loss"] < 10 for v in curve["validations"])
