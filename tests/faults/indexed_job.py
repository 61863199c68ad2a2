"""An Indexed Job of Kubernetes on this machine: a process a pod, by the rules of the Job's own manifest.

What is followed: completions, parallelism, JOB_COMPLETION_INDEX, backoffLimitPerIndex, maxFailedIndexes and
podFailurePolicy (Ignore on DisruptionTarget, FailIndex on exit codes). A pod that is evicted gets SIGTERM, then
SIGKILL, and carries DisruptionTarget; one that is killed (out of memory) gets SIGKILL alone and counts.
"""

import collections
import dataclasses
import os
import signal
import subprocess
import time


@dataclasses.dataclass
class Pod:
    index: int
    process: subprocess.Popen
    disrupted: bool = False


class IndexedJob:
    def __init__(self, manifest, command, environment):
        self.spec = manifest["spec"]
        assert self.spec["completionMode"] == "Indexed"
        self.command, self.environment = command, environment
        self.pending = collections.deque(range(self.spec["completions"]))
        self.running = []
        self.succeeded, self.failed = set(), {}
        self.failures = collections.Counter()  # that count, by index
        self.pods = 0

    def start_pods(self):
        while self.pending and len(self.running) < self.spec["parallelism"]:
            index = self.pending.popleft()
            process = subprocess.Popen(self.command, env=self.environment | {"JOB_COMPLETION_INDEX": str(index)},
                                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            self.running.append(Pod(index, process))
            self.pods += 1

    def action_on(self, pod, code):
        for rule in self.spec["podFailurePolicy"]["rules"]:
            if pod.disrupted and any(c["type"] == "DisruptionTarget" for c in rule.get("onPodConditions", [])):
                return rule["action"]
            codes = rule.get("onExitCodes")
            if codes and codes["operator"] == "In" and code in codes["values"]:
                return rule["action"]
        return "Count"

    def reap(self):
        """Takes the pods that have ended; what their ends mean."""
        for pod in [p for p in self.running if p.process.poll() is not None]:
            self.running.remove(pod)
            errors = pod.process.stderr.read()
            code = pod.process.returncode
            code = code if code >= 0 else 128 - code  # as a container tells a signal
            if code == 0:
                self.succeeded.add(pod.index)
                continue
            action = self.action_on(pod, code)
            self.failures[pod.index] += action == "Count"
            if action == "FailIndex" or self.failures[pod.index] > self.spec["backoffLimitPerIndex"]:
                self.failed[pod.index] = f"exit code {code}: {errors[-400:]}"
            else:
                self.pending.append(pod.index)

    def run(self, disturb, timeout_s):
        """Until every index has succeeded or failed. `disturb(job)` is asked again and again, and may evict or kill."""
        deadline = time.monotonic() + timeout_s
        try:
            while self.pending or self.running:
                assert time.monotonic() < deadline, (self.pending, self.running)
                if len(self.failed) > self.spec.get("maxFailedIndexes", self.spec["completions"]):
                    break
                self.start_pods()
                disturb(self)
                self.reap()
        finally:
            for pod in self.running:
                pod.process.kill()
                pod.process.wait()

    def evict(self, pod, grace_s):
        pod.disrupted = True
        pod.process.send_signal(signal.SIGTERM)
        try:
            pod.process.wait(grace_s)
        except subprocess.TimeoutExpired:
            pod.process.kill()
            pod.process.wait()

    def kill(self, pod):
        pod.process.kill()
        pod.process.wait()


def clean_environment():
    return {k: v for k, v in os.environ.items() if not k.startswith(("IP2P_", "JOB_"))}
