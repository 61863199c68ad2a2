"""Every sampler and sigma schedule against its source, live: k-diffusion, and diffusers for ddim and unipc.

Both sides denoise with one formula, start from one seed and must end at the same latents: this covers the sigmas, the
update, the order of noise draws and the ends.
"""

import importlib
import math
import subprocess
import sys
import types

import pytest
import torch
from conftest import BIN
from diffusers import DDIMScheduler, UniPCMultistepScheduler
from safetensors.torch import load_file, save_file

# Of the result's range. Measured over 20 seeds: 2e-5 at most (float32 scalars there, double here), most under 3e-6.
TOLERANCE = 1e-4
# lms ends by extrapolating from four close sigmas, at this schedule over 16 times their distance, and float32 rounding
# grows with the cube of that: the reference differs from itself in float64 by 3e-5. Measured over 20 seeds: 1e-4.
LOOSER = {("lms", "exponential", 100): 5e-4}
SHAPE = (1, 4, 16, 8)
SEED = 20231
STEPS = (1, 2, 5, 20, 100)
SCHEDULES = ("default", "karras", "exponential")
TRAINING = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=1000)
K_DIFFUSION = {
    "euler_a": "sample_euler_ancestral",
    "euler": "sample_euler",
    "heun": "sample_heun",
    "dpm2_a": "sample_dpm_2_ancestral",
    "dpmpp_2s_a": "sample_dpmpp_2s_ancestral",
    "dpmpp_2m": "sample_dpmpp_2m",
    "dpmpp_2m_sde": "sample_dpmpp_2m_sde",
    "lms": "sample_lms",
}
SAMPLERS = (*K_DIFFUSION, "ddim", "unipc")


def load_k_diffusion():
    """k_diffusion.sampling and .external alone: the package's own __init__ imports its training code."""
    spec = importlib.util.find_spec("k_diffusion")
    package = types.ModuleType("k_diffusion")
    package.__path__ = list(spec.submodule_search_locations)
    torchvision = types.ModuleType("torchvision")  # for image files in k_diffusion.utils, not used here
    torchvision.transforms = types.ModuleType("torchvision.transforms")
    torchvision.transforms.functional = types.ModuleType("torchvision.transforms.functional")
    stubs = {
        "k_diffusion": package,
        "torchvision": torchvision,
        "torchvision.transforms": torchvision.transforms,
        "torchvision.transforms.functional": torchvision.transforms.functional,
    }
    saved = {name: sys.modules.get(name) for name in stubs}
    sys.modules.update(stubs)
    try:
        return importlib.import_module("k_diffusion.sampling"), importlib.import_module("k_diffusion.external")
    finally:
        for name, module in saved.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


sampling, external = load_k_diffusion()
DISCRETE = external.DiscreteSchedule(
    ((1 - DDIMScheduler(**TRAINING).alphas_cumprod) / DDIMScheduler(**TRAINING).alphas_cumprod) ** 0.5, quantize=False
)


def inputs():
    generator = torch.Generator().manual_seed(1)
    draw = lambda: torch.randn(SHAPE, generator=generator)  # noqa: E731
    return {
        "mean": draw(),
        "x": draw() * 3,
        "output": draw(),
        "sigmas": torch.tensor([14.7, 14.6, 7.3, 1.0, 0.31, 0.0292, 0.001]),
        "timesteps": torch.tensor([0.0, 0.5, 1.0, 17.25, 500.0, 998.75, 999.0]),
    }


INPUTS = inputs()


def denoise(x, sigma):
    """The same as AnalyticDenoised in sampler_probe.cc."""
    variance = float(sigma) ** 2
    return (x * 0.25 + INPUTS["mean"] * variance) / (0.25 + variance) + torch.tanh(x) * (
        0.3 * variance / (1 + variance) ** 2
    )


def sigmas_of(schedule, steps):
    if schedule == "default":
        return DISCRETE.get_sigmas(steps)
    get = sampling.get_sigmas_karras if schedule == "karras" else sampling.get_sigmas_exponential
    return get(steps, DISCRETE.sigma_min.item(), DISCRETE.sigma_max.item())


def k_diffusion_run(sampler, schedule, steps):
    sigmas = sigmas_of(schedule, steps)
    torch.manual_seed(SEED)
    start = torch.randn(SHAPE)
    # ddim on another schedule than its own: Euler's step, from diffusers' start.
    x = start * (1 + sigmas[0] ** 2) ** 0.5 if sampler == "ddim" else start * sigmas[0]
    if sampler == "dpmpp_2m_sde" and steps == 1:
        return denoise(x, sigmas[0])  # k-diffusion 0.1.1 raises UnboundLocalError here
    more = {}
    if sampler == "dpmpp_2m_sde":  # plain draws in place of its Brownian tree, see multistep_samplers.cc
        more["noise_sampler"] = lambda sigma, sigma_next: torch.randn(SHAPE)
    function = getattr(sampling, K_DIFFUSION.get(sampler, "sample_euler"))
    return function(lambda x, sigma: denoise(x, sigma[0]), x, sigmas, disable=True, **more)


