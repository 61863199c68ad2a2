"""deploy/demo.sh's own logic, with stand-ins for set-up, build, server and client: waiting, cleaning up, --keep."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys

import pytest
import repository

SERVER = f"""#!{sys.executable}
'''Says that it is ready and leaves a file when it is asked to end.'''
import pathlib, signal, sys

signal.signal(signal.SIGTERM, lambda *_: None)  # ends signal.pause
options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
if options["--ckpt"] == "broken":
    sys.exit("model is broken")
assert options["--listen"] == options["--admin-listen"] == options["--metrics-listen"] == "127.0.0.1:0"
print('{{"event":"ready","port":1234,"admin_port":1235,"metrics_port":1236}}', flush=True)
signal.pause()
pathlib.Path("build/demo/drained").touch()
"""
CLIENT = '#!/bin/sh\nprintf "%s\\n" "$@" >build/demo/arguments\n[ ! -e client-fails ]\n'


@pytest.fixture
def scratch(tmp_path):
    files = {"deploy/setup.sh": "exit 0\n", "build/bin/ip2p_edit_server": SERVER, "build/bin/ip2p": CLIENT,
             "path/cmake": "#!/bin/sh\nexit 0\n", ".venv/bin/python": f'#!/bin/sh\nexec {sys.executable} "$@"\n'}
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(0o755)
    shutil.copy(repository.ROOT / "deploy/demo.sh", tmp_path / "deploy")
    return tmp_path


def demo(scratch, *arguments):
    environment = dict(os.environ, PATH=f"{scratch}/path:{os.environ['PATH']}")
    return subprocess.run(["bash", "deploy/demo.sh", *arguments], cwd=scratch, env=environment, capture_output=True,
                          text=True, timeout=120)


def test_edits_through_the_server_and_stops_it(scratch):
    done = demo(scratch, "--model", "good", "--edit", "make it red", "--steps", "3")
    assert done.returncode == 0, done.stdout + done.stderr
    arguments = (scratch / "build/demo/arguments").read_text().splitlines()
    assert arguments[arguments.index("--server") + 1] == "127.0.0.1:1234"
    assert arguments[0] == "edit" and "make it red" in arguments and arguments[arguments.index("--steps") + 1] == "3"
    assert (scratch / "build/demo/drained").exists()
    assert "after:  build/demo/edited.png" in done.stdout and "random" not in done.stdout


def test_a_failing_edit_fails_the_demo_and_stops_the_server(scratch):
    (scratch / "client-fails").touch()
    done = demo(scratch, "--model", "good")
    assert done.returncode != 0
    assert (scratch / "build/demo/drained").exists()


def test_a_server_that_ends_fails_the_demo_at_once(scratch):
    done = demo(scratch, "--model", "broken")
    assert done.returncode != 0
    assert "model is broken" in done.stderr and not (scratch / "build/demo/arguments").exists()


def test_keep_leaves_the_server_and_says_how_to_stop_it(scratch):
    done = demo(scratch, "--model", "good", "--keep")
    assert done.returncode == 0, done.stdout + done.stderr
    server = int(done.stdout.rsplit("kill ", 1)[1])
    assert pathlib.Path(f"/proc/{server}").exists() and not (scratch / "build/demo/drained").exists()
    os.kill(server, signal.SIGTERM)
