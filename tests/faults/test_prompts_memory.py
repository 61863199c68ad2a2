"""What a run of many captions takes of memory: under 100 MB, and flat but for the 16-byte hashes.

10,000 and 200,000 captions; a million with IP2P_FULL=1 (tests/run.sh --full).
"""

import json
import os
import subprocess
import sys

from conftest import BIN, FULL

FEW, MANY = 10_000, 1_000_000 if FULL else 200_000
MOST_MB = 100
# Hash and index (16 bytes), held twice while they are sorted or a vector grows, and the bits of what is done.
BYTES_A_CAPTION = 40
SLACK = 4 << 20  # allocator's pages and threads' stacks differ from run to run
COLORS = "red orange yellow green blue purple pink brown white black".split()
SHAPES = "circle square triangle star heart diamond cross ring".split()


def peak_bytes(folder, count):
    """Of `ip2p prompts generate` with the offline grammar; every caption has its outcome."""
    captions, out = folder / f"captions-{count}.jsonl", folder / f"prompts-{count}.jsonl"
    with open(captions, "w") as file:
        for i in range(count):
            text = f"a {COLORS[i % 10]} {SHAPES[i // 10 % 8]} on grass"
            file.write(json.dumps({"caption": text, "url": f"https://example.com/{i}.jpg"}) + "\n")
    # Started by a small process, since a child's peak counts what it had of its parent: here torch.
    code = ("import resource, subprocess, sys; run = subprocess.run(sys.argv[2:], stdout=open(sys.argv[1], 'w'));"
            "print(run.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("IP2P_", "JOB_"))}
    run = subprocess.run([sys.executable, "-c", code, folder / "counts.json", BIN / "ip2p", "prompts", "generate",
                          "--captions", captions, "--out", out, "--provider", "shapes", "--json"],
                         capture_output=True, text=True, env=environment, timeout=600)
    exit_code, peak_kb = map(int, run.stdout.split())
    assert exit_code == 0, run.stderr
    found = json.loads((folder / "counts.json").read_text())
    assert found["total"] == found["accepted"] + found["rejected"] == count
    return peak_kb << 10


def test_memory_stays_small_and_flat(tmp_path):
    few, many = peak_bytes(tmp_path, FEW), peak_bytes(tmp_path, MANY)
    print(f"peak MB: {few / 1e6:.1f} of {FEW} captions, {many / 1e6:.1f} of {MANY}")
    assert max(few, many) < MOST_MB * 1_000_000
    assert many - few <= BYTES_A_CAPTION * (MANY - FEW) + SLACK
