"""Datasets for tests, in the original's layout, written by Pillow as the original writes them."""

import json
import pathlib

import numpy as np
from PIL import Image


def picture(seed, size=64):
    """Smooth blobs: no two seeds look alike, and JPEG keeps them."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((size, size), Image.BICUBIC)


def make_original(folder, prompts=6, pairs=2, size=64):
    """As the original's generate_img_dataset.py leaves it: no scores.jsonl, no seeds.json. Prompt 3 has no pair."""
    folder = pathlib.Path(folder)
    for index in range(prompts):
        home = folder / f"{index:07d}"
        home.mkdir(parents=True)
        prompt = {"caption": f"a house {index}", "edit": f"make it number {index} \u00e9", "output": f"a tower {index}"}
        (home / "prompt.json").write_text(json.dumps(prompt))
        if index == 3:
            continue
        with open(home / "metadata.jsonl", "w") as metadata:
            for pair in range(pairs):
                seed = 1000 * index + 7 * pair + 9
                picture((index, pair, 0), size).save(home / f"{seed}_0.jpg", quality=100)
                picture((index, pair, 1), size).save(home / f"{seed}_1.jpg", quality=100)
                line = {"seed": seed, "p2p_threshold": 0.25, "cfg_scale": 9.5, "clip_sim_0": 0.3, "clip_sim_1": 0.28,
                        "clip_sim_dir": 0.25, "clip_sim_image": 0.9}
                metadata.write(json.dumps(line) + "\n")
    return folder


def original_seeds(folder):
    """What the original's prepare_dataset.py writes, by its rules."""
    seeds = []
    for home in pathlib.Path(folder).iterdir():
        if home.is_dir():
            names = [path.name.split("_")[0] for path in sorted(home.glob("*_0.jpg"))]
            if names:
                seeds.append((home.name, names))
    seeds.sort()
    return json.dumps(seeds)


def original_loader(folder):
    """Every pair as the original's EditDataset reads it: (before, after, instruction)."""
    folder = pathlib.Path(folder)
    for name, seeds in json.loads((folder / "seeds.json").read_text()):
        for seed in seeds:
            instruction = json.loads((folder / name / "prompt.json").read_text())["edit"]
            before = Image.open(folder / name / f"{seed}_0.jpg").convert("RGB")
            after = Image.open(folder / name / f"{seed}_1.jpg").convert("RGB")
            yield before, after, instruction


def contents(folder):
    """Every file below, but the lock: {relative name: bytes}."""
    folder = pathlib.Path(folder)
    return {str(p.relative_to(folder)): p.read_bytes()
            for p in sorted(folder.rglob("*")) if p.is_file() and p.name != ".lock"}
