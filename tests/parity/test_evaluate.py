"""`ip2p evaluate` against transformers' CLIP and PyTorch's losses, live, on the pictures that the run itself saved."""

import csv
import json
import statistics

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from transformers import CLIPTokenizer

import clip_models
from test_clip import clip_similarity, pictures, to_image

TOLERANCE = 1e-5  # of means of cosines and differences, in fp32; measured 2.5e-7
SAMPLES, SIDE, GUIDANCE = 3, 64, [1.0, 1.6, 2.2]
METRICS = ["clip_direction", "clip_image", "clip_caption", "clip_t", "clip_i", "l1", "l2"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Twenty prompts with two pairs each: blobs, and the same in other colours."""
    folder = tmp_path_factory.mktemp("dataset")
    index = []
    for i in range(20):
        name = f"{i:07d}"
        (folder / name).mkdir()
        for pair, before in enumerate(pictures(2, (SIDE, SIDE), seed=i)):
            to_image(before).save(folder / name / f"{pair + 5}_0.jpg", quality=95)
            to_image(before.flip(0) * 0.8 + 0.1).save(folder / name / f"{pair + 5}_1.jpg", quality=95)
        (folder / name / "prompt.json").write_text(json.dumps(
            {"caption": f"a red house {i}", "edit": f"paint it blue, {i}", "output": f"a blue house {i}"}))
        index.append([name, ["5", "6"]])
    (folder / "seeds.json").write_text(json.dumps(index))
    return folder


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip") / "tiny"
    return folder, clip_models.make_clip("tiny", folder)


@pytest.fixture
def evaluated(ip2p, checkpoint, dataset, clip, tmp_path):
    """evaluated("standard") -> (folder of the run, its curve as ip2p printed it)."""

    def run(clip_input, *more):
        out = tmp_path / clip_input
        printed = ip2p("evaluate", "--ckpt", checkpoint("tiny"), "--clip", clip[0], "--dataset", dataset, "--out-dir", out,
                       "--split", "train", "--max-samples", SAMPLES, "--steps", 3, "--resolution", SIDE, "--precision",
                       "fp32", "--image-guidance", ",".join(map(str, GUIDANCE)), "--clip-input", clip_input,
                       "--save-images", "--json", *more)
        return out, json.loads(printed)

    return run


def samples_of(out, dataset):
    """(number, record, prompt) of each line of the journal."""
    lines = [json.loads(line) for line in (out / "samples.jsonl").read_text().splitlines()]
    names = json.loads((dataset / "seeds.json").read_text())
    for record in lines[1:]:
        name, seeds = names[record["example"]]
        yield record["sample"], record, json.loads((dataset / name / "prompt.json").read_text()), seeds[record["choice"]]


def tensor(path):
    """[3,H,W] in 0..1."""
    return torch.from_numpy(np.asarray(Image.open(path).convert("RGB")).astype(np.float32) / 255).permute(2, 0, 1)


@torch.no_grad()
def reference(out, dataset, clip, reference_range):
    """The reference's ClipSimilarity (metrics/clip_similarity.py), and PyTorch's losses, of the saved pictures."""
    folder, model = clip
    tokenizer = CLIPTokenizer.from_pretrained(folder)
    shown = (lambda x: 2 * x - 1) if reference_range else (lambda x: x)
    rows = {g: {m: [] for m in METRICS} for g in GUIDANCE}
    for number, _, prompt, _ in samples_of(out, dataset):
        picture = lambda what: tensor(out / f"images/{number:06d}-{what}.png")  # noqa: B023, E731
        before, target = picture("input"), picture("target")
        texts = [prompt["caption"], prompt["output"]]
        for guidance in GUIDANCE:
            edit = picture(f"t7.5-i{guidance:g}")
            sim_0, sim_1, sim_direction, sim_image = clip_similarity(
                model, tokenizer, shown(torch.stack([before, edit])), texts, 32)[2].tolist()
            clip_i = clip_similarity(model, tokenizer, shown(torch.stack([target, edit])), texts, 32)[2][3].item()
            figures = [sim_direction, sim_image, sim_0, sim_1, clip_i, F.l1_loss(edit, target).item(),
                       F.mse_loss(edit, target).item()]
            for metric, value in zip(METRICS, figures):
                rows[guidance][metric].append(value)
    return {g: {m: statistics.mean(values) for m, values in row.items()} for g, row in rows.items()}


@pytest.mark.parametrize("clip_input", ["standard", "reference"])
def test_figures_are_those_of_transformers_and_torch(evaluated, dataset, clip, clip_input):
    out, report = evaluated(clip_input)
    want = reference(out, dataset, clip, clip_input == "reference")
    assert report["settings"]["clip_input"] == clip_input and report["samples"] == SAMPLES
    assert [p["image_guidance"] for p in report["points"]] == GUIDANCE
    errors = [abs(point[m] - want[point["image_guidance"]][m]) for point in report["points"] for m in METRICS]
    print(f"{clip_input}: off by at most {max(errors):.1e}")
    assert max(errors) < TOLERANCE
    table = list(csv.DictReader((out / "curve.csv").open()))
    for row, point in zip(table, report["points"], strict=True):
        assert all(float(row[m]) == pytest.approx(point[m], rel=1e-8) for m in METRICS)
    directions = [point["clip_direction"] for point in report["points"]]
    assert len(set(directions)) == len(GUIDANCE), "edits that are all alike prove nothing"
    # The other range gives other figures: a mix-up of the two would show.
    other = reference(out, dataset, clip, clip_input != "reference")
    assert max(abs(other[g]["clip_image"] - want[g]["clip_image"]) for g in GUIDANCE) > 100 * TOLERANCE


def test_pictures_are_the_pairs_and_the_edits_of_ip2p_edit(evaluated, ip2p, checkpoint, dataset, tmp_path):
    out, _ = evaluated("standard")
    for number, record, prompt, seed in samples_of(out, dataset):
        home = dataset / f"{record['example']:07d}"
        for half, what in enumerate(("input", "target")):
            want = np.asarray(Image.open(home / f"{seed}_{half}.jpg").convert("RGB")).astype(int)
            found = np.asarray(Image.open(out / f"images/{number:06d}-{what}.png")).astype(int)
            assert np.abs(found - want).max() <= 1  # two JPEG decoders
        ip2p("edit", "--ckpt", checkpoint("tiny"), "--input", out / f"images/{number:06d}-input.png", "--output",
             tmp_path / "edit.png", "--edit", prompt["edit"], "--steps", 3, "--resolution", SIDE, "--seed", record["seed"],
             "--precision", "fp32", "--cfg-text", 7.5, "--cfg-image", 1.6)
        assert np.array_equal(np.asarray(Image.open(tmp_path / "edit.png")),
                              np.asarray(Image.open(out / f"images/{number:06d}-t7.5-i1.6.png")))
