"""Pair jobs that are killed, doubled, starved of disk, or run as a Kubernetes Job: the dataset is always the same.

10 kills; with IP2P_FULL=1 (tests/run.sh --full) 50. A kill comes at a random moment of what a whole run takes: the
moments are the subject here, so the clock is asked, but nothing is expected of it.
"""

import json
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import time

import pytest
import yaml
from conftest import FULL
from indexed_job import IndexedJob, clean_environment
from pairs import PROMPTS, PairJobs

KILLS = 50 if FULL else 10
ROOT = pathlib.Path(__file__).resolve().parents[2]


def differing(a, b):
    """Names, where the bytes would fill screens."""
    return sorted(name for name in a.keys() | b.keys() if a.get(name) != b.get(name))


@pytest.fixture(scope="module")
def jobs(tmp_path_factory):
    return PairJobs(tmp_path_factory.mktemp("pairs"))


@pytest.fixture(scope="module")
def whole(jobs):
    """The dataset of one uninterrupted run, and how long that took."""
    start = time.monotonic()
    output, _ = jobs.run("whole", "--json")
    took = time.monotonic() - start
    report = json.loads(output)
    assert (report["finished"], report["left"], report["sampled"]) == (PROMPTS, 0, 4 * PROMPTS)
    assert 0 < report["kept"] < report["sampled"]
    return jobs.files("whole"), took


@pytest.fixture
def out(jobs, request):
    name = request.node.name.replace("[", "-").replace("]", "")
    yield name
    shutil.rmtree(jobs.folder / name, ignore_errors=True)


def test_a_whole_dataset(jobs, whole):
    files, _ = whole
    assert not [name for name in files if ".tmp-" in name or ".lease" in name]
    assert {name.split("/")[0] for name in files if "/" in name} == {f"{i:07d}" for i in range(PROMPTS)}
    assert files["0000023/prompt.json"] == (jobs.folder / "prompts.jsonl").read_bytes().splitlines()[23]
    for i in range(PROMPTS):
        folder = f"{i:07d}"
        scores = [json.loads(line) for line in files[f"{folder}/scores.jsonl"].splitlines()]
        kept = [json.loads(line) for line in files.get(f"{folder}/metadata.jsonl", b"").splitlines()]
        passed = sorted(((s["clip_sim_dir"], s["seed"]) for s in scores if s["clip_sim_dir"] >= 0), reverse=True)
        assert [(k["clip_sim_dir"], k["seed"]) for k in kept] == passed[:2]
        images = {name for name in files if name.startswith(folder) and name.endswith(".jpg")}
        assert images == {f"{folder}/{k['seed']}_{half}.jpg" for k in kept for half in (0, 1)}
        for k in kept:
            assert list(k) == ["seed", "p2p_threshold", "cfg_scale", "clip_sim_0", "clip_sim_1", "clip_sim_dir",
                               "clip_sim_image"]  # fmt: skip


def test_batches_do_not_show(jobs, whole, out):
    jobs.run(out, "--batch", 3)
    assert differing(jobs.files(out), whole[0]) == []


def test_five_partitions_are_one(jobs, whole, out):
    processes = [jobs.start(out, "--n-partitions", 5, "--partition", i) for i in range(5)]
    for process in processes:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors[-2000:]
    assert differing(jobs.files(out), whole[0]) == []


