"""Each network of ours against diffusers and transformers, live, with the same weights and inputs."""

import subprocess

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel

from conftest import BIN

TOLERANCE = 1e-4  # of the output's range, in fp32; measured 1e-6
SMALL = ["tiny", "tiny4", "tiny-sd2", "tiny-odd"]


def ours(tmp_path, network, model, inputs, dtype="fp32"):
    save_file({k: v.contiguous() for k, v in inputs.items()}, tmp_path / "in.safetensors")
    subprocess.run([BIN / "tests/model_probe", network, model, tmp_path / "in.safetensors",
                    tmp_path / "out.safetensors", dtype], check=True)
    return load_file(tmp_path / "out.safetensors")["out"]


def relative_error(got, want):
    assert got.shape == want.shape
    assert want.isfinite().all() and want.std() > 1e-3, "a flat output proves nothing"
    return ((got.float() - want.float()).abs().max() / (want.max() - want.min())).item()


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def load_unet(model):
    return UNet2DConditionModel.from_pretrained(model / "unet").eval()


def load_vae(model):
    return AutoencoderKL.from_pretrained(model / "vae").eval()


def load_text(model):
    config = CLIPTextConfig.from_pretrained(model / "text_encoder")
    net = CLIPTextModel(config)
    state = load_file(model / "text_encoder/model.safetensors")
    names = net.state_dict().keys()
    strip = not any(n.startswith("text_model.") for n in names)
    net.load_state_dict({n.removeprefix("text_model.") if strip else n: t for n, t in state.items()})
    return net.eval()


def unet_inputs(unet, batch, height, width):
    return {"x": noise(batch, unet.config.in_channels, height, width, seed=1),
            "timesteps": torch.linspace(999.0, 0.25, batch),
            "text": noise(batch, 77, unet.config.cross_attention_dim, seed=2)}


def run_unet(unet, inputs):
    return unet(inputs["x"], inputs["timesteps"], inputs["text"]).sample


@pytest.mark.parametrize("model", ["tiny", "tiny-sd2", "tiny-odd"])
@torch.no_grad()
def test_text_encoder(checkpoint, tmp_path, model):
    net = load_text(checkpoint(model))
    ids = torch.randint(0, 49406, (3, 77), generator=torch.Generator().manual_seed(3))
    ids[:, 0], ids[0, 30:], ids[1, 76:] = 49406, 49407, 49407
    got = ours(tmp_path, "text", checkpoint(model), {"ids": ids})
    assert relative_error(got, net(ids).last_hidden_state) < TOLERANCE


# A square, a wide one, sizes that no halving divides, and the smallest that is well-conditioned: at 8x8 the last level
# has one pixel, and its group norms divide by the spread of two numbers.
@pytest.mark.parametrize("size", [(16, 16), (24, 8), (13, 11), (9, 16), (8, 16)], ids=str)
@pytest.mark.parametrize("model", SMALL)
@torch.no_grad()
def test_unet(checkpoint, tmp_path, model, size):
    net = load_unet(checkpoint(model))
    inputs = unet_inputs(net, 3, *size)
    assert relative_error(ours(tmp_path, "unet", checkpoint(model), inputs), run_unet(net, inputs)) < TOLERANCE


@pytest.mark.parametrize("size", [(64, 64), (32, 96), (128, 64)], ids=str)
@pytest.mark.parametrize("model", ["tiny", "tiny-odd"])
@torch.no_grad()
def test_vae(checkpoint, tmp_path, model, size):
    net = load_vae(checkpoint(model))
    images = noise(2, 3, *size, seed=4).clamp(-1, 1)
    moments = net.quant_conv(net.encoder(images))
    assert relative_error(ours(tmp_path, "encode", checkpoint(model), {"x": images}), moments) < TOLERANCE
    factor = 2 ** (len(net.config.block_out_channels) - 1)
    latents = noise(2, 4, size[0] // factor, size[1] // factor, seed=5) / net.config.scaling_factor
    assert relative_error(ours(tmp_path, "decode", checkpoint(model), {"x": latents}),
                          net.decode(latents).sample) < TOLERANCE


@torch.no_grad()
def test_full_size_sd15(checkpoint, tmp_path):
    """The published architecture itself: every network once."""
    model = checkpoint("sd15")
    ids = torch.randint(0, 49406, (1, 77), generator=torch.Generator().manual_seed(3))
    assert relative_error(ours(tmp_path, "text", model, {"ids": ids}),
                          load_text(model)(ids).last_hidden_state) < TOLERANCE
    vae = load_vae(model)
    images = noise(1, 3, 64, 64, seed=4).clamp(-1, 1)
    moments = vae.quant_conv(vae.encoder(images))
    assert relative_error(ours(tmp_path, "encode", model, {"x": images}), moments) < TOLERANCE
    latents = noise(1, 4, 8, 8, seed=5)
    assert relative_error(ours(tmp_path, "decode", model, {"x": latents}), vae.decode(latents).sample) < TOLERANCE
    unet = load_unet(model)
    inputs = unet_inputs(unet, 1, 16, 16)
    assert relative_error(ours(tmp_path, "unet", model, inputs), run_unet(unet, inputs)) < TOLERANCE


@pytest.mark.parametrize("model", ["tiny", "tiny-sd2"])
@torch.no_grad()
def test_bf16_errs_no_more_than_diffusers_in_bf16(checkpoint, tmp_path, model):
    """Root mean square error against fp32, ours and diffusers' own."""
    folder = checkpoint(model)
    unet, vae = load_unet(folder), load_vae(folder)
    inputs = unet_inputs(unet, 3, 32, 32)
    images = noise(1, 3, 128, 128, seed=4).clamp(-1, 1)
    latents = noise(1, 4, 16, 16, seed=5) / vae.config.scaling_factor
    exact = {"unet": run_unet(unet, inputs), "encode": vae.quant_conv(vae.encoder(images)),
             "decode": vae.decode(latents).sample}
    unet, vae = unet.bfloat16(), vae.bfloat16()
    half = {k: v.bfloat16() for k, v in inputs.items() if k != "timesteps"} | {"timesteps": inputs["timesteps"]}
    theirs = {"unet": run_unet(unet, half), "encode": vae.quant_conv(vae.encoder(images.bfloat16())),
              "decode": vae.decode(latents.bfloat16()).sample}
    for network, given in (("unet", inputs), ("encode", {"x": images}), ("decode", {"x": latents})):
        got = ours(tmp_path, network, folder, given, "bf16")
        error = (got - exact[network]).square().mean().sqrt()
        allowed = 1.5 * (theirs[network].float() - exact[network]).square().mean().sqrt()
        assert error < allowed, (network, error.item(), allowed.item())
