"""CLIP of ours against transformers, and the safety checker against diffusers, live, with the same random weights."""

import json
import shutil
import subprocess

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import CLIPTokenizer

import clip_models
from conftest import BIN, only_full

PROBE = BIN / "tests/clip_probe"
FEATURES = 1e-4  # of unit features, in fp32; measured 2e-7
SCORES = 1e-3    # what a dataset may differ by; measured 4e-7
ROUNDING = 1e-6     # the same weights at other addresses: a matrix product may add in another order
TEXTS = ["a red circle on grass", "a blue circle on grass", "", "photo of a café, 50% off!!", "word " * 200]


def clip_similarity(model, tokenizer, images, texts, size):
    """The reference's ClipSimilarity with transformers' model: features of unit length and the four scores."""
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (clip_models.MEAN, clip_models.STD))
    pixels = (F.interpolate(images.float(), size=size, mode="bicubic", align_corners=False) - mean) / std
    context = model.config.text_config.max_position_embeddings
    ids = tokenizer(texts, padding="max_length", truncation=True, max_length=context, return_tensors="pt").input_ids
    image = model.visual_projection(model.vision_model(pixels).pooler_output)
    text = model.text_projection(model.text_model(ids).pooler_output)
    image, text = (f / f.norm(dim=1, keepdim=True) for f in (image, text))
    cosine = lambda a, b: F.cosine_similarity(a, b, dim=0)  # noqa: E731
    scores = torch.stack([cosine(image[0], text[0]), cosine(image[1], text[1]),
                          cosine(image[1] - image[0], text[1] - text[0]), cosine(image[0], image[1])])
    return image, text, scores


