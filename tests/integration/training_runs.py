"""Training runs as processes: small datasets, job files, and what a run's folder holds."""

import hashlib
import json
import subprocess

import numpy as np
from PIL import Image
from safetensors.torch import load_file

from conftest import BIN

WORKER = BIN / "ip2p_training_worker"
SIDE = 64


def write_dataset(folder, prompts=20, seed=0):
    """A dataset of one pair a prompt: a noisy square, and the same darker."""
    random = np.random.default_rng(seed)
    index = []
    for i in range(prompts):
        name = f"{i:07d}"
        (folder / name).mkdir(parents=True)
        before = random.integers(0, 256, (8, 8, 3), dtype=np.uint8).repeat(SIDE // 8, 0).repeat(SIDE // 8, 1)
        for half, pixels in enumerate((before, before // 2)):
            Image.fromarray(pixels).save(folder / name / f"5_{half}.jpg", quality=95)
        (folder / name / "prompt.json").write_text(json.dumps(
            {"caption": f"squares {i}", "edit": "make it darker", "output": f"dark squares {i}"}))
        index.append([name, ["5"]])
    (folder / "seeds.json").write_text(json.dumps(index))
    return folder


def write_job(path, model, dataset, **params):
    fresh = params.pop("fresh", None)
    objective = params.pop("objective", "INSTRUCT_PIX2PIX")
    defaults = dict(maxSteps=4, batchSize=4, resolution=SIDE, learningRate=1e-3, checkpointEvery=2, seed=3,
                    precision="PRECISION_FP32")
    start = {"freshConfig": str(fresh)} if fresh else {"baseCheckpoint": str(model)}
    path.write_text(json.dumps({"name": "job", "objective": f"OBJECTIVE_{objective}", **start,
                                "dataset": str(dataset), "params": defaults | params}))
    return path


def command(job, run, *flags):
    return [WORKER, "--spec", job, "--run-dir", run, "--threads", "1", "--loader-threads", "1", *map(str, flags)]


def train(job, run, *flags, code=0):
    result = subprocess.run(command(job, run, *flags), capture_output=True, text=True, timeout=600)
    assert result.returncode == code, f"exit code {result.returncode}\n{result.stderr[-3000:]}"
    return result.stderr


def latest(run):
    """The checkpoint that LATEST names, every file compared with its digest."""
    folder = run / "checkpoints" / (run / "checkpoints/LATEST").read_text().strip()
    state = json.loads((folder / "state.json").read_text())
    assert "weights.safetensors" in state["files"] and "optimizer.safetensors" in state["files"]
    for name, entry in state["files"].items():
        data = (folder / name).read_bytes()
        assert len(data) == entry["bytes"] and hashlib.sha256(data).hexdigest() == entry["sha256"], name
    return folder, state


def weights(run, file="weights.safetensors"):
    return load_file(latest(run)[0] / file)


def digests(run):
    return {name: entry["sha256"] for name, entry in latest(run)[1]["files"].items()}


def metrics(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
