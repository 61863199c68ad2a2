"""Measures edits against diffusers' eager pipeline in the same run and prints ratios (ours / diffusers').

usage: run.py [--precision bf16,fp32] [--size 256,512] [--steps 6] [--rounds 2] [--model DIR]

Needs the release build and the test requirements. Without --model it makes an SD 1.5-sized checkpoint with random
weights (4 GB, kept in .cache/). Each round runs both programs once, in turn; the smallest time of each counts. "ready" is
from process start to a model that can edit: our server's ready line, diffusers' import and from_pretrained; "fixed" is text +
encode + decode.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGETS = {"step 512": 0.85, "step 256": 0.90, "fixed 512": 0.80, "ready": 0.30, "peak 512": 0.85}


def environment(threads):
    return dict(os.environ, OMP_NUM_THREADS=str(threads), HF_HUB_OFFLINE="1")


def run(command, threads):
    out = subprocess.run(command, env=environment(threads), check=True, capture_output=True, text=True).stdout
    return json.loads(out.strip().splitlines()[-1])


def seconds_to_ready(command, threads):
    """From the start of the process to its line {"event": "ready"}; then the process is ended."""
    started = time.perf_counter()
    with subprocess.Popen(
        command, env=environment(threads), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        for line in process.stdout:
            if line.startswith("{") and json.loads(line).get("event") == "ready":
                ready = time.perf_counter() - started
                process.terminate()
                return ready
    raise RuntimeError(f"{command} ended before it was ready")


def best(reports):
    return {key: min(r[key] for r in reports) for key in ("text", "encode", "step", "decode", "peak_rss_mb")}


def compare_start(model, precision, options):
    server = [
        ROOT / "build/bin/ip2p_edit_server", "--ckpt", model, "--precision", precision, "--threads", str(options.threads),
        "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--metrics-listen", "off",
    ]
    peer = [sys.executable, ROOT / "tests/bench/peer_diffusers.py", model, precision]
    ours, theirs = [], []
    for _ in range(max(options.rounds, 2)):  # the first one of all reads the disk
        ours.append(seconds_to_ready(server, options.threads))
        theirs.append(seconds_to_ready(peer, options.threads))
    return min(ours), min(theirs)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--precision", default="bf16,fp32")
    parser.add_argument("--size", default="256,512")
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--model")
    options = parser.parse_args()

    model = options.model
    if model is None:
        model = str(ROOT / ".cache" / "bench-sd15")
        if not os.path.exists(os.path.join(model, "model_index.json")):
            subprocess.run([sys.executable, ROOT / "tests/parity/checkpoints.py", "sd15", model], check=True)

    row = "{:<6} {:>5} {:<12} {:>9} {:>9} {:>7}  {}"
    print(row.format("prec", "px", "what", "ours", "diffusers", "ratio", "target"))
    for precision in options.precision.split(","):
        a, b = compare_start(model, precision, options)
        print(row.format(precision, "", "ready", f"{a:.3f}", f"{b:.3f}", f"{a / b:.3f}", TARGETS["ready"]), flush=True)
        for size in options.size.split(","):
            arguments = [model, precision, size, size, str(options.steps)]
            ours, theirs = [], []
            for _ in range(options.rounds):
                ours.append(run([ROOT / "build/bin/tests/edit_bench", *arguments], options.threads))
                theirs.append(run([sys.executable, ROOT / "tests/bench/peer_diffusers.py", *arguments], options.threads))
            a, b = best(ours), best(theirs)
            for figures in (a, b):
                figures["fixed"] = figures["text"] + figures["encode"] + figures["decode"]
            for what, key in (
                ("step", "step"), ("text", "text"), ("encode", "encode"), ("decode", "decode"),
                ("fixed", "fixed"), ("peak MB", "peak_rss_mb"),
            ):
                target = TARGETS.get(what, TARGETS.get(f"{what.split()[0]} {size}", ""))
                print(row.format(precision, size, what, f"{a[key]:.3f}", f"{b[key]:.3f}", f"{a[key] / b[key]:.3f}", target))
            sys.stdout.flush()


if __name__ == "__main__":
    main()
