"""Masked edits, `ip2p edit --mask` and `--auto-mask`, against a plain loop over diffusers' networks, SciPy's distance and
Pillow, live: same weights, same seed."""

import math
import pathlib

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from diffusers import StableDiffusionInstructPix2PixPipeline
from PIL import Image, ImageDraw, ImageOps
from scipy.ndimage import distance_transform_edt

PHOTO = pathlib.Path(__file__).resolve().parents[1] / "testdata" / "photo.jpg"
SIZE = (192, 128)  # which the size rule leaves alone
STEPS, SEED, TEXT, CFG_TEXT, CFG_IMAGE = 10, 11, "turn it into a painting", 7.5, 1.5


class Reference:
    """The method in torch, with what the pipeline's parts give; no speed is sought."""

    def __init__(self, model):
        pipe = StableDiffusionInstructPix2PixPipeline.from_pretrained(model, torch_dtype=torch.float32, safety_checker=None,
                                                                      local_files_only=True)  # fmt: skip
        self.unet, self.vae, self.pipe = pipe.unet, pipe.vae, pipe
        self.v = pipe.scheduler.config.prediction_type == "v_prediction"
        abar = pipe.scheduler.alphas_cumprod.double()
        self.logs = ((1 - abar) / abar).sqrt().log()

    def sigmas(self):
        times = torch.linspace(len(self.logs) - 1, 0, STEPS, dtype=torch.float64)
        low, high = times.floor().long(), times.ceil().long()
        return [*((1 - (times - low)) * self.logs[low] + (times - low) * self.logs[high]).exp().tolist(), 0.0], times.tolist()

    def text(self, words):
        ids = self.pipe.tokenizer(words, padding="max_length", truncation=True, max_length=77, return_tensors="pt").input_ids
        return self.pipe.text_encoder(ids).last_hidden_state

    @torch.no_grad()
    def edit(self, photo, mask=None, threshold=None):
        """photo [H,W,3] bytes, mask [H,W] bool -> (picture [H,W,3] bytes, relevance [h,w] or None)."""
        pixels = torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 127.5 - 1
        image = self.vae.encode(pixels).latent_dist.mode()
        z0 = image * self.vae.config.scaling_factor
        cells = None if mask is None else F.max_pool2d(torch.from_numpy(mask)[None, None].float(), 8) > 0
        text = torch.cat([self.text(TEXT), self.text(""), self.text("")])
        generator = torch.Generator().manual_seed(SEED)
        sigmas, times = self.sigmas()
        x = torch.randn(z0.shape, generator=generator) * sigmas[0]
        differences, relevance = 0, None
        for i, (sigma, following) in enumerate(zip(sigmas, sigmas[1:])):
            scaled = x / math.sqrt(sigma**2 + 1)
            inputs = torch.cat([torch.cat([scaled, condition], 1) for condition in (image, image, torch.zeros_like(image))])
            full, only, none = self.unet(inputs, torch.full((3,), times[i]), text).sample.split(1)
            out = none + CFG_IMAGE * (only - none) + CFG_TEXT * (full - only)
            if self.v:
                denoised = x / (sigma**2 + 1) - out * sigma / math.sqrt(sigma**2 + 1)
            else:
                denoised = x - sigma * out
            if threshold is not None and cells is None:
                unit = 1 / math.sqrt(sigma**2 + 1) if self.v else 1
                differences = differences + (full - only).abs().mean(1, keepdim=True) * unit
                if times[i] < 500 or i == STEPS - 1:
                    relevance = normalised(differences[0, 0].numpy())
                    cells = F.max_pool2d((torch.from_numpy(relevance)[None, None] >= threshold).float(), 3, 1, 1) > 0
            if cells is not None:
                denoised = cells * denoised + ~cells * z0
            up = min(following, math.sqrt(following**2 * (sigma**2 - following**2) / sigma**2))
            x = x + (x - denoised) / sigma * (math.sqrt(following**2 - up**2) - sigma)
            if following > 0:
                x = x + torch.randn(z0.shape, generator=generator) * up
        decoded = self.vae.decode(x / self.vae.config.scaling_factor).sample
        return ((decoded / 2 + 0.5).clamp(0, 1)[0].permute(1, 2, 0) * 255).round().byte().numpy(), relevance