def pictures(count, size, seed=0):
    """Soft blobs rather than noise, so that resizing keeps what tells them apart."""
    coarse = torch.rand(count, 3, 6, 6, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(coarse, size=size, mode="bilinear", align_corners=False).clamp(0, 1)


def ours(tmp_path, folder, images, texts, dtype="fp32", check=True):
    save_file({"images": images.contiguous()}, tmp_path / "in.safetensors")
    (tmp_path / "texts.json").write_text(json.dumps(texts))
    done = subprocess.run([PROBE, "features", folder, tmp_path / "in.safetensors", tmp_path / "texts.json",
                           tmp_path / "out.safetensors", dtype], capture_output=True, text=True)
    if not check:
        return done
    assert done.returncode == 0, done.stderr
    found = load_file(tmp_path / "out.safetensors")
    return found["images"], found["texts"], found["scores"]


@torch.no_grad()
def compare(tmp_path, name, images, texts):
    model = clip_models.make_clip(name, tmp_path / "clip")
    tokenizer = CLIPTokenizer.from_pretrained(tmp_path / "clip")
    want = clip_similarity(model, tokenizer, images, texts, clip_models.CLIPS[name]["vision_config"]["image_size"])
    got = ours(tmp_path, tmp_path / "clip", images, texts)
    shutil.rmtree(tmp_path / "clip")  # up to four gigabytes, which pytest would keep
    errors = [(g - w).abs().max().item() for g, w in zip(got, want)]
    print(f"{name}: images {errors[0]:.1e}, texts {errors[1]:.1e}, scores {errors[2]:.1e}")
    assert (want[0][0] - want[0][1]).norm() > 1e-2 and (want[1][0] - want[1][1]).norm() > 1e-2, "nothing to tell apart"
    assert max(errors[:2]) < FEATURES and errors[2] < SCORES, errors


@pytest.mark.parametrize("size", [(64, 64), (24, 24), (256, 256), (40, 88)], ids=str)
@pytest.mark.parametrize("name", ["tiny", "odd", "mixed"])
def test_features_and_scores(tmp_path, name, size):
    compare(tmp_path, name, pictures(5, size), TEXTS)


@pytest.mark.parametrize("name", ["ViT-B/32", "ViT-B/16", *(pytest.param(name, marks=only_full) for name in
                                                            ("ViT-L/14", "ViT-L/14@336px", "ViT-H/14"))])  # fmt: skip
def test_published_shapes(tmp_path, name):
    compare(tmp_path, name, pictures(2, (256, 256)), TEXTS[:2])


@torch.no_grad()
def test_bf16_is_near(tmp_path):
    model = clip_models.make_clip("ViT-B/32", tmp_path / "clip")
    tokenizer = CLIPTokenizer.from_pretrained(tmp_path / "clip")
    images = pictures(2, (256, 256))
    want = clip_similarity(model, tokenizer, images, TEXTS[:2], 224)
    got = ours(tmp_path, tmp_path / "clip", images, TEXTS[:2], "bf16")
    for g, w in zip(got[:2], want[:2]):
        assert F.cosine_similarity(g, w).min() > 0.999
    assert (got[2] - want[2]).abs().max() < 0.01  # measured 0.002


def test_a_feature_does_not_feel_its_batch(tmp_path):
    clip_models.make_clip("tiny", tmp_path / "clip")
    images = pictures(7, (64, 64))
    together = ours(tmp_path, tmp_path / "clip", images, TEXTS[:2])[0]
    for i in (0, 5):
        assert torch.equal(ours(tmp_path, tmp_path / "clip", images[i:i + 2], TEXTS[:2])[0], together[i:i + 2])


@torch.no_grad()
def test_as_transformers_saves_it(tmp_path):
    """save_pretrained of the installed version, in both formats, and half precision on disk."""
    model = clip_models.make_clip("tiny", tmp_path / "clip")
    want = ours(tmp_path, tmp_path / "clip", pictures(2, (64, 64)), TEXTS[:2])
    model.save_pretrained(tmp_path / "clip")
    again = ours(tmp_path, tmp_path / "clip", pictures(2, (64, 64)), TEXTS[:2])
    assert all((a - b).abs().max() < ROUNDING for a, b in zip(again, want))
    (tmp_path / "clip/model.safetensors").unlink()
    state = model.state_dict() | {"text_model.embeddings.position_ids": torch.arange(77)[None]}
    torch.save(state, tmp_path / "clip/pytorch_model.bin")
    again = ours(tmp_path, tmp_path / "clip", pictures(2, (64, 64)), TEXTS[:2])
    assert all((a - b).abs().max() < ROUNDING for a, b in zip(again, want))
    half = clip_models.make_clip("tiny", tmp_path / "half", dtype=torch.float16)
    tokenizer = CLIPTokenizer.from_pretrained(tmp_path / "half")
    want = clip_similarity(half, tokenizer, pictures(2, (64, 64)), TEXTS[:2], 32)
    got = ours(tmp_path, tmp_path / "half", pictures(2, (64, 64)), TEXTS[:2])
    assert all((g - w).abs().max() < FEATURES for g, w in zip(got, want))


@torch.no_grad()
def test_configs_of_2022(tmp_path):
    """text_config_dict and vision_config_dict rule over text_config and vision_config, with class defaults."""
    model = clip_models.make_clip("tiny", tmp_path / "clip")
    path = tmp_path / "clip/config.json"
    config = json.loads(path.read_text())
    towers = clip_models.CLIPS["tiny"]
    config["text_config_dict"], config["vision_config_dict"] = towers["text_config"], towers["vision_config"]
    config["text_config"] |= {"hidden_size": 512, "hidden_act": "gelu", "top_k": 50, "length_penalty": 1.0}
    config["vision_config"] |= {"patch_size": 4, "num_beams": 1}
    path.write_text(json.dumps(config))
    assert type(model.config).from_pretrained(tmp_path / "clip").text_config.hidden_act == "quick_gelu"
    tokenizer = CLIPTokenizer.from_pretrained(tmp_path / "clip")
    want = clip_similarity(model, tokenizer, pictures(2, (64, 64)), TEXTS[:2], 32)
    got = ours(tmp_path, tmp_path / "clip", pictures(2, (64, 64)), TEXTS[:2])
    assert all((g - w).abs().max() < FEATURES for g, w in zip(got, want))


def test_not_finite_is_refused(tmp_path):
    for value in (float("nan"), float("inf")):
        clip_models.make_clip("tiny", tmp_path / "clip")
        state = load_file(tmp_path / "clip/model.safetensors")
        name = "vision_model.encoder.layers.1.mlp.fc2.weight"
        state[name][3, 5] = value
        save_file(state, tmp_path / "clip/model.safetensors")
        done = ours(tmp_path, tmp_path / "clip", pictures(2, (32, 32)), TEXTS[:2], check=False)
        assert done.returncode == 1 and "DATA_LOSS" in done.stderr and name in done.stderr, done.stderr


def to_image(picture):
    return Image.fromarray((picture.permute(1, 2, 0) * 255).byte().numpy())


def feature_extractor(image, size):
    """CLIPImageProcessor's arithmetic, by Pillow."""
    short = min(image.size)
    image = image.resize(tuple(int(size * side / short) for side in image.size), Image.Resampling.BICUBIC)
    left, top = (image.width - size) // 2, (image.height - size) // 2
    pixels = np.asarray(image.crop((left, top, left + size, top + size))).astype(np.float32) / 255
    pixels = (pixels - np.float32(clip_models.MEAN)) / np.float32(clip_models.STD)
    return torch.from_numpy(pixels).permute(2, 0, 1)


def safety(tmp_path, folder, images):
    names = []
    for i, image in enumerate(images):
        names.append(tmp_path / f"{i}.png")
        image.save(names[-1])
    done = subprocess.run([PROBE, "safety", folder, *names, tmp_path / "out.json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads((tmp_path / "out.json").read_text())


@pytest.mark.parametrize("name,shape", [("tiny", (64, 64)), ("tiny", (96, 64)), ("odd", (64, 80)),
                                        ("tiny", (32, 32)), ("ViT-L/14", (256, 256))])
@torch.no_grad()
def test_safety_checker(tmp_path, name, shape):
    size = clip_models.CLIPS[name]["vision_config"]["image_size"]
    model = clip_models.make_safety_checker(name, tmp_path / "pipeline")
    images = [to_image(p) for p in pictures(4 if "/" in name else 12, shape)]
    inputs = torch.stack([feature_extractor(image, size) for image in images])
    features = F.normalize(model.visual_projection(model.vision_model(inputs)[1]))
    # Thresholds amid the pictures: each concept is passed by some and not by others, some by the special 0.01 alone.
    concepts = features @ F.normalize(model.concept_embeds).T
    special = features @ F.normalize(model.special_care_embeds).T
    model.concept_embeds_weights.copy_(concepts.max(0).values + 0.02)
    spread = concepts[:, 0].sort().values
    model.concept_embeds_weights[0] = spread[-2:].mean()
    model.concept_embeds_weights[1] = concepts[:, 1].max() + 0.005
    model.special_care_embeds_weights.copy_(special.max(0).values + 0.02)
    model.special_care_embeds_weights[1] = special[:, 1].median()
    clip_models.save_safety_checker(model, tmp_path / "pipeline")
    excess = torch.cat([special - model.special_care_embeds_weights, concepts - model.concept_embeds_weights], 1)
    _, want = model(clip_input=inputs, images=[np.zeros((8, 8, 3)) for _ in images])
    assert 0 < sum(want) < len(want), "all alike proves nothing"
    found = safety(tmp_path, tmp_path / "pipeline/safety_checker", images)
    assert [one["unsafe"] for one in found] == want
    for one, values in zip(found, excess):
        if "special" in one:
            assert np.abs(np.array(one["special"] + one["concepts"]) - values.numpy()).max() < FEATURES


def same_verdicts(got, want):
    """The same images are unsafe, and every cosine is the same but for the last bits (ROUNDING)."""
    return len(got) == len(want) and all(
        g["unsafe"] == w["unsafe"] and g.keys() == w.keys() and
        all(np.abs(np.array(g[part]) - np.array(w[part])).max() < ROUNDING for part in ("special", "concepts") if part in w)
        for g, w in zip(got, want))


def test_published_safety_checker_names_and_torch_file(tmp_path):
    """pytorch_model.bin with the names of the published file, position_ids included; no feature_extractor beside."""
    model = clip_models.make_safety_checker("tiny", tmp_path / "pipeline")
    image = [to_image(pictures(1, (32, 32))[0])]
    want = safety(tmp_path, tmp_path / "pipeline/safety_checker", image)
    state = load_file(tmp_path / "pipeline/safety_checker/model.safetensors")
    assert any(n.startswith("vision_model.vision_model.") for n in state)
    state["vision_model.vision_model.embeddings.position_ids"] = torch.arange(17)[None]
    (tmp_path / "pipeline/safety_checker/model.safetensors").unlink()
    torch.save(state, tmp_path / "pipeline/safety_checker/pytorch_model.bin")
    assert same_verdicts(safety(tmp_path, tmp_path / "pipeline/safety_checker", image), want)
    model.save_pretrained(tmp_path / "pipeline/safety_checker")  # the installed version's own names
    (tmp_path / "pipeline/safety_checker/pytorch_model.bin").unlink()
    assert same_verdicts(safety(tmp_path, tmp_path / "pipeline/safety_checker", image), want)
