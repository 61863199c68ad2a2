"""The shipped models (deploy/models/shapes) in diffusers' own pipelines and transformers' CLIP, live: same seed, same
picture."""

import json

import numpy as np
import pytest
import torch
from conftest import ROOT
from diffusers import EulerAncestralDiscreteScheduler, StableDiffusionPipeline
from pair_reference import PairReference
from PIL import Image
from test_edit import assert_same_picture, diffusers_edit, our_edit
from test_pairs import assert_same_pair, levels, our_pairs, saved
from transformers import CLIPModel, CLIPTokenizer

SHAPES = ROOT / "deploy" / "models" / "shapes"
EDITS = ["make it night", "put it on grass", "turn the background into a sunset"]
CAPTIONS = ["a red circle on a grass background", "a blue heart and a white ring on sand", "a small yellow star at night"]


@pytest.fixture(scope="module")
def scenes(ip2p, tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    ip2p("shapes", "draw", "--out-dir", folder, "--count", len(EDITS), "--seed", 77)
    rows = [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]
    return [(folder / row["file_name"], row["caption"]) for row in rows]


@pytest.mark.parametrize("case", range(len(EDITS)))
def test_the_edit_folder_gives_the_same_picture_in_diffusers(ip2p, scenes, tmp_path, case):
    scene, _ = scenes[case]
    ours = our_edit(ip2p, SHAPES / "edit", scene, tmp_path / "out.png", EDITS[case], 30, case)
    assert ours.size == (128, 128), "the model's own resolution"
    assert_same_picture(ours, diffusers_edit(SHAPES / "edit", Image.open(scene), EDITS[case], 30, case))


def diffusers_picture(caption, seed, steps, scale):
    """As StableDiffusionPipeline makes it, from the noise of a pair's sample: after the start noise, two numbers are
    drawn (for the share of steps and the scale), then the ancestral noise."""
    pipe = StableDiffusionPipeline.from_pretrained(SHAPES / "text-to-image", torch_dtype=torch.float32,
                                                   safety_checker=None, local_files_only=True)  # fmt: skip
    assert isinstance(pipe.scheduler, EulerAncestralDiscreteScheduler)
    pipe.set_progress_bar_config(disable=True)
    generator = torch.Generator("cpu").manual_seed(seed)
    noise = torch.randn((1, 4, 16, 16), generator=generator)
    torch.rand((), generator=generator), torch.rand((), generator=generator)
    picture = pipe(caption, latents=noise, num_inference_steps=steps, guidance_scale=scale, height=128, width=128,
                   generator=generator, output_type="np").images[0]  # fmt: skip
    return Image.fromarray((picture * 255).astype(np.uint8))  # cut off, not rounded, as the original saves its pairs


@pytest.mark.parametrize("case", range(len(CAPTIONS)))
def test_the_text_to_image_folder_gives_the_same_picture_in_diffusers(tmp_path, case):
    our_pairs(tmp_path, SHAPES / "text-to-image", caption=CAPTIONS[case], output=CAPTIONS[case - 1], seeds=[case],
              steps=30, resolution=128, min_cfg=5, max_cfg=5, min_p2p=0, max_p2p=0)  # fmt: skip
    ours = Image.fromarray(saved(tmp_path, case)[0].astype(np.uint8))
    assert_same_picture(ours, diffusers_picture(CAPTIONS[case], case, 30, 5))


# A small part changes; most of the picture does; the photo is what the edit leads to.
@pytest.mark.parametrize(("word", "other", "common", "local", "shows"), [
    ("circle", "star", 0.5, True, "before"),
    ("at night", "on grass", 0.2, False, "before"),
    ("circle", "star", 0.5, True, "after"),
])  # fmt: skip
def test_pairs_of_photos_are_those_of_pytorch(ip2p, tmp_path, word, other, common, local, shows):
    """Common steps to the photo, DiffEdit's region at the photo's own noise, Prompt-to-Prompt in it."""
    ip2p("shapes", "draw", "--out-dir", tmp_path / "set", "--count", "100", "--seed", "5")
    rows = [json.loads(line) for line in (tmp_path / "set/metadata.jsonl").read_text().splitlines()]
    row = next(row for row in rows if row["caption"].count(word) == 1)
    photo, caption, edited = tmp_path / "set" / row["file_name"], row["caption"], row["caption"].replace(word, other)
    before, after = (caption, edited) if shows == "before" else (edited, caption)
    our_pairs(tmp_path, SHAPES / "text-to-image", caption=before, output=after, seeds=[3, 4], steps=10, photo=str(photo),
              photo_shows=shows, common_steps=common, resolution=128, min_cfg=2, max_cfg=5, min_p2p=0.5,
              max_p2p=0.9)  # fmt: skip
    reference = PairReference(SHAPES / "text-to-image")
    picture = torch.tensor(np.asarray(Image.open(photo).convert("RGB"))).permute(2, 0, 1)[None] / 255
    for seed in (3, 4):
        images, *_ = reference.pair(caption, edited, seed, 10, 128, (0.5, 0.9), (2, 5), photo=picture,
                                    common_steps=common)
        ours, theirs = saved(tmp_path, seed)[:: 1 if shows == "before" else -1], levels(images)
        theirs[0] = np.asarray(Image.open(photo).convert("RGB"))  # the photo itself, not cut off
        assert np.array_equal(ours[0], theirs[0])
        assert_same_pair(ours, theirs)
        changed = np.abs(ours[1] - ours[0]).max(-1) > 40
        assert (changed.mean() < 0.2) == local, changed.mean()


def test_a_photo_of_the_edited_caption_has_the_scores_of_the_pair_turned_round(scenes, tmp_path):
    photo, caption = scenes[0]
    edited = caption + " at night" if "night" not in caption else caption.replace("night", "sunset")
    order = dict(photo=str(photo), seeds=[3], steps=8, common_steps=0.4, resolution=128, min_cfg=2, max_cfg=5,
                 clip=str(SHAPES / "clip"), clip_threshold=0.01)  # fmt: skip
    scores = []
    for shows, before, after in (("before", caption, edited), ("after", edited, caption)):
        report = our_pairs(tmp_path, SHAPES / "text-to-image", caption=before, output=after, photo_shows=shows, **order)
        scores.append(report["samples"][0]["scores"])
    before, after, direction, images = scores[0]
    assert abs(before - after) > 1e-3, "equal scores prove nothing"
    assert scores[1] == pytest.approx([after, before, direction, images], abs=1e-5)


def test_the_clip_folder_opens_in_transformers_and_tells_captions_apart(scenes):
    clip = CLIPModel.from_pretrained(SHAPES / "clip", dtype=torch.float32, local_files_only=True).eval()
    tokenizer = CLIPTokenizer.from_pretrained(SHAPES / "clip", local_files_only=True)
    side = clip.config.vision_config.image_size
    config = json.loads((SHAPES / "clip" / "preprocessor_config.json").read_text())
    mean, std = (torch.tensor(config[name]).view(3, 1, 1) for name in ("image_mean", "image_std"))
    pictures = []
    for scene, _ in scenes:
        resized = Image.open(scene).convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
        pictures.append((torch.tensor(np.asarray(resized)).permute(2, 0, 1) / 255 - mean) / std)
    texts = tokenizer([caption for _, caption in scenes], padding=True, return_tensors="pt")
    with torch.no_grad():
        scores = clip(pixel_values=torch.stack(pictures), **texts).logits_per_image
    assert scores.argmax(1).tolist() == list(range(len(scenes)))
