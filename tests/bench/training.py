"""Training steps of ours against PyTorch and diffusers: the same UNet, batch and precision, one after the other.

    python tests/bench/training.py [--latent 32] [--batch 4] [--steps 8] [--precision bf16] [--what ours,peer,recompute]

UNet of about 20 M parameters. A step is zero gradients, loss, backward pass, AdamW and the average of the weights. Prints a
JSON line a contender: median seconds of a step (the first two left out), the process's peak memory, and ratios to the peer.
"""

import argparse
import json
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1]), str(pathlib.Path(__file__).resolve().parents[1] / "parity")]
import checkpoints  # noqa: E402
from conftest import BIN  # noqa: E402

WARM_UP = 2


def bench_config():
    unet = checkpoints._unet([96, 192, 288], [True, True, True], cross=256, heads=6, layers=1)
    return dict(unet=unet, vae=checkpoints._vae([32, 32, 32, 32], 256, layers=1), text=checkpoints._text(256, 1, 4),
                prediction="epsilon", pad="<|endoftext|>")


def peer(model, latent, batch, steps, precision, threads):
    """In a process of its own: what a training loop on diffusers does, with its memory format and autocast."""
    import torch
    from diffusers import DDPMScheduler, UNet2DConditionModel

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    unet = UNet2DConditionModel.from_pretrained(model / "unet").train().to(memory_format=torch.channels_last)
    schedule = DDPMScheduler.from_pretrained(model / "scheduler", clip_sample=False)
    optimizer = torch.optim.AdamW(unet.parameters(), lr=1e-4)
    shadow = [p.detach().clone() for p in unet.parameters()]
    moments = torch.randn(batch, 8, latent, latent)
    condition, text = torch.randn(batch, 4, latent, latent), torch.randn(batch, 77, unet.config.cross_attention_dim)
    seconds = []
    for _ in range(steps):
        begin = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        mean, variance = moments.chunk(2, 1)
        z = 0.18215 * (mean + (0.5 * variance.clamp(-30, 20)).exp() * torch.randn_like(mean))
        noise, t = torch.randn_like(z), torch.randint(0, 1000, (batch,))
        noisy = torch.cat([schedule.add_noise(z, noise, t), condition], 1)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            out = unet(noisy.contiguous(memory_format=torch.channels_last), t, text).sample
        torch.nn.functional.mse_loss(out.float(), noise).backward()
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(shadow, list(unet.parameters()), 1e-4)
        seconds.append(time.perf_counter() - begin)
    print(json.dumps({"seconds": seconds, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
                      "parameters": sum(p.numel() for p in unet.parameters())}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latent", type=int, default=32)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="bf16")
    parser.add_argument("--what", default="peer,ours,recompute")
    parser.add_argument("--peer-model", type=pathlib.Path, help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.peer_model:
        return peer(a.peer_model, a.latent, a.batch, a.steps, a.precision, a.threads)
    checkpoints.CONFIGS["bench"] = bench_config()
    with tempfile.TemporaryDirectory() as folder:
        model = checkpoints.make_checkpoint("bench", pathlib.Path(folder) / "bench")
        ours = [BIN / "tests/training_bench", model, a.latent, a.batch, a.steps, a.precision, a.threads]
        commands = {"peer": [sys.executable, __file__, "--peer-model", model, "--latent", a.latent, "--batch", a.batch,
                             "--steps", a.steps, "--threads", a.threads, "--precision", a.precision],
                    "ours": ours, "recompute": [*ours, "recompute"]}
        base = None
        for name in a.what.split(","):
            result = subprocess.run([str(x) for x in commands[name]], capture_output=True, text=True, check=True)
            figures = json.loads(result.stdout.splitlines()[-1])
            line = {"contender": name, "step_s": statistics.median(figures["seconds"][WARM_UP:]),
                    "peak_mb": figures["peak_mb"], "parameters": figures["parameters"]}
            base = base or (line if name == "peer" else None)
            if base and name != "peer":
                line |= {"time_ratio": line["step_s"] / base["step_s"], "memory_ratio": line["peak_mb"] / base["peak_mb"]}
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
