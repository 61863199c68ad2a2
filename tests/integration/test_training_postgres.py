"""The coordinator's jobs in PostgreSQL: Debian's server on a unix socket, stopped and started under a running job."""

import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile

import pytest
from server import stubs  # noqa: F401
from training_server import FINAL, RUNNING, SUCCEEDED, Cluster

PROGRAMS = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"))
PASSWORD = "canary-3f9d27"


class Postgres:
    """It refuses to run as root, so that then it runs as its own user."""

    def __init__(self, folder):
        self.folder = folder
        self.user = "postgres" if os.geteuid() == 0 else None
        if self.user:
            os.chown(folder, pwd.getpwnam(self.user).pw_uid, -1)
        self.run("initdb", "-D", folder / "data", "-U", "coordinator", "-A", "trust", "--no-sync")
        self.start()

    def run(self, program, *arguments):
        command = [PROGRAMS[-1].with_name(program), *arguments]
        subprocess.run(command, user=self.user, cwd="/", check=True, stdout=subprocess.DEVNULL)

    def start(self):
        options = f"-c listen_addresses='' -k {self.folder}"
        self.run("pg_ctl", "-D", self.folder / "data", "-w", "-l", self.folder / "log", "-o", options, "start")

    def stop(self):
        self.run("pg_ctl", "-D", self.folder / "data", "-w", "-m", "immediate", "stop")

    @property
    def dsn(self):
        return f"host={self.folder} user=coordinator dbname=postgres password={PASSWORD}"


@pytest.fixture
def postgres():
    if not PROGRAMS:
        pytest.skip("PostgreSQL is not installed (deploy/setup.sh --tests)")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ip2p-pg-"))  # sockets have short names
    folder.chmod(0o755)
    server = Postgres(folder)
    yield server
    server.stop()
    shutil.rmtree(folder)


def test_a_job_outlives_its_coordinator_and_its_database(stubs, tmp_path, postgres):
    dsn = tmp_path / "dsn"
    dsn.write_text(postgres.dsn)
    cluster = Cluster(stubs, tmp_path, "--postgres-dsn-file", dsn)
    try:
        job = cluster.submit("kept", world_size=2, max_steps=300)
        cluster.until(job.id, RUNNING)
        cluster.kill()
        cluster.start()
        assert cluster.submit("kept", world_size=2, max_steps=300).id == job.id
        postgres.stop()
        postgres.start()
        if cluster.server.process.poll() is not None:  # it was in the middle of a commit and can't know
            cluster.server.close()
            cluster.start()
        done = cluster.until(job.id, *FINAL)
        assert (done.state, done.epoch, done.restarts) == (SUCCEEDED, 1, 0)
        assert not (tmp_path / "coordinator.sqlite").exists()
        assert PASSWORD not in "".join(cluster.server.log)
        assert PASSWORD.encode() not in pathlib.Path(f"/proc/{cluster.server.process.pid}/cmdline").read_bytes()
        with pytest.raises(RuntimeError, match="held by another process"):
            Cluster(stubs, tmp_path, "--postgres-dsn-file", dsn)
    finally:
        cluster.close()
