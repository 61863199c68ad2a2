"""deploy/demo.sh's own logic with stand-ins for the services: flags, a service that fails, cleaning up. The real thing
runs in tests/pipeline."""

import os
import shutil
import subprocess
import sys

import pytest
import repository

# Says that it is ready and leaves a file when it is asked to end. The program whose name stands in "broken" fails.
SERVICE = f"""#!{sys.executable}
import pathlib, signal, sys

name = pathlib.Path(sys.argv[0]).name
broken = pathlib.Path("broken")
if broken.exists() and broken.read_text() == name:
    sys.exit("the model is broken")
signal.signal(signal.SIGTERM, lambda *_: None)  # ends signal.pause
options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
assert options["--listen"] == options["--metrics-listen"] == "127.0.0.1:0"
print('{{"event":"ready","port":1234,"admin_port":1235,"metrics_port":1236}}', flush=True)
signal.pause()
pathlib.Path(name + ".drained").touch()
"""
SERVICES = ("edit_server", "prompt_generator", "pair_generator", "training_coordinator", "gateway")


@pytest.fixture
def scratch(tmp_path):
    files = {f"build/bin/ip2p_{name}": SERVICE for name in SERVICES}
    files["build/bin/ip2p"] = '#!/bin/sh\necho "$@" >>verbs\nexit 1\n'
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(0o755)
    (tmp_path / "deploy").mkdir()
    (tmp_path / "build/share/models/shapes/edit").mkdir(parents=True)
    shutil.copy(repository.ROOT / "deploy/demo.sh", tmp_path / "deploy")
    return tmp_path


def demo(scratch, *arguments):
    return subprocess.run(["bash", "deploy/demo.sh", *arguments], cwd=scratch, env=dict(os.environ),
                          capture_output=True, text=True, timeout=120)  # fmt: skip


def drained(scratch):
    return {path.name.removesuffix(".drained").removeprefix("ip2p_") for path in scratch.glob("*.drained")}


@pytest.mark.parametrize(("arguments", "fault"), [
    (["--captions"], "--captions wants a value"),
    (["--captions", "0"], '--captions is "0"; wants 1..9999'),
    (["--steps", "many"], '--steps is "many"; wants 1..9999'),
    (["--photo", "x"], "unknown argument --photo; see --help"),
    (["--edit-model", "none"], "there is no edit model at none; wants --edit-model DIR"),
])  # fmt: skip
def test_a_wrong_flag_starts_nothing(scratch, arguments, fault):
    done = demo(scratch, "--no-build", *arguments)
    assert done.returncode == 2 and fault in done.stderr
    assert not (scratch / "build/demo").exists()


def test_a_failing_stage_fails_the_demo_and_stops_every_service(scratch):
    done = demo(scratch, "--no-build")
    assert done.returncode == 1, done.stdout + done.stderr
    assert (scratch / "verbs").read_text().startswith("shapes draw ")
    assert drained(scratch) == set(SERVICES)


def test_a_service_that_cannot_start_is_named_and_the_others_are_stopped(scratch):
    (scratch / "broken").write_text("ip2p_training_coordinator")
    done = demo(scratch, "--no-build")
    assert done.returncode == 1
    assert "the model is broken" in done.stderr and "logs/training_coordinator.log" in done.stderr
    assert not (scratch / "verbs").exists()
    assert drained(scratch) == {"edit_server", "prompt_generator", "pair_generator"}
