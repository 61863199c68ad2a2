"""Shared by all Python tests: where the build is, and random-weight checkpoints made once a session."""

import os
import pathlib
import subprocess
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # before diffusers and transformers read it

import pytest  # noqa: E402
import torch  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[1]
BIN = pathlib.Path(os.environ.get("IP2P_BUILD", ROOT / "build")) / "bin"
FULL = os.environ.get("IP2P_FULL") == "1"  # sizes of the promises
only_full = pytest.mark.skipif(not FULL, reason="gigabytes and minutes; tests/run.sh --full")
sys.path.insert(0, str(ROOT / "tests" / "parity"))  # checkpoints.py


@pytest.fixture(scope="session", autouse=True)
def two_threads():
    torch.set_num_threads(2)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """checkpoint("tiny") -> the folder of that configuration, made on first use."""
    import checkpoints

    made = {}

    def get(name, **options):
        key = (name, *sorted(options.items()))
        if key not in made:
            folder = tmp_path_factory.mktemp("models") / "-".join(map(str, (name, *options.values())))
            checkpoints.make_checkpoint(name, folder, **options)
            made[key] = folder
        return made[key]

    return get


@pytest.fixture(scope="session")
def ip2p():
    """ip2p("edit", "--ckpt", ...) runs the client, fails the test on a bad exit code, returns its stdout."""

    def run(*arguments, check=True):
        result = subprocess.run([BIN / "ip2p", *map(str, arguments)], capture_output=True, text=True)
        if check:
            assert result.returncode == 0, f"exit code {result.returncode}\n{result.stderr[-4000:]}"
            return result.stdout
        return result

    return run
