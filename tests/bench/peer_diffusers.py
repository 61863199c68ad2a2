"""The same edit through diffusers' eager pipeline; prints one JSON line with edit_bench's fields.

usage: peer_diffusers.py MODEL PRECISION [WIDTH HEIGHT STEPS]

Without a size it only loads. Says {"event": "ready"} when the model is loaded.
"""

import json
import resource
import sys
import time

import numpy as np
import torch
from diffusers import EulerAncestralDiscreteScheduler, StableDiffusionInstructPix2PixPipeline
from PIL import Image


def timed(record, name, function):
    def wrapper(*args, **kwargs):
        start = time.perf_counter()
        result = function(*args, **kwargs)
        record.setdefault(name, []).append(time.perf_counter() - start)
        return result

    return wrapper


def main():
    model, precision = sys.argv[1:3]
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    pipe = StableDiffusionInstructPix2PixPipeline.from_pretrained(
        model, torch_dtype=dtype, safety_checker=None, local_files_only=True
    )
    pipe.scheduler = EulerAncestralDiscreteScheduler.from_config(pipe.scheduler.config)
    pipe.set_progress_bar_config(disable=True)
    print(json.dumps({"event": "ready"}), flush=True)
    if len(sys.argv) == 3:
        return
    width, height, steps = map(int, sys.argv[3:6])
    if precision == "bf16":  # diffusers' own advice for convolutions
        pipe.unet.to(memory_format=torch.channels_last)
        pipe.vae.to(memory_format=torch.channels_last)

    x, y = np.meshgrid(np.arange(width), np.arange(height))
    photo = np.stack([255 * x // width, 255 * y // height, (x ^ y) & 255], -1).astype(np.uint8)
    record = {}
    pipe._encode_prompt = timed(record, "text", pipe._encode_prompt)
    pipe.vae.encode = timed(record, "encode", pipe.vae.encode)
    pipe.unet.forward = timed(record, "step", pipe.unet.forward)
    pipe.vae.decode = timed(record, "decode", pipe.vae.decode)
    for _ in range(2):
        record.clear()
        pipe(
            "turn it into a watercolour painting",
            image=Image.fromarray(photo),
            num_inference_steps=steps,
            guidance_scale=7.5,
            image_guidance_scale=1.5,
            generator=torch.Generator("cpu").manual_seed(1),
        )
    report = {name: sorted(times)[len(times) // 2] for name, times in record.items()}
    report["peak_rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(report))


main()