def diffusers_run(scheduler, steps):
    scheduler.set_timesteps(steps)
    torch.manual_seed(SEED)
    sample = torch.randn(SHAPE) * scheduler.init_noise_sigma
    for i, t in enumerate(scheduler.timesteps):
        if isinstance(scheduler, DDIMScheduler):
            sigma = float(((1 - scheduler.alphas_cumprod[t]) / scheduler.alphas_cumprod[t]) ** 0.5)
        else:
            sigma = float(scheduler.sigmas[i])
        x = sample * math.sqrt(1 + sigma**2)  # from the variance-preserving scale
        epsilon = (x - denoise(x, sigma)) / sigma
        sample = scheduler.step(epsilon, t, sample).prev_sample
    return sample


def reference(sampler, schedule, steps):
    if sampler == "ddim" and schedule == "default":
        return diffusers_run(
            DDIMScheduler(**TRAINING, clip_sample=False, set_alpha_to_one=False, steps_offset=1), steps
        )
    if sampler == "unipc":
        more = {} if schedule == "default" else {f"use_{schedule}_sigmas": True}
        return diffusers_run(UniPCMultistepScheduler(**TRAINING, **more), steps)
    return k_diffusion_run(sampler, schedule, steps)


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    folder = tmp_path_factory.mktemp("samplers")
    runs = [f"{a}/{b}/{n}/{SEED}" for a in SAMPLERS for b in SCHEDULES for n in STEPS]
    metadata = {"runs": " ".join(runs), "schedules": " ".join(f"{b}/{n}" for b in SCHEDULES for n in STEPS)}
    save_file(INPUTS, folder / "in.safetensors", metadata)
    command = [BIN / "tests" / "sampler_probe", folder / "in.safetensors", folder / "out.safetensors"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return load_file(folder / "out.safetensors")


def error(ours, theirs):
    """Largest difference, in parts of the reference's range."""
    assert ours.shape == theirs.shape and torch.isfinite(theirs).all()
    return ((ours - theirs).abs().max() / (theirs.max() - theirs.min())).item()


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_sampler(ours, record_property, sampler, schedule, steps):
    difference = error(ours[f"run/{sampler}/{schedule}/{steps}/{SEED}"], reference(sampler, schedule, steps))
    record_property("error", difference)
    print(f"{sampler} {schedule} {steps}: {difference:.2e}")
    assert difference < LOOSER.get((sampler, schedule, steps), TOLERANCE)


def test_the_formula_tells_samplers_apart():
    """Else the comparison above would prove little."""
    results = {a: reference(a, "karras", 5) for a in SAMPLERS}
    for i, first in enumerate(SAMPLERS):
        for second in SAMPLERS[i + 1 :]:
            assert error(results[first], results[second]) > 3 * TOLERANCE, (first, second)


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_sigmas(ours, schedule, steps):
    # The reference takes 1 - abar in float32, where sigma_min loses digits: 4e-5 of it.
    torch.testing.assert_close(ours[f"schedule/{schedule}/{steps}"], sigmas_of(schedule, steps), rtol=5e-5, atol=0)


def test_sigmas_and_timesteps(ours):
    torch.testing.assert_close(ours["timesteps"], DISCRETE.sigma_to_t(INPUTS["sigmas"]), rtol=0, atol=5e-4)
    torch.testing.assert_close(ours["sigmas"], DISCRETE.t_to_sigma(INPUTS["timesteps"]), rtol=5e-5, atol=0)


@pytest.mark.parametrize("prediction", ["epsilon", "v"])
def test_denoiser(ours, prediction):
    """The network's input and what its answer means, against DiscreteEpsDDPMDenoiser and DiscreteVDDPMDenoiser."""
    given = []

    def network(x, timestep):
        given.append(x)
        return INPUTS["output"].expand_as(x)

    denoiser = external.DiscreteEpsDDPMDenoiser if prediction == "epsilon" else external.DiscreteVDDPMDenoiser
    wrapped = denoiser(network, DDIMScheduler(**TRAINING).alphas_cumprod, quantize=False)
    sigmas = INPUTS["sigmas"]
    theirs = wrapped(INPUTS["x"].expand(len(sigmas), -1, -1, -1), sigmas)
    torch.testing.assert_close(ours["input"], given[0], rtol=2e-6, atol=1e-6)
    torch.testing.assert_close(ours[prediction], theirs, rtol=2e-6, atol=1e-5)