def test_every_partition_twice_at_once(jobs, whole, out):
    processes = [jobs.start(out, "--n-partitions", 3, "--partition", i // 2, "--json") for i in range(6)]
    reports = []
    for process in processes:
        output, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors[-2000:]
        reports.append(json.loads(output))
    assert sum(report["finished"] for report in reports) == PROMPTS  # nothing twice
    assert differing(jobs.files(out), whole[0]) == []


def test_kills_at_random_moments(jobs, whole, out):
    files, took = whole
    rng = random.Random(20)
    killed, seen, redone = 0, {}, 0
    while killed < KILLS:
        process = jobs.start(out)
        try:
            process.communicate(timeout=rng.uniform(0.2, 1.0) * took)
            assert process.returncode == 0
            assert differing(jobs.files(out), files) == []
            shutil.rmtree(jobs.folder / out)  # done before its kill: from the start
            seen = {}
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            killed += 1
        now = jobs.published(out)
        redone += sum(now.get(name) != state for name, state in seen.items())
        seen = now
    jobs.run(out)
    now = jobs.published(out)
    # What was published stays as it is, so a kill costs at most the prompt that was under work.
    assert redone + sum(now[name] != state for name, state in seen.items()) == 0
    assert differing(jobs.files(out), files) == []


def test_sigterm_ends_at_a_step_and_the_next_run_goes_on(jobs, whole, out):
    process = jobs.start(out)
    for line in process.stderr:
        if "loading the models" in line:
            break
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode in (130, 143, -signal.SIGTERM), errors
    jobs.run(out)
    assert differing(jobs.files(out), whole[0]) == []


def test_a_full_disk_is_for_now(jobs, whole, out):
    files, _ = whole
    largest = max(len(content) for content in files.values())
    codes = set()
    for limit in (0, 60, 300, 900, largest - 1):

        def full(limit=limit):
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        process = jobs.start(out, preexec_fn=full)
        _, errors = process.communicate(timeout=300)
        codes.add(process.returncode)
        assert str(jobs.folder / out) not in errors
        for name, content in jobs.files(out).items():
            assert files[name] == content  # what is there is whole
    assert codes == {75}
    jobs.run(out)
    assert differing(jobs.files(out), files) == []


def test_bad_input_is_final(jobs, whole, out):
    jobs.run("whole", "--seed", 5, code=42)
    _, errors = jobs.run("whole", steps=4, code=42)
    assert "steps 3; wants steps 4" in errors
    environment = clean_environment() | jobs.settings(out)
    for name in ("IP2P_PROMPTS_FILE", "IP2P_CKPT", "IP2P_CLIP"):
        broken = environment | {name: str(jobs.folder / "missing")}
        result = subprocess.run(jobs.command(), env=broken, capture_output=True, text=True)
        assert result.returncode == 42, result.stderr


def test_seeds_are_replayed(jobs, whole, out):
    scores = [json.loads(line) for line in whole[0]["0000000/scores.jsonl"].splitlines()]
    jobs.run(out, "--seeds", ",".join(str(s["seed"]) for s in reversed(scores)))
    again = [json.loads(line) for line in jobs.files(out)["0000000/scores.jsonl"].splitlines()]
    keys = ["seed", "p2p_threshold", "cfg_scale", "clip_sim_0", "clip_sim_1", "clip_sim_dir", "clip_sim_image", "kept"]
    assert [[s[k] for k in keys] for s in reversed(again)] == [[s[k] for k in keys] for s in scores]


def test_refilter_makes_what_the_new_thresholds_would_have_made(jobs, whole, out):
    jobs.run(out, clip_dir_threshold=0.3)
    expected = jobs.files(out)
    assert differing(expected, whole[0]) != []
    models = ["--ckpt", jobs.folder / "model", "--clip", jobs.folder / "clip", "--precision", "fp32", "--threads", 1]
    loose = ["--clip-threshold=-1", "--clip-dir-threshold=0", "--clip-img-threshold=-1"]
    command = [jobs.command()[0], "dataset", "refilter", str(jobs.folder / out), *loose, *map(str, models)]
    result = subprocess.run(command, env=clean_environment(), capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert differing(jobs.files(out), whole[0]) == []


def test_the_manifests_job_survives_evictions_and_kills(jobs, whole, out):
    """The Job of k8s/base/pair-job with its own rules; a third of its pods are evicted or killed."""
    manifest = yaml.safe_load((ROOT / "k8s/base/pair-job/job.yaml").read_text())
    spec = manifest["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    command = jobs.command(*container["args"])
    job = IndexedJob(manifest, command, clean_environment() | jobs.settings(out))
    rng = random.Random(3)
    started = {}

    def disturb(job):
        for pod in list(job.running):
            if pod.process.pid not in started:
                fate = rng.choices(["live", "evict", "kill"], [4, 1, 1])[0]
                started[pod.process.pid] = (fate, time.monotonic() + rng.uniform(0.1, 3.0))
            fate, moment = started[pod.process.pid]
            if fate != "live" and time.monotonic() >= moment and pod.process.poll() is None:
                job.evict(pod, grace_s=30) if fate == "evict" else job.kill(pod)
        try:  # lets the pods work until one ends or a moment has passed
            job.running[0].process.wait(0.05)
        except subprocess.TimeoutExpired:
            pass

    job.run(disturb, timeout_s=600)
    assert job.failed == {}
    assert job.succeeded == set(range(spec["completions"]))
    assert job.pods > spec["completions"]  # some were started again
    assert differing(jobs.files(out), whole[0]) == []


def test_a_job_with_bad_input_fails_its_indexes_at_once(jobs, out):
    manifest = yaml.safe_load((ROOT / "k8s/base/pair-job/job.yaml").read_text())
    environment = clean_environment() | jobs.settings(out) | {"IP2P_PROMPTS_FILE": str(jobs.folder / "missing")}
    job = IndexedJob(manifest, jobs.command("--n-partitions", manifest["spec"]["completions"]), environment)
    job.run(lambda job: job.running[0].process.wait(60), timeout_s=300)
    assert job.succeeded == set()
    assert len(job.failed) > manifest["spec"]["maxFailedIndexes"]
    assert job.pods <= len(job.failed) + manifest["spec"]["parallelism"]  # none was started again
