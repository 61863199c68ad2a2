"""Measures what CLIP adds to a pair of pictures, ours against transformers in the same run.

usage: clip.py [--clip ViT-L/14] [--size 512] [--pairs 3] [--model FOLDER]

Needs the release build and the test requirements. Weights are random. --model: also times that checkpoint's fingerprint.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import torch
import torch.nn.functional as F

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/parity"))
import clip_models  # noqa: E402


@torch.inference_mode()
def theirs(model, size, pairs):
    side = model.config.vision_config.image_size
    took = []
    for _ in range(pairs + 1):
        images = torch.rand(2, 3, size, size)
        began = time.perf_counter()
        model.visual_projection(model.vision_model(F.interpolate(images, size=side, mode="bicubic")).pooler_output)
        took.append(time.perf_counter() - began)
    return sorted(took[1:])[pairs // 2]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", default="ViT-L/14", choices=sorted(clip_models.CLIPS))
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--model")
    options = parser.parse_args()
    torch.set_num_threads(2)
    with tempfile.TemporaryDirectory() as folder:
        model = clip_models.make_clip(options.clip, folder)
        for precision in ("fp32", "bf16"):
            command = [ROOT / "build/bin/tests/clip_bench", folder, precision, str(options.size), str(options.pairs)]
            command += [options.model] if options.model else []
            out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            print(f"ours {precision}: " + ", ".join(f"{k} {v:.2f} s" for k, v in json.loads(out).items()), flush=True)
        print(f"transformers fp32: pair {theirs(model, options.size, options.pairs):.2f} s")


if __name__ == "__main__":
    main()
