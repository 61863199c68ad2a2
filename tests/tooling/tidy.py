#!/usr/bin/env python3
"""Runs clang-tidy over the project's own .cc files, by the build's compile_commands.json.

    tidy.py BUILD_DIR [--torch] [--jobs N] [FILE ...]

Units that include torch take half a minute each, so they need --torch. A unit whose preprocessed text, command and
.clang-tidy were clean before is not looked at again (.cache/tidy). Exit code 1 when any unit has a finding.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "tidy"


def command_for_clang(entry):
    """The unit's command for clang: no compiler launcher, no precompiled header of g++'s."""
    words = shlex.split(entry["command"])
    while words and not re.search(r"(g\+\+|clang\+\+|/c\+\+)[-\d.]*$", words[0]):
        words.pop(0)
    out, rest = ["clang++-14"], iter(words[1:])
    for word in rest:
        if word == "-include":
            header = next(rest)
            if not header.endswith("/cmake_pch.hxx"):
                out += ["-include", header]
        elif not word.startswith(("-W", "-fsanitize", "-fno-sanitize")):
            out.append(word)
    # Warnings are the build's business; here the checks speak, and the one warning that g++'s build leaves out.
    return [*out, "-Wno-everything", "-Wold-style-cast"]


def uses_torch(entry):
    return "/site-packages/torch/" in entry["command"]


def units(build, wanted):
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = pathlib.Path(entry["file"]).resolve()
        if not path.is_relative_to(ROOT):
            continue
        name = path.relative_to(ROOT).as_posix()
        if name.startswith(("common/", "services/")) and (not wanted or name in wanted):
            yield name, entry


def check(name, entry, database):
    command = command_for_clang(entry)
    preprocess = [*command, "-E", "-P", "-o", "-"]  # the last -o wins
    text = subprocess.run(preprocess, cwd=entry["directory"], stdin=subprocess.DEVNULL, capture_output=True)
    key = hashlib.sha256(
        b"\0".join([(ROOT / ".clang-tidy").read_bytes(), shlex.join(command).encode(), text.stdout])
    ).hexdigest()
    clean = CACHE / key
    if text.returncode == 0 and clean.exists():
        return name, 0, "", True
    done = subprocess.run(
        ["clang-tidy-14", "--quiet", "-p", str(database), str(ROOT / name)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )
    if done.returncode == 0:
        clean.touch()
    return name, done.returncode, done.stdout + (done.stderr if done.returncode else ""), False


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--torch", action="store_true")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("files", nargs="*")
    args = parser.parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)

    every = dict(units(args.build, set(args.files)))
    chosen = {name: entry for name, entry in every.items() if args.torch or not uses_torch(entry)}
    if not chosen:
        sys.exit(f"tidy: {args.build}/compile_commands.json names no unit to check")
    database = args.build / "tidy"
    database.mkdir(exist_ok=True)
    (database / "compile_commands.json").write_text(
        json.dumps([
            {"directory": e["directory"], "file": e["file"], "arguments": command_for_clang(e)} for e in chosen.values()
        ])
    )

    bad = cached = 0
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for name, code, output, known in pool.map(lambda item: check(*item, database), chosen.items()):
            cached += known
            if code != 0:
                bad += 1
                print(f"--- {name}\n{output}", flush=True)
    left = len(every) - len(chosen)
    print(f"tidy: {len(chosen) - bad} clean ({cached} known from before), {bad} with findings, {left} torch units left out")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
