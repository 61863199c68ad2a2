"""Runs that are kept at an object store: another machine goes on, a store that is away holds no step up, damage is refused."""

import json
import os
import shutil
import signal
import socket
import subprocess
import urllib.request

import grpc
import pytest
import s3_proxy
from s3_proxy import BUCKET, SECRET_KEY, error
from s3_store import Client, client, running_store, store  # noqa: F401: fixtures
from server import stubs  # noqa: F401
from training_runs import command, digests, latest, metrics, write_dataset, write_job
from training_server import FINAL, RUNNING, SUCCEEDED, Cluster, code_of

MIRROR = f"s3://{BUCKET}/runs/first"
DENIED = error(403, "AccessDenied")
AWAY = error(503, "SlowDown")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("dataset") / "pairs")


@pytest.fixture
def job(checkpoint, dataset, tmp_path):
    return write_job(tmp_path / "job.json", checkpoint("tiny4-odd"), dataset, maxSteps=6, checkpointEvery=2)


@pytest.fixture
def worker(client):
    return Worker(client)


class Worker:
    """Runs the training worker with the store's variables."""

    def __init__(self, client):
        self.client = client

    def start(self, job, run, *flags):
        return subprocess.Popen(command(job, run, "--mirror", MIRROR, *flags), env=self.client.environment(), text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    @staticmethod
    def end(process, code=0):
        """What it logged: an object a line."""
        out, err = process.communicate(timeout=300)
        assert SECRET_KEY not in out + err
        assert process.returncode == code, f"exit code {process.returncode}\n{err[-4000:]}"
        return [json.loads(line) for line in err.splitlines() if line.startswith("{")]

    def __call__(self, job, run, *flags, code=0):
        return self.end(self.start(job, run, *flags), code)


def events(log, name):
    return [line for line in log if name in line.values()]


def stored(store):
    """The steps that have a state.json."""
    return sorted(int(key.split("/")[-2].removeprefix("step-")) for key in store.keys("runs/first/checkpoints/")
                  if key.endswith("/state.json"))


def same_run(a, b):
    assert digests(a) == digests(b)
    assert [(m["step"], m["loss"]) for m in metrics(a)] == [(m["step"], m["loss"]) for m in metrics(b)]


def test_a_run_and_its_mirror(worker, store, job, tmp_path):
    run = tmp_path / "run"
    log = worker(job, run)
    assert [line["step"] for line in events(log, "checkpoint stored")][-1] == 6
    folder, _ = latest(run)
    for file in folder.iterdir():
        assert store.get(f"runs/first/checkpoints/{folder.name}/{file.name}") == file.read_bytes()
    assert store.get("runs/first/checkpoints/LATEST") == b"step-000000006\n"
    assert store.get("runs/first/metrics.jsonl") == (run / "metrics.jsonl").read_bytes()
    export = run / "export/step-000000006"
    for file in (p for p in export.rglob("*") if p.is_file()):
        assert store.get(f"runs/first/export/step-000000006/{file.relative_to(export)}") == file.read_bytes()
    puts = [r.path for r in store.requests if r.method == "PUT" and "step-000000006" in r.path]
    assert puts[-1].endswith("/checkpoints/step-000000006/state.json")
    assert not list(run.rglob(".tmp-*"))
    # A run that has ended sends nothing again.
    store.requests.clear()
    worker(job, run)
    assert [r.path for r in store.requests if r.method == "PUT"] == [f"/{BUCKET}/runs/first/checkpoints/LATEST"]


def test_validations_are_kept_too(worker, store, checkpoint, dataset, tmp_path):
    job = write_job(tmp_path / "job.json", checkpoint("tiny4-odd"), dataset, maxSteps=2, validateEvery=2, validationSamples=1)
    worker(job, tmp_path / "run")
    names = {"000-input.png", "000-edit.png", "metrics.json"}
    folder = "validation/step-000000002"
    for name in names:
        assert store.get(f"runs/first/{folder}/{name}") == (tmp_path / "run" / folder / name).read_bytes()
    worker(job, tmp_path / "elsewhere")
    assert {p.name for p in (tmp_path / "elsewhere" / folder).iterdir()} == names


def test_fresh_weights_of_configs_at_a_store(worker, store, checkpoint, dataset, tmp_path):
    configs = tmp_path / "configs"
    shutil.copytree(checkpoint("tiny4-odd"), configs, ignore=shutil.ignore_patterns("*.safetensors"))
    for file in (p for p in configs.rglob("*") if p.is_file()):
        store.put(f"configs/{file.relative_to(configs)}", file.read_bytes())
    settings = dict(fresh=configs, objective="TEXT_TO_IMAGE", maxSteps=2)
    subprocess.run(command(write_job(tmp_path / "here.json", None, dataset, **settings), tmp_path / "here"), check=True,
                   stderr=subprocess.DEVNULL)  # fmt: skip
    worker(write_job(tmp_path / "there.json", None, dataset, **settings | {"fresh": f"s3://{BUCKET}/configs"}),
           tmp_path / "there")  # fmt: skip
    same_run(tmp_path / "here", tmp_path / "there")


def test_a_killed_run_goes_on_elsewhere(worker, store, job, tmp_path):
    subprocess.run(command(job, tmp_path / "undisturbed"), check=True, stderr=subprocess.DEVNULL)
    run = tmp_path / "run"

    def later(request):
        return request.method == "PUT" and "/checkpoints/step-" in request.path and "step-000000002" not in request.path

    store.faults.append(lambda r: "hang" if later(r) else None)  # on its way for ever
    process = worker.start(job, run)
    s3_proxy.wait_until(lambda: any(map(later, list(store.requests))), 120)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    shutil.rmtree(run)
    store.faults.clear()
    assert stored(store) == [2]
    log = worker(job, tmp_path / "elsewhere")
    assert events(log, "checkpoint restored from the mirror")[0]["step"] == 2
    assert events(log, "training starts")[0]["step"] == 2
    same_run(tmp_path / "undisturbed", tmp_path / "elsewhere")
    assert {2, 6} <= set(stored(store)) <= {2, 4, 6}  # one that waits is left out for a newer one


def test_the_machine_that_stayed_behind_goes_on_where_the_other_stood(worker, store, job, tmp_path):
    worker(job, tmp_path / "here", "--max-steps", 2)
    worker(job, tmp_path / "there", "--max-steps", 4)
    log = worker(job, tmp_path / "here")
    assert events(log, "training starts")[0]["step"] == 4
    assert stored(store) == [2, 4, 6]


def test_a_damaged_checkpoint_is_passed_over(worker, store, job, tmp_path):
    worker(job, tmp_path / "run", "--max-steps", 4)
    key = "runs/first/checkpoints/step-000000004/weights.safetensors"
    whole = store.get(key)
    store.put(key, whole[:-1] + bytes([whole[-1] ^ 1]))
    log = worker(job, tmp_path / "elsewhere", "--max-steps", 4)
    (passed,) = events(log, "a checkpoint of the mirror is passed over")
    assert "weights.safetensors does not have its SHA-256" in passed["status"] and passed["step"] == 4
    assert events(log, "training starts")[0]["step"] == 2
    assert store.get(key) == whole  # the same run came by again
    worker(job, tmp_path / "elsewhere")
    store.s3.delete_object(Bucket=BUCKET, Key="runs/first/checkpoints/step-000000006/optimizer.safetensors")
    assert events(worker(job, tmp_path / "third"), "training starts")[0]["step"] == 4


def test_another_run_is_refused(worker, store, job, checkpoint, dataset, tmp_path):
    worker(job, tmp_path / "run", "--max-steps", 2)
    other = write_job(tmp_path / "other.json", checkpoint("tiny4-odd"), dataset, seed=4)
    (end,) = events(worker(other, tmp_path / "other", code=42), "training ends")
    assert f"{MIRROR}/checkpoints/step-000000002/state.json: config_sha256 is " in end["status"]
    assert "; wants " in end["status"]
    # Nor does one go on there that has checkpoints of its own.
    subprocess.run(command(other, tmp_path / "other"), check=True, stderr=subprocess.DEVNULL)
    worker(other, tmp_path / "other", code=42)
    assert stored(store) == [2]


def test_old_checkpoints_go_and_pinned_ones_stay(worker, store, checkpoint, dataset, tmp_path):
    job = write_job(tmp_path / "job.json", checkpoint("tiny4-odd"), dataset, maxSteps=2, checkpointEvery=1, keepCheckpoints=2)
    worker(job, tmp_path / "run")
    store.put("runs/first/checkpoints/step-000000001/pinned", b"")
    for steps in (3, 4, 5):
        worker(job, tmp_path / "run", "--max-steps", steps)
    assert stored(store) == [1, 4, 5]
    exports = {key.split("/")[3] for key in store.keys("runs/first/export/")}
    assert exports == {f"step-{step:09d}" for step in (1, 4, 5)}
    assert sorted(int(p.name[5:]) for p in (tmp_path / "run/checkpoints").glob("step-*")) == [4, 5]


def test_a_store_that_refuses_holds_no_step_up(worker, store, job, tmp_path):
    store.faults.append(lambda r: DENIED if r.method == "PUT" and "step-000000002" in r.path else None)
    log = worker(job, tmp_path / "run")
    (failed,) = events(log, "a checkpoint is not stored")
    assert failed["step"] == 2 and "AccessDenied" in failed["status"]
    assert [line["step"] for line in events(log, "step")] == [1, 2, 3, 4, 5, 6]
    assert 6 in stored(store) and 2 not in stored(store)


def test_the_end_insists(worker, store, job, tmp_path):
    run = tmp_path / "run"
    store.faults.append(lambda r: DENIED if r.method == "PUT" else None)
    (end,) = events(worker(job, run, code=42), "training ends")
    assert "the checkpoint of step 6 is not stored at the mirror" in end["status"] and "AccessDenied" in end["status"]
    assert latest(run)[1]["step"] == 6 and stored(store) == []
    store.faults.clear()
    worker(job, run)  # the next start makes up for it
    assert stored(store) == [6]


def test_a_store_that_is_away_is_waited_for_in_the_end(worker, store, job, tmp_path):
    run = tmp_path / "run"
    store.faults.append(lambda r: AWAY if r.method == "PUT" else None)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = worker.start(job, run, "--metrics-listen", f"127.0.0.1:{port}")
    s3_proxy.wait_until(lambda: (run / "export/step-000000006/model_index.json").exists(), 120)
    assert process.poll() is None
    page = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
    assert "ip2p_train_step 6" in page and "ip2p_train_mirror_step 0" in page
    store.faults.clear()
    worker.end(process)
    assert stored(store)[-1] == 6


def test_ranks_that_share_no_disk_go_on_together(worker, store, job, tmp_path):
    def both(*runs, steps):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        ranks = [worker.start(job, run, "--max-steps", steps, "--rank", rank, "--world-size", 2, "--store-port", port)
                 for rank, run in enumerate(runs)]
        return [worker.end(process) for process in ranks]

    both(tmp_path / "whole", tmp_path / "whole-1", steps=6)
    for key in store.keys():
        store.s3.delete_object(Bucket=BUCKET, Key=key)
    both(tmp_path / "a", tmp_path / "b", steps=3)
    logs = both(tmp_path / "a", tmp_path / "c", steps=6)  # rank 1 is elsewhere
    assert [events(log, "training starts")[0]["step"] for log in logs] == [3, 3]
    assert digests(tmp_path / "a") == digests(tmp_path / "whole")


def test_a_bad_address_is_told(worker, store, job, tmp_path):
    done = subprocess.run(command(job, tmp_path / "run", "--mirror", "runs/first"), capture_output=True, text=True, timeout=60)
    assert done.returncode == 42 and 'mirror: "runs/first" is no URL; wants s3://BUCKET/KEY' in done.stderr
    done = subprocess.run(command(job, tmp_path / "run", "--mirror", "s3://nowhere/runs"), env=worker.client.environment(),
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 42 and "wants a bucket that is there" in done.stderr
    assert not (tmp_path / "run/metrics.jsonl").exists()


# With a coordinator.


@pytest.fixture
def cluster(stubs, store, checkpoint, dataset, tmp_path, monkeypatch):
    for name, value in store.environment().items():
        monkeypatch.setenv(name, value)
    data = tmp_path / "data"
    data.mkdir()
    shutil.copytree(checkpoint("tiny4-odd"), data / "start")
    shutil.copytree(dataset, data / "pairs")
    # The workers' disk is none of the coordinator's.
    made = Cluster(stubs, data, "--threads-per-slot", 1, "--mirror", f"s3://{BUCKET}/jobs", "--worker-env",
                   f"IP2P_RUN_DIR={tmp_path / 'scratch'}", real=True)
    made.scratch = tmp_path / "scratch"
    yield made
    made.close()


def submit(cluster, name, steps):
    job = cluster.stubs.job
    params = job.TrainParams(max_steps=steps, batch_size=4, resolution=64, learning_rate=1e-3, checkpoint_every=2, seed=3,
                             precision=1)  # fmt: skip
    spec = job.JobSpec(name=name, objective=job.OBJECTIVE_INSTRUCT_PIX2PIX, base_checkpoint="start", dataset="pairs",
                       params=params, resources={"world_size": 2}, max_restarts=20)  # fmt: skip
    request = cluster.stubs.training_service.SubmitJobRequest(request_id=name, spec=spec)
    return cluster.training.SubmitJob(request, timeout=20).job


def steps_of(cluster, job_id):
    return [c.step for c in cluster.ask("ListCheckpoints", job_id=job_id).checkpoints]


def test_a_job_goes_on_from_its_mirror(cluster, store):
    undisturbed = submit(cluster, "undisturbed", 30)
    assert cluster.until(undisturbed.id, *FINAL, timeout=300).state == SUCCEEDED
    job = submit(cluster, "moved", 30)
    s3_proxy.wait_until(lambda: steps_of(cluster, job.id), 120)  # recorded, so it is at the mirror
    cluster.until(job.id, RUNNING, timeout=60)
    os.kill(cluster.worker_pid(job.id, 0), signal.SIGKILL)
    folder = cluster.scratch / job.id
    folder.rename(cluster.scratch / "lost")
    done = cluster.until(job.id, *FINAL, timeout=300)
    assert done.state == SUCCEEDED and done.epoch >= 2, done.error
    assert digests(folder) == digests(cluster.scratch / undisturbed.id)
    assert not (cluster.folder / "jobs" / job.id / "checkpoints").exists()
    steps = steps_of(cluster, job.id)
    assert steps[0] == 30 and len(steps) == 3
    assert {key.split("/")[3] for key in store.keys(f"jobs/{job.id}/checkpoints/step-")} == {
        f"step-{step:09d}" for step in steps}

    s3_proxy.wait_until(lambda: code_of(lambda: cluster.ask("DeleteJob", job_id=job.id)) == grpc.StatusCode.OK, 30)
    assert not store.keys(f"jobs/{job.id}/") and store.keys(f"jobs/{undisturbed.id}/")
