"""The pairs of `pair_probe ORDER.json OUT` by Prompt-to-Prompt in PyTorch and diffusers (tests/parity/pair_reference.py,
with torch's fused attention); prints one JSON line with the same fields: seconds of each pair, peak_rss_mb.

usage: peer_pairs.py ORDER.json
"""

import json
import pathlib
import resource
import sys
import time

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "parity"))
from pair_reference import PairReference  # noqa: E402


def main():
    order = json.loads(pathlib.Path(sys.argv[1]).read_text())
    if order.get("threads"):
        torch.set_num_threads(order["threads"])
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[order["precision"]]
    reference = PairReference(order["checkpoint"], dtype, fused=True)
    seconds, peak = [], []
    for _ in range(order.get("rounds", 1)):
        for seed in order["seeds"]:
            began = last = time.perf_counter()
            steps = []

            def on_step(_):
                nonlocal last
                now = time.perf_counter()
                steps.append(now - last)
                last = now

            reference.pair(order["caption"], order["output"], seed, order["steps"], order["resolution"],
                           (order["min_p2p"], order["max_p2p"]), on_step=on_step)
            seconds.append({"whole": time.perf_counter() - began, "steps": steps})
            peak.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    print(json.dumps({"seconds": seconds, "peak_rss_mb": peak}))


main()
