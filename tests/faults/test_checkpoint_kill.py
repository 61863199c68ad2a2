"""kill -9 of a training process that writes a checkpoint a step: LATEST always loads, and the end is the same.

20 kills; with IP2P_FULL=1 (tests/run.sh --full) 200. A kill comes at a random moment after the first step of a start.
"""

import pathlib
import random
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from conftest import FULL
from training_runs import command, digests, latest, train, write_dataset, write_job  # noqa: E402

KILLS = 200 if FULL else 20


def wait_for_step(run, process):
    """Until this process has made its first step: the metrics file, cut to the step it goes on from, grows."""
    file = run / "metrics.jsonl"
    deadline = time.monotonic() + 120
    size = None
    while time.monotonic() < deadline and process.poll() is None:
        now = file.stat().st_size if file.exists() else 0
        if size is not None and now > size:
            return
        size = now
        time.sleep(0.01)


def test_kill_the_writer(checkpoint, tmp_path):
    rng = random.Random(11)
    steps = 3 * KILLS
    dataset = write_dataset(tmp_path / "pairs")
    job = write_job(tmp_path / "job.json", checkpoint("tiny4-odd"), dataset, maxSteps=steps, batchSize=1,
                    checkpointEvery=1, keepCheckpoints=2)
    run = tmp_path / "run"
    kills = 0
    while kills < KILLS:
        process = subprocess.Popen(command(job, run), stderr=subprocess.DEVNULL)
        wait_for_step(run, process)
        time.sleep(rng.uniform(0, 0.6))
        process.kill()
        if process.wait() != -9:
            break  # it was done first
        kills += 1
        if (run / "checkpoints/LATEST").exists():
            latest(run)
    assert kills > KILLS // 4
    train(job, run)
    assert latest(run)[1]["step"] == steps
    assert not list((run / "checkpoints").glob(".tmp-*"))
    train(job, tmp_path / "undisturbed")
    assert digests(run) == digests(tmp_path / "undisturbed")
