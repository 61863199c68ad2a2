"""How fast and how small `ip2p prompts generate` is, against a fake of the API that answers after 200 ms.

    python tests/bench/prompts.py [--sizes 10000] [--concurrency 64] [--latency-ms 200] [--provider openai-chat]
                                  [--ip2p build/bin/ip2p]

Prints one JSON line a size: captions a second, its share of the ideal (concurrency / latency), the process's peak memory
(and what `ip2p --version` takes of it: the libraries) and CPU seconds. `--provider shapes --sizes
10000,100000,1000000` shows that memory stays flat. Nothing is asserted: figures depend on the machine;
README.md and the commit messages hold those that were measured.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
COLORS = "red orange yellow green blue purple pink brown white black".split()
SHAPES = "circle square triangle star heart diamond cross ring".split()
PLACES = "on grass|on sand|at night|in the sky|at sunset|on a grey background|under the stars|in the desert".split("|")


def write_captions(path, count, shapes):
    """Captions that all differ: for `shapes` in the words of its world, as far as those go (then by their urls)."""
    with open(path, "w", encoding="utf-8") as file:
        for i in range(count):
            words = f"a {COLORS[i % 10]} {SHAPES[i // 10 % 8]} {PLACES[i // 80 % 8]}"
            text = words if shapes else f"a photo of {words}, number {i}"
            file.write(json.dumps({"caption": text, "url": f"https://example.com/{i}.jpg"}) + "\n")


def start_fake(latency_ms):
    options = json.dumps({"latency_s": latency_ms / 1000, "keep": False})
    fake = subprocess.Popen([sys.executable, ROOT / "tests" / "fakes" / "openai_fake.py", options],
                            stdout=subprocess.PIPE, text=True)
    return fake, int(fake.stdout.readline())


def wait_for(process):
    _, status, usage = os.wait4(process.pid, 0)
    return os.waitstatus_to_exitcode(status), round(usage.ru_maxrss / 1024, 1), usage


def measure(arguments, size, folder, base_url):
    captions, out = folder / f"captions-{size}.jsonl", folder / f"prompts-{size}.jsonl"
    write_captions(captions, size, arguments.provider == "shapes")
    command = [arguments.ip2p, "prompts", "generate", "--captions", captions, "--out", out, "--provider",
               arguments.provider, "--concurrency", str(arguments.concurrency), "--json"]
    if base_url:
        command += ["--base-url", base_url, "--no-moderation"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("IP2P_")}
    _, libraries, _ = wait_for(subprocess.Popen([arguments.ip2p, "--version"], stdout=subprocess.DEVNULL))
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                               env=environment | {"OPENAI_API_KEY": "sk-bench-0123456789"})
    counts = json.loads(process.stdout.read())
    code, peak, usage = wait_for(process)
    seconds = time.monotonic() - began
    figures = {"captions": size, "exit": code, "accepted": counts["accepted"],
               "rejected": counts["rejected"], "seconds": round(seconds, 2), "captions_per_s": round(size / seconds, 1),
               "peak_mb": peak, "libraries_mb": libraries, "cpu_s": round(usage.ru_utime + usage.ru_stime, 2)}
    if base_url:
        ideal = arguments.concurrency / (arguments.latency_ms / 1000)
        figures["of_ideal"] = round(size / seconds / ideal, 3)
    print(json.dumps(figures), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="10000")
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--latency-ms", type=float, default=200)
    parser.add_argument("--provider", default="openai-chat")
    parser.add_argument("--ip2p", default=ROOT / "build" / "bin" / "ip2p")
    arguments = parser.parse_args()
    fake, base_url = None, None
    if arguments.provider != "shapes":
        fake, port = start_fake(arguments.latency_ms)
        base_url = f"http://127.0.0.1:{port}/v1"
    try:
        with tempfile.TemporaryDirectory() as folder:
            for size in arguments.sizes.split(","):
                measure(arguments, int(size), pathlib.Path(folder), base_url)
    finally:
        if fake:
            fake.kill()
            fake.wait()


if __name__ == "__main__":
    main()
