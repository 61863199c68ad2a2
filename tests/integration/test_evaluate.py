"""`ip2p evaluate` as a process: killed and started again, on a pack, with edits in one batch, and what it refuses."""

import json
import os
import signal
import subprocess
import time

import clip_models
import pytest
from conftest import BIN
from training_runs import write_dataset

FLAGS = ["--split", "train", "--max-samples", "6", "--steps", "2", "--resolution", "64", "--precision", "fp32",
         "--image-guidance", "1,1.5", "--threads", "1"]


@pytest.fixture(scope="module")
def inputs(checkpoint, tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluation")
    clip_models.make_clip("tiny", folder / "clip")
    write_dataset(folder / "dataset")
    return {"--ckpt": checkpoint("tiny"), "--clip": folder / "clip", "--dataset": folder / "dataset"}


def arguments(inputs, out, *more):
    named = [str(word) for pair in inputs.items() for word in pair]
    return ["evaluate", *named, "--out-dir", str(out), *FLAGS, *map(str, more)]


def test_killed_runs_end_with_the_same_bytes(inputs, ip2p, tmp_path):
    ip2p(*arguments(inputs, tmp_path / "whole"))
    kills = 0
    for lines in (1, 2, 4):  # the journal's length at which it is killed; the first line is the settings
        process = subprocess.Popen([BIN / "ip2p", *arguments(inputs, tmp_path / "killed")], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        journal = tmp_path / "killed/samples.jsonl"
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            if journal.exists() and journal.read_text().count("\n") >= lines:
                os.kill(process.pid, signal.SIGKILL)
                break
            time.sleep(0.005)
        kills += process.wait() == -signal.SIGKILL
    assert kills >= 1
    ip2p(*arguments(inputs, tmp_path / "killed"))
    for name in ("samples.jsonl", "curve.csv", "curve.json", "curve.svg", "curve.png"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_a_pack_gives_the_datasets_figures(inputs, ip2p, tmp_path):
    ip2p("dataset", "pack", inputs["--dataset"], "--output", tmp_path / "pack")
    folder = json.loads(ip2p(*arguments(inputs, tmp_path / "a", "--json")))
    pack = json.loads(ip2p(*arguments(inputs | {"--dataset": tmp_path / "pack"}, tmp_path / "b", "--json")))
    assert pack["points"] == folder["points"]
    assert pack["settings"]["dataset_sha256"] != folder["settings"]["dataset_sha256"]


def test_a_batch_moves_figures_by_rounding_alone(inputs, ip2p, tmp_path):
    alone = json.loads(ip2p(*arguments(inputs, tmp_path / "a", "--json")))
    together = json.loads(ip2p(*arguments(inputs, tmp_path / "b", "--json", "--batch", 8)))
    assert together["settings"] == alone["settings"]
    for a, b in zip(alone["points"], together["points"], strict=True):
        assert all(b[key] == pytest.approx(a[key], abs=2e-3) for key in a)


def test_another_model_is_refused(inputs, ip2p, checkpoint, tmp_path):
    ip2p(*arguments(inputs, tmp_path / "a"))
    other = ip2p(*arguments(inputs | {"--ckpt": checkpoint("tiny", seed=5)}, tmp_path / "a"), check=False)
    assert other.returncode == 42 and "the evaluation was made with weights" in other.stderr
    text_to_image = ip2p(*arguments(inputs | {"--ckpt": checkpoint("tiny4")}, tmp_path / "b"), check=False)
    assert text_to_image.returncode == 42 and "channels" in text_to_image.stderr, text_to_image.stderr
