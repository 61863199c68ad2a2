"""Training steps of ours against PyTorch and diffusers: the same UNet, batch and precision, one after the other.

    python tests/bench/training.py [--model 20m|slim|sd15] [--batch 8] [--steps 8] [--precision bf16]
                                   [--what peer,ours,recompute,adamw8,ranks]

`20m`: about 20 M parameters at 32x32 latents; `sd15`: Stable Diffusion 1.5's size at 8x8 latents (20 GB); `slim`: the
same at 0.4 of its width (4 GB). A step is zero
gradients, loss, backward pass, AdamW and the average of the weights. Prints a JSON line a contender: median seconds of a
step (the first two left out), the process's peak memory over those steps, what of it came and went with a step
(activations and gradients that are not kept), and ratios to the peer. `ranks`: two processes of one thread with half the
batch each, over Gloo; compare with `ours` at two threads.
"""

import argparse
import ctypes
import json
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1]), str(pathlib.Path(__file__).resolve().parents[1] / "parity")]
import checkpoints  # noqa: E402
from conftest import BIN  # noqa: E402

WARM_UP = 2
MODELS = {"20m": ("bench", 32), "slim": ("slim", 8), "sd15": ("sd15", 8)}  # checkpoint, side of the latents


def bench_config(channels, attention, cross, layers, heads):
    unet = checkpoints._unet(channels, attention, cross=cross, heads=heads, layers=layers)
    return dict(unet=unet, vae=checkpoints._vae([32, 32, 32, 32], 256, layers=1), text=checkpoints._text(cross, 1, 4),
                prediction="epsilon", pad="<|endoftext|>")


class Memory:
    """This process's resident memory in MB, from /proc: now, and its peak since forget()."""

    def forget(self):
        pathlib.Path("/proc/self/clear_refs").write_text("5")

    def of(self, field):
        status = pathlib.Path("/proc/self/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith(field)).split()[1]) // 1024


def peer(model, latent, batch, steps, precision, threads, average):
    """In a process of its own: what a training loop on diffusers does, with its memory format and autocast."""
    import torch
    from diffusers import DDPMScheduler, UNet2DConditionModel

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    unet = UNet2DConditionModel.from_pretrained(model / "unet").train().to(memory_format=torch.channels_last)
    schedule = DDPMScheduler.from_pretrained(model / "scheduler", clip_sample=False)
    optimizer = torch.optim.AdamW(unet.parameters(), lr=1e-4)
    shadow = [p.detach().clone() for p in unet.parameters()] if average else []
    moments = torch.randn(batch, 8, latent, latent)
    condition, text = torch.randn(batch, 4, latent, latent), torch.randn(batch, 77, unet.config.cross_attention_dim)
    seconds, memory, rest = [], Memory(), 0
    for step in range(steps):
        if step == WARM_UP:
            optimizer.zero_grad(set_to_none=True)
            ctypes.CDLL(None).malloc_trim(0)
            rest = memory.of("VmRSS")
            memory.forget()
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
            if average:
                torch._foreach_lerp_(shadow, list(unet.parameters()), 1e-4)
        seconds.append(time.perf_counter() - begin)
    print(json.dumps({"seconds": seconds, "peak_mb": memory.of("VmHWM"), "rest_mb": rest,
                      "parameters": sum(p.numel() for p in unet.parameters())}))


def run(*commands):
    """The figures of the first of several processes that run side by side."""
    processes = [subprocess.Popen([str(x) for x in command], stdout=subprocess.PIPE, text=True) for command in commands]
    outputs = [process.communicate()[0] for process in processes]
    if any(process.returncode for process in processes):
        sys.exit("a contender failed")
    return json.loads(outputs[0].splitlines()[-1])


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=sorted(MODELS), default="20m")
    parser.add_argument("--latent", type=int)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="bf16")
    parser.add_argument("--what", default="peer,ours,recompute")
    parser.add_argument("--no-average", action="store_true", help="of the weights: 4 bytes a parameter less on both sides")
    parser.add_argument("--folder", type=pathlib.Path, help="where the model is kept between runs; else it is not")
    parser.add_argument("--peer-model", type=pathlib.Path, help=argparse.SUPPRESS)
    a = parser.parse_args()
    name, latent = MODELS[a.model]
    latent = a.latent or latent
    if a.peer_model:
        return peer(a.peer_model, latent, a.batch, a.steps, a.precision, a.threads, not a.no_average)
    checkpoints.CONFIGS["bench"] = bench_config([96, 192, 288], [True, True, True], cross=256, layers=1, heads=6)
    checkpoints.CONFIGS["slim"] = bench_config([128, 256, 512, 512], [True, True, True, False], cross=768, layers=2, heads=8)
    with tempfile.TemporaryDirectory() as folder:
        model = (a.folder or pathlib.Path(folder)) / name
        if not model.exists():
            checkpoints.make_checkpoint(name, model)

        def ours(batch, threads, *words):
            more = ["no-average"] if a.no_average else []
            return [BIN / "tests/training_bench", model, latent, batch, a.steps, a.precision, threads, *words, *more]

        port = free_port()
        commands = {"peer": [[sys.executable, __file__, "--peer-model", model, "--latent", latent, "--batch", a.batch,
                              "--steps", a.steps, "--threads", a.threads, "--precision", a.precision,
                              *(["--no-average"] if a.no_average else [])]],
                    "ours": [ours(a.batch, a.threads)], "recompute": [ours(a.batch, a.threads, "recompute")],
                    "adamw8": [ours(a.batch, a.threads, "adamw8")],
                    "ranks": [ours(a.batch // 2, 1, f"rank={rank}", f"port={port}") for rank in (0, 1)]}
        base = None
        for what in a.what.split(","):
            figures = run(*commands[what])
            line = {"contender": what, "step_s": statistics.median(figures["seconds"][WARM_UP:]),
                    "peak_mb": figures["peak_mb"], "of_a_step_mb": figures["peak_mb"] - figures["rest_mb"],
                    "parameters": figures["parameters"]}
            base = base or (line if what == "peer" else None)
            if base and what != "peer":
                line |= {"time_ratio": line["step_s"] / base["step_s"], "memory_ratio": line["peak_mb"] / base["peak_mb"]}
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
