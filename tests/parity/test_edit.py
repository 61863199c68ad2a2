"""Whole edits, `ip2p edit` against diffusers' StableDiffusionInstructPix2PixPipeline, live: same weights, same seed."""

import math
import pathlib

import numpy as np
import pytest
import torch
from conftest import only_full
from diffusers import EulerAncestralDiscreteScheduler, StableDiffusionInstructPix2PixPipeline
from PIL import Image, ImageOps

PHOTO = pathlib.Path(__file__).resolve().parents[1] / "testdata" / "photo.jpg"


def fitted(photo, resolution):
    """The reference's size rule."""
    width, height = photo.size
    factor = resolution / max(width, height)
    factor = math.ceil(min(width, height) * factor / 64) * 64 / min(width, height)
    size = int((width * factor) // 64) * 64, int((height * factor) // 64) * 64
    return ImageOps.fit(photo, size, method=Image.Resampling.LANCZOS)


def diffusers_edit(model, photo, text, steps, seed, cfg_text=7.5, cfg_image=1.5, negative=None):
    pipe = StableDiffusionInstructPix2PixPipeline.from_pretrained(
        model, torch_dtype=torch.float32, safety_checker=None, local_files_only=True
    )
    pipe.scheduler = EulerAncestralDiscreteScheduler.from_config(pipe.scheduler.config)
    pipe.set_progress_bar_config(disable=True)
    return pipe(
        text,
        image=photo,
        num_inference_steps=steps,
        guidance_scale=cfg_text,
        image_guidance_scale=cfg_image,
        negative_prompt=negative,
        generator=torch.Generator("cpu").manual_seed(seed),
    ).images[0]


def our_edit(ip2p, model, source, out, text, steps, seed, *more):
    ip2p("edit", "--ckpt", model, "--input", source, "--output", out, "--edit", text, "--steps", steps, "--seed", seed,
         "--precision", "fp32", *more)
    return Image.open(out)


def assert_same_picture(ours, theirs):
    a, b = np.asarray(ours.convert("RGB"), np.int16), np.asarray(theirs.convert("RGB"), np.int16)
    assert a.shape == b.shape
    difference = np.abs(a - b)
    assert b.std() > 5, "a flat picture proves nothing"
    assert difference.max() <= 2 and difference.mean() < 0.2, (difference.max(), difference.mean())


# Width, height of the input, which the size rule leaves alone.
@pytest.mark.parametrize("size", [(128, 128), (192, 128), (256, 256)], ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("model", ["tiny", "tiny-sd2"])
def test_same_seed_same_picture(ip2p, checkpoint, tmp_path, model, size):
    photo = ImageOps.fit(Image.open(PHOTO), size)
    photo.save(tmp_path / "in.png")
    ours = our_edit(ip2p, checkpoint(model), tmp_path / "in.png", tmp_path / "out.png", "turn it into a painting", 10,
                    11, "--resolution", max(size))
    assert_same_picture(ours, diffusers_edit(checkpoint(model), photo, "turn it into a painting", 10, 11))


@pytest.mark.parametrize("cfg_text, cfg_image", [(3, 1.2), (9, 2), (2, 2), (5, 1)])
def test_guidance_scales(ip2p, checkpoint, tmp_path, cfg_text, cfg_image):
    photo = fitted(Image.open(PHOTO), 128)
    ours = our_edit(ip2p, checkpoint("tiny"), PHOTO, tmp_path / "out.png", "make it snow", 15, 5, "--resolution", 128,
                    "--cfg-text", cfg_text, "--cfg-image", cfg_image)
    assert_same_picture(ours, diffusers_edit(checkpoint("tiny"), photo, "make it snow", 15, 5, cfg_text, cfg_image))


def test_photo_is_fitted_as_the_reference_does(ip2p, checkpoint, tmp_path):
    photo = fitted(Image.open(PHOTO), 192)
    ours = our_edit(ip2p, checkpoint("tiny"), PHOTO, tmp_path / "out.png", "make it snow", 8, 4294967295,
                    "--resolution", 192)
    assert_same_picture(ours, diffusers_edit(checkpoint("tiny"), photo, "make it snow", 8, 4294967295))


def test_negative_prompt(ip2p, checkpoint, tmp_path):
    photo = fitted(Image.open(PHOTO), 128)
    ours = our_edit(ip2p, checkpoint("tiny"), PHOTO, tmp_path / "out.png", "make it snow", 10, 3, "--resolution", 128,
                    "--negative", "blurry, dark")
    assert_same_picture(ours, diffusers_edit(checkpoint("tiny"), photo, "make it snow", 10, 3, negative="blurry, dark"))


def test_converted_folder_opens_in_diffusers_with_the_same_picture(ip2p, checkpoint, tmp_path):
    """Ours -> one file -> folder, then diffusers on that folder."""
    ip2p("model", "convert", checkpoint("tiny"), tmp_path / "one.safetensors")
    ip2p("model", "convert", tmp_path / "one.safetensors", tmp_path / "folder")
    photo = fitted(Image.open(PHOTO), 128)
    ours = our_edit(ip2p, checkpoint("tiny"), PHOTO, tmp_path / "out.png", "make it snow", 10, 3, "--resolution", 128)
    assert_same_picture(ours, diffusers_edit(tmp_path / "folder", photo, "make it snow", 10, 3))


def test_every_layout_gives_the_same_file(ip2p, checkpoint, tmp_path):
    """Folder, one-file .safetensors, and .ckpt whose EMA weights stand beside different raw ones."""
    import compvis_layout

    compvis_layout.write_safetensors(checkpoint("tiny"), tmp_path / "one.safetensors")
    compvis_layout.write_ckpt(checkpoint("tiny"), tmp_path / "one.ckpt", ema=True)
    files = []
    for i, model in enumerate([checkpoint("tiny"), tmp_path / "one.safetensors", tmp_path / "one.ckpt"]):
        our_edit(ip2p, model, PHOTO, tmp_path / f"{i}.png", "make it snow", 5, 2, "--resolution", 128)
        files.append((tmp_path / f"{i}.png").read_bytes())
    assert files[0] == files[1] == files[2]


@only_full
def test_full_size_sd15(ip2p, checkpoint, tmp_path):
    photo = fitted(Image.open(PHOTO), 128)
    ours = our_edit(ip2p, checkpoint("sd15"), PHOTO, tmp_path / "out.png", "make it snow", 3, 1, "--resolution", 128)
    assert_same_picture(ours, diffusers_edit(checkpoint("sd15"), photo, "make it snow", 3, 1))
