"""The filters inside of the sampler: the safety checker's opinion of a pair is diffusers', CLIP and checker change neither
pictures nor draws, and a sample's scores don't depend on its batch."""

import clip_models
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from test_clip import feature_extractor
from test_pairs import our_pairs, saved

SEEDS = list(range(1, 9))
ORDER = dict(steps=4, resolution=64, seeds=SEEDS)


@torch.no_grad()
def test_unsafe_pairs_are_those_that_diffusers_flags(checkpoint, tmp_path):
    model = clip_models.make_safety_checker("tiny", tmp_path)
    plain = our_pairs(tmp_path, checkpoint("tiny4"), **ORDER)
    assert not any(sample["unsafe"] for sample in plain["samples"])
    pictures = {seed: saved(tmp_path, seed) for seed in SEEDS}
    inputs = torch.stack([feature_extractor(Image.open(tmp_path / f"{seed}_{i}.png"), 32) for seed in SEEDS
                          for i in (0, 1)])
    cosines = F.normalize(model.visual_projection(model.vision_model(inputs)[1])) @ F.normalize(model.concept_embeds).T
    model.special_care_embeds_weights.fill_(2)
    model.concept_embeds_weights.fill_(2)
    # Midway between the third and the fourth of the pictures nearest to a concept.
    model.concept_embeds_weights[4] = cosines[:, 4].sort(descending=True).values[2:4].mean()
    clip_models.save_safety_checker(model, tmp_path)
    _, flagged = model(clip_input=inputs, images=[np.zeros((8, 8, 3)) for _ in inputs])
    want = [flagged[2 * i] or flagged[2 * i + 1] for i in range(len(SEEDS))]
    assert sum(flagged) == 3 and 0 < sum(want) < len(want)
    checked = our_pairs(tmp_path, checkpoint("tiny4"), safety_checker=str(tmp_path / "safety_checker"), **ORDER)
    assert [sample["unsafe"] for sample in checked["samples"]] == want
    assert all(np.array_equal(saved(tmp_path, seed), pictures[seed]) for seed in SEEDS), "judged, not blackened"
    assert checked["fingerprint"] != plain["fingerprint"]


def test_scores_do_not_feel_the_batch(checkpoint, tmp_path):
    clip_models.make_clip("tiny", tmp_path / "clip")
    with_clip = dict(ORDER, clip=str(tmp_path / "clip"), clip_threshold=0.1)
    reports = [our_pairs(tmp_path, checkpoint("tiny4"), batch=batch, **with_clip) for batch in (1, 3, 8)]
    assert reports[0]["samples"] == reports[1]["samples"] == reports[2]["samples"]
    assert len({tuple(sample["scores"]) for sample in reports[0]["samples"]}) == len(SEEDS)
    plain = our_pairs(tmp_path, checkpoint("tiny4"), **ORDER)
    assert all("scores" not in sample for sample in plain["samples"])
    for sample, scored in zip(plain["samples"], reports[0]["samples"]):
        assert (sample["p2p_threshold"], sample["cfg_scale"]) == (scored["p2p_threshold"], scored["cfg_scale"])


def test_fingerprint_follows_the_models(checkpoint, tmp_path):
    order = dict(steps=1, resolution=64, seeds=[1])
    clip_models.make_clip("tiny", tmp_path / "clip")
    first = our_pairs(tmp_path, checkpoint("tiny4"), clip=str(tmp_path / "clip"), **order)["fingerprint"]
    assert our_pairs(tmp_path, checkpoint("tiny4"), clip=str(tmp_path / "clip"), **order)["fingerprint"] == first
    clip_models.make_clip("tiny", tmp_path / "clip", seed=1)
    other_clip = our_pairs(tmp_path, checkpoint("tiny4"), clip=str(tmp_path / "clip"), **order)["fingerprint"]
    other_model = our_pairs(tmp_path, checkpoint("tiny4", seed=5), clip=str(tmp_path / "clip"), **order)["fingerprint"]
    assert len({first, other_clip, other_model}) == 3


@pytest.mark.parametrize("fault", ["clip", "safety_checker"])
def test_a_missing_filter_is_named(checkpoint, tmp_path, fault):
    done = our_pairs(tmp_path, checkpoint("tiny4"), check=False, steps=1, resolution=64, **{fault: str(tmp_path / "no")})
    assert done.returncode == 1 and "NOT_FOUND" in done.stderr and str(tmp_path) not in done.stderr, done.stderr
