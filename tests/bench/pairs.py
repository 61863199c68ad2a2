"""Measures pairs against Prompt-to-Prompt in PyTorch/diffusers in the same run, map sharing on against off, and memory.

usage: pairs.py [--what peer,sharing,memory] [--size 256,512] [--steps 10] [--rounds 2] [--model DIR]
       [--precision bf16] [--threads 2]

Needs the release build and the test requirements. Without --model it makes an SD 1.5-sized text-to-image checkpoint with
random weights in bf16 (2 GB, kept in .cache/). Each round runs all programs once, in turn, each in a process of its own that
makes one pair to warm up. Every pair shares maps for half of its steps, which is the method's mean; of both kinds of steps,
and of the rest, the smallest time counts, and a pair of 100 steps is reckoned from them: 50 + 50 steps and the rest once.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
STEPS = 100  # of the method
TARGETS = {"peer 256": 0.8, "sharing 1024": 0.9}  # below 1024 px self-attention is too small a part of a step


def run(program, order, folder, threads):
    path = pathlib.Path(folder) / "order.json"
    path.write_text(json.dumps(order))
    command = [*program, path] + ([folder] if len(program) == 1 else [])
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), HF_HUB_OFFLINE="1")
    out = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    return json.loads(out.strip().splitlines()[-1])


def figures(report):
    """Seconds of a step that shares maps, of one that does not, and of what surrounds the steps, from the last pair."""
    last = report["seconds"][-1]
    half = len(last["steps"]) // 2
    return {"shared": min(last["steps"][1:half]), "apart": min(last["steps"][half:]),  # the first step is another one
            "rest": last["whole"] - sum(last["steps"])}


def compare(what, a_name, b_name, programs, orders, options, size):
    best = [{}, {}]
    for _ in range(options.rounds):
        for i in (0, 1):
            with tempfile.TemporaryDirectory() as folder:
                found = figures(run(programs[i], orders[i], folder, options.threads))
            best[i] = {k: min(v, best[i].get(k, v)) for k, v in found.items()}
    for found in best:
        found["pair"] = STEPS / 2 * (found["shared"] + found["apart"]) + found["rest"]
    for key, text in (("shared", "step, maps shared"), ("apart", "step, maps apart"), ("rest", "text, decode"),
                      ("pair", f"pair of {STEPS} steps")):
        a, b = best[0][key], best[1][key]
        target = TARGETS.get(f"{what} {size}", "") if key == "pair" else ""
        print(f"{what:<8} {size:>4} px  {text:<18} s  {a_name} {a:8.3f}  {b_name} {b:8.3f}  ratio {a / b:.3f}  {target}",
              flush=True)


def memory(model, options):
    """Resident peak of `ip2p pairs generate` over a prompt of 8 samples and one of 100, at a size that takes minutes."""
    peaks = []
    for n_samples in (8, 100):
        with tempfile.TemporaryDirectory() as folder:
            prompts = pathlib.Path(folder) / "prompts.jsonl"
            prompts.write_text(json.dumps({"caption": "a hill", "edit": "add snow", "output": "a hill in snow"}) + "\n")
            command = [ROOT / "build/bin/ip2p", "pairs", "generate", "--prompts-file", prompts, "--out-dir", f"{folder}/d",
                       "--ckpt", model, "--steps", "1", "--resolution", "128", "--n-samples", str(n_samples), "--precision",
                       options.precision, "--threads", str(options.threads), "--clip-threshold", "0",
                       "--clip-dir-threshold", "0", "--clip-img-threshold", "0"]  # fmt: skip
            process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode != 0:
                raise RuntimeError(f"ip2p pairs generate ended with {process.returncode}")
            peaks.append(usage.ru_maxrss / 1024)
    print(f"memory    128 px  peak with 8 samples {peaks[0]:.1f} MB, with 100 {peaks[1]:.1f} MB, ratio {peaks[1] / peaks[0]:.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--what", default="peer,sharing,memory")
    parser.add_argument("--size", default="256,512")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", default="bf16")
    parser.add_argument("--model")
    options = parser.parse_args()
    model = options.model
    if model is None:
        model = str(ROOT / ".cache" / "bench-sd15-4ch")
        if not os.path.exists(os.path.join(model, "model_index.json")):
            subprocess.run([sys.executable, ROOT / "tests/parity/checkpoints.py", "sd15-4ch", model, "--dtype", "bf16"],
                           check=True)
    ours, peer = [ROOT / "build/bin/tests/pair_probe"], [sys.executable, ROOT / "tests/bench/peer_pairs.py"]
    for size in map(int, options.size.split(",")):
        order = dict(checkpoint=model, precision=options.precision, caption="a green hill under clouds",
                     output="a white hill under clouds in winter", seeds=[1, 2], steps=options.steps, resolution=size,
                     min_p2p=0.5, max_p2p=0.5, threads=options.threads, batch=1)
        if "peer" in options.what:
            compare("peer", "ours", "PyTorch", [ours, peer], [order, order], options, size)
        if "sharing" in options.what:
            compare("sharing", "on", "off", [ours, ours], [order, order | {"share_maps": False}], options, size)
    if "memory" in options.what:
        memory(model, options)


if __name__ == "__main__":
    main()
