"""Training steps against PyTorch and diffusers, live: loss, every gradient, weights and averages after ten updates.

The reference's formulas stand here as the original has them (ddpm_edit.py, ddim's q_sample, LitEma) on diffusers'
networks and torch's own AdamW. Both sides get the same weights, pictures, noise, timesteps and dropout numbers.
"""

import subprocess

import pytest
import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from diffusers.training_utils import compute_snr
from safetensors.torch import load_file, save_file
from test_model import load_text

from conftest import BIN, only_full

TOLERANCE = 1e-4  # of the largest value of a tensor; measured 1.6e-5 (gradients), 3.4e-6 (weights and averages)
BATCH, SIDE, RATE, DECAY, UNCOND = 4, 64, 1e-4, 0.9999, 0.05


def make_inputs(steps, latent, seed=0):
    g = torch.Generator().manual_seed(seed)
    inputs = {}
    for i in range(steps):
        ids = torch.full((BATCH, 77), 49407)
        ids[:, 0] = 49406
        ids[:, 1:9] = torch.randint(0, 49000, (BATCH, 8), generator=g)
        inputs |= {f"{i}.ids": ids,
                   f"{i}.after": torch.rand(BATCH, 3, SIDE, SIDE, generator=g) * 2 - 1,
                   f"{i}.before": torch.rand(BATCH, 3, SIDE, SIDE, generator=g) * 2 - 1,
                   f"{i}.timesteps": torch.randint(0, 1000, (BATCH,), generator=g),
                   f"{i}.noise": torch.randn(BATCH, 4, latent, latent, generator=g),
                   f"{i}.posterior_noise": torch.randn(BATCH, 4, latent, latent, generator=g),
                   # One sample of each kind: text dropped, both, image, nothing.
                   f"{i}.dropout": torch.tensor([0.02, 0.07, 0.12, 0.6])[torch.randperm(BATCH, generator=g)]}
    return inputs


def ours(tmp_path, model, inputs, *words):
    save_file({k: v.contiguous() for k, v in inputs.items()}, tmp_path / "in.safetensors")
    subprocess.run([BIN / "tests/training_probe", model, tmp_path / "in.safetensors",
                    tmp_path / "out.safetensors", *words], check=True)
    return load_file(tmp_path / "out.safetensors")


class Reference:
    """One objective as the original trains it."""

    def __init__(self, model, edits, train_text=False, gamma=None, guidance=None):
        self.edits, self.train_text, self.gamma, self.guidance = edits, train_text, gamma, guidance
        self.pad = 0 if "sd2" in model.name else 49407
        self.unet = UNet2DConditionModel.from_pretrained(model / "unet").train()
        self.vae = AutoencoderKL.from_pretrained(model / "vae").eval().requires_grad_(False)
        self.text = load_text(model).requires_grad_(train_text)
        self.schedule = DDPMScheduler.from_pretrained(model / "scheduler", clip_sample=False)
        if edits and self.unet.config.in_channels == 4:
            self.widen()

    def widen(self):
        old = self.unet.conv_in
        new = torch.nn.Conv2d(8, old.out_channels, old.kernel_size, old.stride, old.padding)
        with torch.no_grad():
            new.weight.zero_()
            new.weight[:, :4] = old.weight
            new.bias.copy_(old.bias)
        self.unet.conv_in = new

    def named(self):
        names = {f"unet.{n}": p for n, p in self.unet.named_parameters()}
        if self.train_text:
            for n, p in self.text.named_parameters():
                names[f"text_encoder.{n if n.startswith('text_model.') else 'text_model.' + n}"] = p
        return names

    def loss(self, inputs, i):
        x = {k: inputs[f"{i}.{k}"] for k in
             ("after", "before", "ids", "timesteps", "noise", "posterior_noise", "dropout")}
        posterior = self.vae.encode(x["after"]).latent_dist
        z = 0.18215 * (posterior.mean + posterior.std * x["posterior_noise"])
        cond = self.text(x["ids"])[0]
        empty = torch.full((1, 77), self.pad)
        empty[0, :2] = torch.tensor([49406, 49407])
        null = self.text(empty)[0]
        random, uncond = x["dropout"], UNCOND
        prompt_mask = (random < 2 * uncond)[:, None, None]
        cond = torch.where(prompt_mask, null, cond)
        noisy = self.schedule.add_noise(z, x["noise"], x["timesteps"])
        if self.edits:
            input_mask = 1 - ((random >= uncond).float() * (random < 3 * uncond).float())[:, None, None, None]
            noisy = torch.cat([noisy, input_mask * self.vae.encode(x["before"]).latent_dist.mode()], dim=1)
        target = x["noise"]
        velocity = self.schedule.config.prediction_type == "v_prediction"
        if velocity:
            target = self.schedule.get_velocity(z, x["noise"], x["timesteps"])
        out = self.unet(noisy, x["timesteps"], cond).sample
        if self.guidance is not None:  # arXiv 2501.15420: the guided prediction is to fit; here not weighed by scale^2
            with torch.no_grad():
                untold = self.unet(noisy, x["timesteps"], null.expand(BATCH, -1, -1)).sample
            scale = torch.where(prompt_mask[..., None], 1.0, self.guidance)
            out, target = (untold + scale * (out - untold)) / scale, target / scale
        errors = torch.nn.functional.mse_loss(target, out, reduction="none").mean(dim=[1, 2, 3])
        if self.gamma is not None:  # diffusers' examples/text_to_image/train_text_to_image.py
            snr = compute_snr(self.schedule, x["timesteps"])
            errors = errors * snr.clamp(max=self.gamma) / (snr + 1 if velocity else snr)
        return errors.mean()


