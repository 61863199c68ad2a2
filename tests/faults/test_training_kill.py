"""Real workers of a real coordinator: one of two ranks is killed at random moments, and so is the coordinator.

The final weights equal, byte for byte, those of a run that nobody disturbed.
"""

import hashlib
import json
import os
import random
import shutil
import signal
import time

import numpy as np
import pytest
from conftest import FULL
from PIL import Image
from server import stubs  # noqa: F401
from training_server import FINAL, RESTARTING, RUNNING, SUCCEEDED, Cluster

KILLS = 20 if FULL else 4
NOTICED_S = 5
STEPS = 12 * KILLS + 12


def write_pairs(folder, pairs=20):
    """A dataset of one pair a prompt: noisy squares, and the same darker."""
    noise = np.random.default_rng(0)
    for i in range(pairs):
        (folder / f"{i:07d}").mkdir(parents=True)
        before = noise.integers(0, 256, (8, 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
        for half, pixels in enumerate((before, before // 2)):
            Image.fromarray(pixels).save(folder / f"{i:07d}" / f"5_{half}.jpg", quality=95)
        prompt = {"caption": f"squares {i}", "edit": "make it darker", "output": f"dark squares {i}"}
        (folder / f"{i:07d}" / "prompt.json").write_text(json.dumps(prompt))
    (folder / "seeds.json").write_text(json.dumps([[f"{i:07d}", ["5"]] for i in range(pairs)]))


@pytest.fixture
def cluster(stubs, checkpoint, tmp_path):
    shutil.copytree(checkpoint("tiny4-odd"), tmp_path / "start")
    write_pairs(tmp_path / "pairs")
    made = Cluster(stubs, tmp_path, "--threads-per-slot", 1, real=True)
    yield made
    made.close()


def submit(cluster, name):
    job = cluster.stubs.job
    params = job.TrainParams(max_steps=STEPS, batch_size=4, resolution=64, learning_rate=1e-3, checkpoint_every=4,
                             seed=3, precision=1)  # fmt: skip
    spec = job.JobSpec(name=name, objective=job.OBJECTIVE_INSTRUCT_PIX2PIX, base_checkpoint="start", dataset="pairs",
                       params=params, resources={"world_size": 2}, max_restarts=100)  # fmt: skip
    request = cluster.stubs.training_service.SubmitJobRequest(request_id=name, spec=spec)
    return cluster.training.SubmitJob(request, timeout=20).job


def weights(cluster, job_id):
    folder = cluster.folder / "jobs" / job_id / "checkpoints" / f"step-{STEPS:09d}"
    files = json.loads((folder / "state.json").read_text())["files"]
    for name, entry in files.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == entry["sha256"]
    return {name: entry["sha256"] for name, entry in files.items()}


def test_killed_ranks_and_coordinators_change_nothing(cluster):
    undisturbed = submit(cluster, "undisturbed")
    done = cluster.until(undisturbed.id, *FINAL, timeout=600)
    assert (done.state, done.epoch, done.metrics.step) == (SUCCEEDED, 1, STEPS), done.error

    job = submit(cluster, "killed")
    for kill in range(KILLS):
        cluster.until(job.id, RUNNING, timeout=120)
        cluster.until_step(job.id, 12 * kill + random.randrange(1, 12), timeout=120)
        cluster.until(job.id, RUNNING, timeout=120)
        os.kill(cluster.worker_pid(job.id, random.randrange(2)), signal.SIGKILL)
        begun = time.monotonic()
        cluster.until(job.id, RESTARTING, timeout=20)
        assert time.monotonic() - begun < NOTICED_S
        if kill % 2:
            cluster.kill()
            cluster.start()
    done = cluster.until(job.id, *FINAL, timeout=600)
    assert (done.state, done.restarts, done.epoch) == (SUCCEEDED, KILLS, KILLS + 1), done.error
    assert weights(cluster, job.id) == weights(cluster, undisturbed.id)
