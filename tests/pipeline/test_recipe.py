"""deploy/models/shapes: the losses that are committed are those of the recipe, and its first steps give them again.

By default the first steps of the stages that begin at once; with IP2P_FULL=1 the first hundred, and those of text-to-image
and of copies too, whose pictures are all encoded before the first step, and those of edits, for which their pairs are made.
The second stages of the autoencoder, of CLIP and of text-to-image start from what their first stages made, which is not
shipped."""

import json
import math
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from conftest import FULL, ROOT, only_full

SHAPES = ROOT / "deploy" / "models" / "shapes"
STAGES = ("vae-crops", "vae-whole", "vae", "clip-first", "clip", "text-to-image-words", "text-to-image-places",
          "text-to-image-objects", "text-to-image-outlines", "text-to-image-together", "text-to-image-scenes",
          "text-to-image", "edit-copies", "edit")  # fmt: skip


def curve(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("stage", STAGES)
def test_the_committed_curve_is_of_the_whole_stage(stage):
    params = json.loads((SHAPES / "recipe" / f"{stage}.json").read_text())["params"]
    rows = curve(SHAPES / "curves" / f"{stage}.jsonl")
    assert [row["step"] for row in rows] == list(range(1, params["max_steps"] + 1))
    losses = [row["loss"] for row in rows]
    assert all(math.isfinite(loss) for loss in losses)
    assert sum(losses[-100:]) < sum(losses[:100])


# The recipe's own sets; every stage takes its pictures in an order that follows from their number.
SETS = {"pictures": ("--count", "20000", "--seed", "1"),
        "placed": ("--count", "20000", "--seed", "21", "--places", "most"),
        "copies": ("--count", "6000", "--seed", "51", "--edits")}  # fmt: skip


@pytest.fixture(scope="module")
def drawn(ip2p, tmp_path_factory):
    """Draws a set when the first stage asks for it."""
    folder = tmp_path_factory.mktemp("sets")

    def draw(name):
        if not (folder / name).exists():
            ip2p("shapes", "draw", "--out-dir", folder / name, *SETS[name])
        return folder / name

    return draw


def copies(ip2p, pictures, folder):
    """Pairs of pictures with themselves."""
    ip2p("dataset", "import", pictures, "-o", folder, "--before", "file_name", "--after", "file_name")
    ip2p("dataset", "prepare", folder)
    return folder


def first_steps(spec, run, steps, patience):
    """Losses of the first steps: the worker is asked to stop once it has told them."""
    (run.parent / "spec.json").write_text(json.dumps(spec))
    worker = subprocess.Popen([ROOT / "build/bin/ip2p_training_worker", "--spec", run.parent / "spec.json",
                               "--run-dir", run, "--metrics-listen", "127.0.0.1:0"],
                              stderr=subprocess.PIPE, text=True)  # fmt: skip
    metrics, until = run / "metrics.jsonl", time.monotonic() + patience
    while time.monotonic() < until and worker.poll() is None:
        if metrics.exists() and metrics.read_text().count("\n") >= steps:
            break
        time.sleep(0.2)
    worker.send_signal(signal.SIGTERM)
    _, log = worker.communicate(timeout=120)
    rows = curve(metrics) if metrics.exists() else []
    assert len(rows) >= steps, log[-2000:]
    return [row["loss"] for row in rows[:steps]]


def assert_committed(stage, losses):
    """Processors round differently, and the first stages ran in bfloat16 where this one may have none."""
    told = [row["loss"] for row in curve(SHAPES / "curves" / f"{stage}.jsonl")[: len(losses)]]
    for step, (ours, theirs) in enumerate(zip(losses, told, strict=True), 1):
        assert ours == pytest.approx(theirs, rel=0.05), f"step {step}"
    assert sum(losses) == pytest.approx(sum(told), rel=0.02)


@pytest.mark.parametrize(("stage", "steps"), [
    ("vae-crops", 100 if FULL else 12),
    ("clip-first", 100 if FULL else 6),
    pytest.param("text-to-image-words", 100, marks=only_full),
    pytest.param("edit-copies", 100, marks=only_full),
])  # fmt: skip
def test_the_first_steps_give_the_committed_losses(stage, steps, ip2p, drawn, tmp_path):
    configs = tmp_path / "configs"
    shutil.copytree(SHAPES / "configs", configs)
    spec = json.loads((SHAPES / "recipe" / f"{stage}.json").read_text())
    pictures = drawn(spec["dataset"].removeprefix("sets/"))
    if stage == "edit-copies":
        spec["dataset"] = str(copies(ip2p, pictures, tmp_path / "copies"))
        spec["base_checkpoint"] = str(SHAPES / "text-to-image")
    else:
        spec["dataset"] = str(pictures)
        spec["fresh_config"] = str(configs / ("clip" if stage == "clip-first" else "diffusion"))
    if stage == "text-to-image-words":
        for file in (SHAPES / "text-to-image" / "vae").iterdir():
            shutil.copy(file, configs / "diffusion" / "vae")
        text_encoder = configs / "diffusion" / "text_encoder" / "config.json"
        text_encoder.write_text(json.dumps(json.loads(text_encoder.read_text()) | {"num_hidden_layers": 0}))
    assert_committed(stage, first_steps(spec, tmp_path / "run", steps, patience=1800))


@only_full
def test_the_recipe_makes_enough_pairs_and_edits_begin_with_the_committed_losses(tmp_path):
    """Everything between the shipped text-to-image model and the edit model, 90 minutes on 2 cores; in the folder
    IP2P_SHAPES_WORK the recipe goes on where it is there."""
    work = Path(os.environ.get("IP2P_SHAPES_WORK", tmp_path))
    models = work / "data" / "models"
    for shipped, made in (("clip", "clip"), ("text-to-image", "text-to-image"), ("text-to-image/vae", "vae/vae")):
        if not (models / made).exists():
            shutil.copytree(SHAPES / shipped, models / made)
    subprocess.run(["bash", SHAPES / "train.sh", "--work", work, "--until", "edits"], check=True, cwd=ROOT)
    kept = sum(len(seeds) for name in ("pairs", "pairs-after")
               for _, seeds in json.loads((work / "data" / name / "seeds.json").read_text()))  # fmt: skip
    assert kept >= 3000
    spec = json.loads((SHAPES / "recipe" / "edit.json").read_text())
    # One process of two threads in place of two of one, which needs no coordinator.
    spec |= {"dataset": str(work / "data" / "edits"), "base_checkpoint": str(models / "edit-copies"),
             "resources": {"threads": 2}}  # fmt: skip
    assert_committed("edit", first_steps(spec, tmp_path / "run", 100, patience=1800))