def normalised(differences):
    """Mean of 3x3, then 0 and 1 at the means of the two classes whose split leaves the least variance inside."""
    padded = np.pad(differences.astype(np.float64), 1)
    ones = np.pad(np.ones_like(differences, np.float64), 1)
    shifted = [(slice(y, y + differences.shape[0]), slice(x, x + differences.shape[1])) for y in range(3) for x in range(3)]
    smooth = sum(padded[s] for s in shifted) / sum(ones[s] for s in shifted)
    values = np.unique(smooth)
    within = lambda t: sum(((part - part.mean()) ** 2).sum() for part in (smooth[smooth <= t], smooth[smooth > t]))  # noqa: E731
    split = min(values[:-1], key=within)
    low, high = smooth[smooth <= split].mean(), smooth[smooth > split].mean()
    return np.clip((smooth - low) / (high - low), 0, 1)


def composed(photo, edit, mask, feather):
    """SciPy's Euclidean distance to the nearest kept pixel fades the edit in."""
    share = np.round(np.minimum(distance_transform_edt(mask) / (feather + 1), 1) * 255) / 255
    share = share[..., None]
    return np.where(mask[..., None], photo + (edit.astype(float) - photo) * share, photo)


def a_mask(size):
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).ellipse((size[0] * 0.3, size[1] * 0.2, size[0] * 0.8, size[1] * 0.9), fill=255)
    return mask


def files(tmp_path, size):
    photo, mask = ImageOps.fit(Image.open(PHOTO), size), a_mask(size)
    photo.save(tmp_path / "photo.png")
    mask.save(tmp_path / "mask.png")
    return np.asarray(photo.convert("RGB")), np.asarray(mask) > 127


def our_edit(ip2p, model, tmp_path, *more, name="out.png"):
    ip2p("edit", "--ckpt", model, "-i", tmp_path / "photo.png", "-o", tmp_path / name, "-e", TEXT, "--steps", STEPS, "--seed", SEED,
         "--precision", "fp32", *more)
    return np.asarray(Image.open(tmp_path / name).convert("RGB"))


def assert_close(ours, theirs):
    difference = np.abs(ours.astype(float) - theirs)
    assert difference.max() <= 2.5 and difference.mean() < 0.2, (difference.max(), difference.mean())


@pytest.mark.parametrize("feather", [0, 8])
@pytest.mark.parametrize("model", ["tiny", "tiny-sd2"])
def test_a_given_mask(ip2p, checkpoint, tmp_path, model, feather):
    photo, mask = files(tmp_path, SIZE)
    edit, _ = Reference(checkpoint(model)).edit(photo, mask)
    ours = our_edit(ip2p, checkpoint(model), tmp_path, "--resolution", 192, "--mask", tmp_path / "mask.png", "--mask-feather", feather)
    assert np.abs(edit.astype(int) - photo)[mask].mean() > 5, "an edit of nothing proves nothing"
    assert_close(ours, composed(photo, edit, mask, feather))


@pytest.mark.parametrize("model", ["tiny", "tiny-sd2"])
def test_a_found_mask(ip2p, checkpoint, tmp_path, model):
    photo, _ = files(tmp_path, SIZE)
    edit, relevance = Reference(checkpoint(model)).edit(photo, threshold=0.5)
    ours = our_edit(ip2p, checkpoint(model), tmp_path, "--resolution", 192, "--auto-mask", "--mask-output", tmp_path / "found.png")
    found = np.asarray(Image.open(tmp_path / "found.png").convert("L")) > 0
    cells = Image.fromarray(np.round(relevance * 255).astype(np.uint8))
    theirs = np.asarray(cells.resize(SIZE, Image.Resampling.LANCZOS)) >= 127.5
    assert 0.02 < found.mean() < 0.98
    assert (found == theirs).mean() > 0.999  # a level of rounding moves the contour by less than a pixel
    assert_close(ours, composed(photo, edit, found, 8))


def test_the_edit_comes_back_at_the_photos_size_as_pillow_would_make_it(ip2p, checkpoint, tmp_path):
    """The denoised picture itself is seen through a mask of everything."""
    photo, mask = files(tmp_path, (451, 300))
    small = Image.fromarray(photo).resize((192, 128), Image.Resampling.LANCZOS)
    edit, _ = Reference(checkpoint("tiny")).edit(np.asarray(small), np.ones((128, 192), bool))
    large = np.asarray(Image.fromarray(edit).resize((451, 300), Image.Resampling.LANCZOS))
    Image.new("L", (451, 300), 255).save(tmp_path / "mask.png")
    assert_close(our_edit(ip2p, checkpoint("tiny"), tmp_path, "--resolution", 128, "--mask", tmp_path / "mask.png"), large)