class LitEma:
    """The reference's average of the weights (ldm/modules/ema.py)."""

    def __init__(self, named):
        self.updates = 0
        self.shadow = {n: p.detach().clone() for n, p in named.items()}

    def __call__(self, named):
        self.updates += 1
        decay = min(DECAY, (1 + self.updates) / (10 + self.updates))
        for n, p in named.items():
            self.shadow[n].sub_((1.0 - decay) * (self.shadow[n] - p.detach()))


def close(got, want, name, floor=1e-6):
    assert got.shape == want.shape, name
    scale = want.abs().max().clamp_min(floor)
    error = ((got - want).abs().max() / scale).item()
    assert error < TOLERANCE, f"{name}: off by {error:.2e} of {scale:.2e}"
    return error


# Group norms of more than one channel: of one, the bias before it has no gradient, and AdamW makes steps of rounding.
def near(got, want, name, certain):
    """AdamW's step is m / (sqrt(v) + 1e-8), the gradient over its own size: an element whose gradient is all rounding
    (say 1e-9, of either sign) moves a full learning rate either way, on both sides alike. So every element is compared
    whose gradient was at least 1 % of its tensor's largest in all ten steps, which gradients equal to 1e-4 of the largest
    make certain to 1 %; all elements may differ by three of the ten steps (measured: two), and whole tensors by norm."""
    assert got.shape == want.shape, name
    scale = want.abs().max().clamp_min(1e-6)
    difference = (got - want).abs()
    error = (difference[certain].max() / scale).item() if certain.any() else 0.0
    assert error < TOLERANCE, f"{name}: an element with a gradient is off by {error:.2e} of {scale:.2e}"
    whole = (difference.norm() / want.norm().clamp_min(1e-6)).item()
    assert whole < TOLERANCE, f"{name}: off by {whole:.2e}"
    assert difference.max().item() < 3 * RATE, f"{name}: an element is off by {difference.max().item():.2e}"
    return error


CASES = [("tiny4-odd", "instruct-pix2pix", ()), ("tiny-odd", "instruct-pix2pix", ("recompute",)),
         ("tiny4-odd", "text-to-image", ("text",)), ("tiny4-sd2", "text-to-image", ()),
         ("tiny-sd2", "instruct-pix2pix", ()), ("tiny4-odd", "instruct-pix2pix", ("min-snr",)),
         ("tiny4-sd2", "text-to-image", ("min-snr",)), ("tiny4-odd", "instruct-pix2pix", ("guided",)),
         ("tiny4-odd", "text-to-image", ("guided", "min-snr", "text"))]


@pytest.mark.parametrize("config,objective,words", CASES)
def test_one_step_and_ten(config, objective, words, checkpoint, tmp_path):
    model = checkpoint(config)
    reference = Reference(model, objective == "instruct-pix2pix", "text" in words,
                          5 if "min-snr" in words else None, 3 if "guided" in words else None)
    factor = 2 ** (len(reference.vae.config.block_out_channels) - 1)
    inputs = make_inputs(10, SIDE // factor)
    got = ours(tmp_path, model, inputs, objective, *words)
    named = reference.named()
    optimizer = torch.optim.AdamW(named.values(), lr=RATE)
    ema = LitEma(named)
    worst, certain = {}, {n: torch.ones_like(p, dtype=torch.bool) for n, p in named.items()}
    for i in range(10):
        optimizer.zero_grad()
        loss = reference.loss(inputs, i)
        loss.backward()
        assert got[f"loss.{i}"].item() == pytest.approx(loss.item(), rel=TOLERANCE), f"loss of step {i}"
        if i == 0:
            assert {n for n in got if n.startswith("grad.")} == {f"grad.{n}" for n in named}
            # The bias of keys moves all scores of a query alike: its gradient is rounding, on both sides.
            floor = 1e-4 * max(p.grad.abs().max().item() for p in named.values())
            worst["gradient"] = max(close(got[f"grad.{n}"], p.grad, f"gradient of {n}", floor)
                                    for n, p in named.items())
        for n, p in named.items():
            certain[n] &= p.grad.abs() > 0.01 * p.grad.abs().max().clamp_min(floor)
        optimizer.step()
        ema(named)
    with torch.no_grad():
        named = {n: p for n, p in named.items() if not n.endswith("k_proj.bias")}
        worst["weight"] = max(near(got[f"weight.{n}"], p, f"weight {n}", certain[n]) for n, p in named.items())
        worst["average"] = max(near(got[f"ema.{n}"], ema.shadow[n], f"average of {n}", certain[n])
                               for n in named)
        unet = [c for n, c in certain.items() if n.startswith("unet.")]  # most tokens are in no text
        share = sum(c.sum().item() for c in unet) / sum(c.numel() for c in unet)
    assert share > 0.2, "the elements with a gradient are few"  # measured 29 % and more
    print(config, objective, *words, f"{share:.0%} of elements", {k: f"{v:.1e}" for k, v in worst.items()})


@only_full
def test_loss_at_full_size(checkpoint, tmp_path):
    model = checkpoint("sd15-4ch")
    inputs = make_inputs(1, SIDE // 8)
    got = ours(tmp_path, model, inputs, "instruct-pix2pix", "loss")
    with torch.no_grad():
        want = Reference(model, edits=True).loss(inputs, 0)
    assert got["loss.0"].item() == pytest.approx(want.item(), rel=TOLERANCE)
