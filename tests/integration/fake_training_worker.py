"""One rank of a training run that learns a number: the coordinator's contract for workers, without torch.

Started as ip2p_training_worker is. A step replaces `value` by a number that follows from it and the step, so that a
run which lost or repeated one ends with another value. Every start is a line in DATA/starts.
"""

import argparse
import hashlib
import json
import os
import pathlib
import signal
import sys
import threading
import time

import grpc
from ip2p.training.v1 import worker_service_pb2 as wire
from ip2p.training.v1 import worker_service_pb2_grpc

STEP_S = float(os.environ.get("FAKE_STEP_S", "0.02"))
RETRY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)
DONE, STOPPED, RETRYABLE, FATAL = 0, 3, 75, 42


def value_after(value, step):
    return (value * 31 + step * step + 7) % 1_000_003


class Worker:
    def __init__(self, arguments):
        self.arguments = arguments
        self.id = wire.WorkerIdentity(job_id=arguments.job, epoch=arguments.epoch, rank=arguments.rank)
        self.metadata = [("authorization", "Bearer " + pathlib.Path(arguments.token_file).read_text())]
        self.run = pathlib.Path(arguments.data_dir) / "jobs" / arguments.job
        # A coordinator that starts again is found at once.
        channel = grpc.insecure_channel(arguments.coordinator, options=[("grpc.max_reconnect_backoff_ms", 200)])
        self.stub = worker_service_pb2_grpc.WorkerServiceStub(channel)
        self.step, self.value, self.order, self.max_steps = 0, 1, wire.HeartbeatResponse(), 0

    def call(self, method, request, timeout=20):
        """Until the coordinator answers; a worker that was replaced ends."""
        while True:
            try:
                return getattr(self.stub, method)(request, timeout=timeout, metadata=self.metadata)
            except grpc.RpcError as error:
                if error.code() in RETRY:
                    time.sleep(0.05)
                    continue
                print(method, error.code(), error.details(), flush=True)
                os._exit(RETRYABLE)

    def beat(self):
        while True:
            request = wire.HeartbeatRequest(worker=self.id)
            if self.step:
                request.metrics.step = self.step
                request.metrics.loss = 1 / self.step
                request.metrics.learning_rate = 1e-4
                request.metrics.samples = 32 * self.step
                request.metrics.step_duration.FromNanoseconds(int(STEP_S * 1e9))
            self.order = self.call("Heartbeat", request)
            if self.order.order == wire.WORKER_ORDER_STOP:
                os._exit(STOPPED)
            time.sleep(0.1)

    def save(self):
        name = f"step-{self.step:09d}"
        content = json.dumps({"value": self.value, "step": self.step}).encode()
        for folder, files in {
            self.run / "checkpoints" / name: {
                "weights": content,
                "state.json": json.dumps(
                    {"files": {"weights": {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}}}
                ).encode(),
            },
            self.run / "export" / name: {"model_index.json": content},
        }.items():
            if folder.exists():
                continue
            partial = folder.with_name(".tmp-" + folder.name)
            partial.mkdir(parents=True, exist_ok=True)
            for file, data in files.items():
                (partial / file).write_bytes(data)
            partial.rename(folder)
        record = wire.RecordCheckpointRequest(worker=self.id)
        record.checkpoint.step, record.checkpoint.size_bytes = self.step, len(content)
        self.call("RecordCheckpoint", record)

    def leave(self, outcome, code, message=""):
        self.call("LeaveGroup", wire.LeaveGroupRequest(worker=self.id, outcome=outcome, message=message))
        os._exit(code)

    def log(self, text):
        request = wire.AppendLogsRequest(worker=self.id)
        request.lines.add(text=text).time.GetCurrentTime()
        self.call("AppendLogs", request)

    def main(self):
        with open(pathlib.Path(self.arguments.data_dir) / "starts", "a") as starts:
            starts.write(f"{self.id.job_id} {self.id.epoch} {self.id.rank} {os.getpid()}\n")
        group = self.call("JoinGroup", wire.JoinGroupRequest(worker=self.id, host="127.0.0.1", store_port=29500))
        self.max_steps = group.spec.params.max_steps
        if group.spec.dataset == "missing":
            self.leave(wire.WORKER_OUTCOME_FATAL, FATAL, "the dataset is missing; wants a folder of pairs")
        if group.HasField("resume_step"):
            state = json.loads((self.run / "checkpoints" / f"step-{group.resume_step:09d}" / "weights").read_text())
            self.step, self.value = state["step"], state["value"]
        self.log(f"starts at step {self.step}")
        threading.Thread(target=self.beat, daemon=True).start()
        first = self.id.rank == 0
        while self.step < self.max_steps:
            time.sleep(STEP_S)
            self.value = value_after(self.value, self.step)
            self.step += 1
            order = self.order
            ordered = order.at_step == self.step and order.order != wire.WORKER_ORDER_UNSPECIFIED
            regular = self.step % group.spec.params.checkpoint_every == 0 or self.step == self.max_steps
            if first and (ordered or regular):
                self.save()
            if ordered and order.order == wire.WORKER_ORDER_SAVE_AND_STOP:
                self.leave(wire.WORKER_OUTCOME_STOPPED, STOPPED)
        self.log("is done")
        self.leave(wire.WORKER_OUTCOME_DONE, DONE)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for flag in ("--coordinator", "--job", "--data-dir", "--token-file"):
        parser.add_argument(flag, required=True)
    for flag in ("--epoch", "--rank", "--world-size"):
        parser.add_argument(flag, type=int, required=True)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(RETRYABLE))
    sys.exit(Worker(parser.parse_args()).main())
