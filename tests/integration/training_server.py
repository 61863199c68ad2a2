"""A real training coordinator as a process with workers of fake_training_worker.py, spoken to with Python's grpcio."""

import json
import os
import pathlib
import signal
import socket
import sys
import time

import grpc
from conftest import BIN
from server import ServerProcess

WORKER = pathlib.Path(__file__).with_name("fake_training_worker.py")
QUEUED, STARTING, RUNNING, RESTARTING, PAUSED, SUCCEEDED, FAILED, CANCELLED = range(1, 9)
FINAL = (SUCCEEDED, FAILED, CANCELLED)


def wait_for(condition, timeout):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Cluster:
    """A data folder and the coordinators that serve it one after another; all its processes end with it."""

    def __init__(self, stubs, folder, *arguments, step_s=0.02, worker_address=False,
                 real=False):
        self.stubs, self.folder, self.arguments = stubs, folder, list(arguments)
        self.worker_port = free_port()
        if worker_address:  # that pods call
            self.arguments += ["--worker-address", f"127.0.0.1:{self.worker_port}"]
        self.program = folder / "worker"
        self.environment = []
        if real:
            self.program = BIN / "ip2p_training_worker"
        else:
            self.program.write_text(f'#!/bin/sh\nexec {sys.executable} {WORKER} "$@"\n')
            self.program.chmod(0o755)
            self.environment = [f"PYTHONPATH={stubs.folder}", f"FAKE_STEP_S={step_s}"]
        self.server = None
        self.start()

    def start(self):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("IP2P_")}
        variables = [part for variable in self.environment for part in ("--worker-env", variable)]
        self.server = ServerProcess(
            "ip2p_training_coordinator", "--data-dir", self.folder, "--worker-program", self.program,
            "--worker-listen", f"127.0.0.1:{self.worker_port}", "--cpu-slots", 4, "--heartbeat-seconds", 0.5,
            *variables, *self.arguments, environment=clean,
        )  # fmt: skip
        self.training = self.stubs.training_grpc.TrainingServiceStub(self.server.channel)

    def kill(self):
        self.server.process.send_signal(signal.SIGKILL)
        self.server.close()

    def submit(self, name, world_size=2, max_steps=60, **fields):
        job, params = self.stubs.job, {"max_steps": max_steps, "checkpoint_every": 10}
        spec = job.JobSpec(name=name, objective=job.OBJECTIVE_CLIP, fresh_config="config", params=params,
                           resources={"world_size": world_size}, **({"dataset": "shapes"} | fields))  # fmt: skip
        request = self.stubs.training_service.SubmitJobRequest(request_id=name, spec=spec)
        return self.training.SubmitJob(request, timeout=20).job

    def job(self, job_id):
        return self.training.GetJob(self.stubs.training_service.GetJobRequest(job_id=job_id), timeout=20).job

    def ask(self, method, timeout=60, **fields):
        request = getattr(self.stubs.training_service, method + "Request")(**fields)
        return getattr(self.training, method)(request, timeout=timeout)

    def until(self, job_id, *states, timeout=60):
        """The job once it is in one of the states."""
        deadline = time.monotonic() + timeout
        while (job := self.job(job_id)).state not in states:
            assert time.monotonic() < deadline, f"the job is {job.state} ({job.error}) at step {job.metrics.step}"
            time.sleep(0.02)
        return job

    def until_step(self, job_id, step, timeout=60):
        wait_for(lambda: self.job(job_id).metrics.step >= step, timeout)

    def until_logged(self, job_id, text, timeout=60):
        wait_for(lambda: any(text in line.text for part in self.ask("StreamLogs", job_id=job_id)
                             for line in part.lines), timeout)  # fmt: skip

    def starts(self):
        """(job, epoch, rank, pid) of every worker that ever ran."""
        file = self.folder / "starts"
        lines = file.read_text().splitlines() if file.exists() else []
        return [(job, int(epoch), int(rank), int(pid)) for job, epoch, rank, pid in map(str.split, lines)]

    def pid(self, job_id, rank):
        epoch = self.job(job_id).epoch
        (pid,) = [p for j, e, r, p in self.starts() if (j, e, r) == (job_id, epoch, rank)]
        return pid

    def worker_pid(self, job_id, rank):
        """Of the live worker of the newest launch, by its command line."""
        wanted = {"--job": job_id, "--epoch": str(self.job(job_id).epoch), "--rank": str(rank)}
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                arguments = (folder / "cmdline").read_bytes().decode().split("\0")
            except OSError:
                continue
            if wanted.items() <= dict(zip(arguments, arguments[1:], strict=False)).items():
                return int(folder.name)
        raise AssertionError("no such worker")

    def value(self, job_id, step):
        folder = self.folder / "jobs" / job_id / "checkpoints" / f"step-{step:09d}"
        return json.loads((folder / "weights").read_text())["value"]

    def close(self):
        self.server.close()
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if f"--data-dir\0{self.folder}\0".encode() in (folder / "cmdline").read_bytes():
                    os.kill(int(folder.name), signal.SIGKILL)
            except OSError:
                pass


def code_of(call):
    try:
        call()
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK
