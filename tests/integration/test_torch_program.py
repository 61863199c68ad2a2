"""ip2p is free of torch and becomes ip2p-torch, in the same process, for commands that need it."""

import os
import shutil
import subprocess

import pytest
from conftest import BIN

EDIT = ["edit", "--ckpt", "a model", "-i", "-", "-o", "-", "-e", "make it snow"]


def libraries(program):
    listed = subprocess.run(["ldd", BIN / program], capture_output=True, text=True, check=True)
    return listed.stdout


def test_only_one_of_the_two_has_torch():
    assert "libtorch" not in libraries("ip2p") and "libc10" not in libraries("ip2p")
    assert "libtorch" in libraries("ip2p-torch")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["edit", "--help"], ["prompts", "--help"]])
def test_both_say_the_same(arguments):
    said = {subprocess.run([BIN / program, *arguments], capture_output=True, text=True, check=True).stdout
            for program in ("ip2p", "ip2p-torch")}
    assert len(said) == 1


def test_it_is_the_same_process_with_the_same_arguments_and_streams(tmp_path):
    program = tmp_path / "stand-in"
    program.write_text('#!/bin/bash\ncat; printf " %s" "$$" "$@"; exit 7\n')
    program.chmod(0o755)
    process = subprocess.Popen([BIN / "ip2p", *EDIT], env=os.environ | {"IP2P_TORCH_PROGRAM": str(program)},
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    out, _ = process.communicate("photo", timeout=60)
    assert out == " ".join(["photo", str(process.pid), *EDIT])
    assert process.returncode == 7


def test_without_its_sibling_it_says_what_is_missing(tmp_path):
    shutil.copy(BIN / "ip2p", tmp_path / "ip2p")
    run = subprocess.run([tmp_path / "ip2p", *EDIT], capture_output=True, text=True, input="")
    assert run.returncode == 42
    assert f"{tmp_path}/ip2p-torch cannot be run: No such file" in run.stderr
    assert "wants ip2p-torch beside ip2p" in run.stderr
    assert subprocess.run([tmp_path / "ip2p", "--version"], capture_output=True).returncode == 0
