"""Which pairs of a dataset of shapes are right, by the oracle of common/shapes, and by what they are not.

usage: judge_pairs.py DATASET [--pairs 600] [--least-clip 0]

DATASET is what `ip2p pairs generate` made of prompts of shapes. Right: the oracle reads in both pictures what their captions
tell, objects are within 6 px of where they were, and the background is another one only where that was asked for. A table by
kind of edit and number of objects; needs the release build. --least-clip leaves out pairs of which CLIP gives a picture less
for its caption.
"""

import argparse
import collections
import json
import pathlib
import re
import subprocess

from wrong_words import COLORS, SHAPES

IP2P = pathlib.Path(__file__).resolve().parents[2] / "build" / "bin" / "ip2p"
OBJECT = re.compile(rf"({'|'.join(COLORS)}) ({'|'.join(SHAPES)})")
NEAR = 6  # px


def objects(caption):
    return OBJECT.findall(caption.lower())


def kind(before, after):
    if sorted(before) == sorted(after):
        return "background"
    return "colour" if sorted(s for _, s in before) == sorted(s for _, s in after) else "shape"


def pairs(dataset, count, least):
    for folder, seeds in json.loads((dataset / "seeds.json").read_text()):
        prompt = json.loads((dataset / folder / "prompt.json").read_text())
        scores = [json.loads(line) for line in (dataset / folder / "metadata.jsonl").read_text().splitlines()]
        clip = {str(row["seed"]): min(row["clip_sim_0"], row["clip_sim_1"]) for row in scores}
        for seed in seeds:
            if count == 0:
                return
            if clip[seed] >= least:
                count -= 1
                yield prompt, *(str(dataset / folder / f"{seed}_{half}.jpg") for half in (0, 1))


def read(files):
    """{file: what the oracle sees}."""
    seen = {}
    for first in range(0, len(files), 200):
        out = subprocess.run([IP2P, "shapes", "read", "--json", *files[first : first + 200]], capture_output=True, text=True)
        seen |= {row["file"]: row for row in map(json.loads, out.stdout.splitlines())}
    return seen


def sure(row):
    return [(o["color"], o["shape"]) for o in row["objects"] if min(o["color_confidence"], o["shape_confidence"]) >= 0.5]


def fault(before, after, was, wanted, changes):
    """Of the two readings; empty where the pair is right."""
    for name, row, told in (("before", before, was), ("after", after, wanted)):
        if len(row["objects"]) != len(told):
            return f"{name}: number of objects"
        if sorted(sure(row)) != sorted(told):
            return f"{name}: an object"
    if (before["background"] != after["background"]) != (changes == "background"):
        return "background"
    for one in before["objects"]:
        if all((one["x"] - o["x"]) ** 2 + (one["y"] - o["y"]) ** 2 > NEAR**2 for o in after["objects"]):
            return "place"
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=pathlib.Path)
    parser.add_argument("--pairs", type=int, default=600)
    parser.add_argument("--least-clip", type=float, default=0)
    args = parser.parse_args()
    chosen = list(pairs(args.dataset, args.pairs, args.least_clip))
    seen = read(sorted({file for _, *both in chosen for file in both}))
    faults = collections.defaultdict(collections.Counter)
    for prompt, before, after in chosen:
        was, wanted = objects(prompt.get("caption", prompt.get("input"))), objects(prompt["output"])
        changes = kind(was, wanted)
        faults[len(was), changes][fault(seen[before], seen[after], was, wanted, changes) or "right"] += 1
    for (number, changes), counts in sorted(faults.items()):
        most = ", ".join(f"{name} {count}" for name, count in counts.most_common() if name != "right")
        print(f"{number} object(s), {changes:10}: {counts['right']:4} of {counts.total():4} right; {most}")
    right, total = (sum(f(c) for c in faults.values()) for f in (lambda c: c["right"], lambda c: c.total()))
    print(f"all: {right} of {total}, {100 * right / max(total, 1):.1f} %")


if __name__ == "__main__":
    main()
