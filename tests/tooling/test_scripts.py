"""tests/run.sh and deploy/setup.sh: exit codes, a failing part stops no other, a second set-up does nothing."""

import shutil
import subprocess

import pytest
import repository


def run(command, cwd=repository.ROOT):
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)


@pytest.fixture
def scratch(tmp_path):
    """A repository with run.sh, one ill-formatted file, and a buf that approves of everything."""
    (tmp_path / "tests").mkdir()
    shutil.copy(repository.ROOT / "tests/run.sh", tmp_path / "tests")
    shutil.copy(repository.ROOT / ".clang-format", tmp_path)
    (tmp_path / "a.cc").write_text("int   a ;\n")
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/buf").write_text("#!/bin/sh\nexit 0\n")
    (tmp_path / ".venv/bin/buf").chmod(0o755)
    run(["git", "init", "-q", "."], tmp_path)
    run(["git", "add", "a.cc"], tmp_path)
    return tmp_path


def test_a_failing_part_fails_the_run_but_not_the_next_part(scratch):
    done = run(["bash", "tests/run.sh", "format", "proto"], scratch)
    assert done.returncode == 1
    assert "=== format FAILED" in done.stdout and "=== proto passed" in done.stdout
    assert done.stdout.endswith("failed parts: format\nparts: 1 passed, 1 failed\n")


def test_a_good_run_succeeds(scratch):
    (scratch / "a.cc").write_text("int a;\n")
    done = run(["bash", "tests/run.sh", "format", "proto"], scratch)
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith("parts: 2 passed, 0 failed\n")


@pytest.mark.parametrize("script", ["tests/run.sh", "deploy/setup.sh", "deploy/demo.sh", "deploy/download.sh"])
def test_usage(script):
    assert run(["bash", script, "--nonsense"]).returncode == 2
    shown = run(["bash", script, "--help"])
    assert shown.returncode == 0 and script in shown.stdout


def test_second_setup_changes_nothing():
    """After run.sh's own set-up, each step finds its work done."""
    first = run(["bash", "deploy/setup.sh", "--tests"])
    second = run(["bash", "deploy/setup.sh", "--tests"])
    assert first.returncode == 0 and second.returncode == 0, first.stderr + second.stderr
    assert second.stdout.endswith("setup: ready\n")
    assert "installing" not in second.stdout and "taking" not in second.stdout
