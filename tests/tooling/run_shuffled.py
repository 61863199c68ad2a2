#!/usr/bin/env python3
"""Runs every GoogleTest program of a build, whole and shuffled.

    run_shuffled.py BUILD_DIR [--seed N]

All tests of a program run in one process, in random order: a start of the process for each, as ctest does it, takes
more than twice as long and hides what one test leaves behind for the next. Prints the seed; exit code 1 when a program
fails.
"""

import argparse
import json
import random
import re
import subprocess
import sys
import time


def programs(build):
    shown = subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1"], capture_output=True, check=True)
    tests = json.loads(shown.stdout)["tests"]
    commands = [test.get("command", [""]) for test in tests]
    return sorted({c[0] for c in commands if any(word.startswith("--gtest_filter=") for word in c)})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--seed", type=int, default=random.randrange(1, 99999))
    parser.add_argument("--timeout", type=int, default=900)
    args = parser.parse_args()

    found = programs(args.build)
    if not found:
        sys.exit(f"run_shuffled: ctest knows no GoogleTest program in {args.build}")
    failed = []
    passed = 0
    for program in random.Random(args.seed).sample(found, len(found)):
        started = time.monotonic()
        command = [program, "--gtest_shuffle", f"--gtest_random_seed={args.seed}", "--gtest_brief=1"]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  timeout=args.timeout)
            code, output = done.returncode, done.stdout + done.stderr
        except subprocess.TimeoutExpired as expired:
            code, output = "timeout", (expired.stdout or b"").decode(errors="replace")
        name = program.rsplit("/", 1)[-1]
        tests = sum(int(n) for n in re.findall(r"^\[  PASSED  \] (\d+) test", output, re.MULTILINE))
        passed += tests
        print(f"{name}: {'ok' if code == 0 else code}, {tests} passed in {time.monotonic() - started:.1f} s", flush=True)
        if code != 0:
            failed.append(name)
            print(output[-20000:], flush=True)
    print(f"shuffled with seed {args.seed}: {passed} tests passed; {len(found)} programs, {len(failed)} failed {failed}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
