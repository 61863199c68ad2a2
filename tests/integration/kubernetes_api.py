"""A Kubernetes API server of one namespace, as far as the training coordinator asks for it, whose pods are processes.

It validates what it is sent with `kubernetes-validate`, watches as the real one does (a stream from a resourceVersion),
and fails on demand: `faults` are answers to the next requests that create a Job, `break_watches` ends open streams,
`forget_history` makes older versions 410.
"""

import http.server
import json
import os
import pathlib
import signal
import subprocess
import threading
import time
import urllib.parse

import kubernetes_validate

INDEX = "batch.kubernetes.io/job-completion-index"
JOBS = "/apis/batch/v1/namespaces/training/jobs"
TOKEN = "service-account-token-8d1f"


class FakeKubernetes:
    def __init__(self, program, extra_environment):
        self.program, self.environment = program, extra_environment
        self.lock = threading.Condition()
        self.version, self.oldest = 100, 0
        self.jobs, self.pods, self.events = {}, {}, []
        self.faults, self.requests, self.created, self.most_alive = [], [], [], {}
        self.watch_generation, self.closing = 0, False
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def handle_one(self):
                length = int(self.headers.get("content-length", 0))
                api.handle(self, json.loads(self.rfile.read(length)) if length else None)

            do_GET = do_POST = do_DELETE = handle_one

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        threading.Thread(target=self.kubelet, daemon=True).start()

    def close(self):
        self.closing = True
        self.break_watches()
        self.server.shutdown()
        self.server.server_close()
        with self.lock:
            for pods in self.pods.values():
                for pod in pods:
                    pod.kill()

    # What tests do to it.
    def break_watches(self):
        with self.lock:
            self.watch_generation += 1
            self.lock.notify_all()

    def forget_history(self):
        with self.lock:
            self.oldest = self.version
            self.events.clear()

    # HTTP.
    def handle(self, request, body):
        url = urllib.parse.urlsplit(request.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        with self.lock:
            self.requests.append((time.monotonic(), request.command, url.path, query))
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return self.fail(request, 401, "Unauthorized")
        name = url.path.removeprefix(JOBS + "/")
        if request.command == "POST" and url.path == JOBS:
            return self.create(request, body)
        if request.command == "GET" and url.path == JOBS and query.get("watch"):
            return self.watch(request, int(query["resourceVersion"]))
        with self.lock:
            if request.command == "GET" and url.path == JOBS:
                assert query["labelSelector"] == "app.kubernetes.io/managed-by=ip2p-training-coordinator"
                items = list(self.jobs.values())
                return self.answer(request, 200, {"kind": "JobList", "items": items,
                                                  "metadata": {"resourceVersion": str(self.version)}})  # fmt: skip
            if request.command == "GET" and url.path == "/api/v1/namespaces/training/pods":
                job = query["labelSelector"].removeprefix("batch.kubernetes.io/job-name=")
                items = [pod_object(i, pod) for i, pod in enumerate(self.pods.get(job, []))]
                return self.answer(request, 200, {"kind": "PodList", "items": items})
            if name not in self.jobs:
                return self.fail(request, 404, f'jobs.batch "{name}" not found')
            if request.command == "DELETE":
                assert query == {"propagationPolicy": "Foreground"}
                self.jobs[name]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
                for pod in self.pods[name]:
                    pod.terminate()
            self.answer(request, 200, self.jobs[name])

    def answer(self, request, code, body, **headers):
        data = json.dumps(body).encode()
        request.send_response(code)
        for key, value in ({"Content-Type": "application/json", "Content-Length": len(data)} | headers).items():
            request.send_header(key.replace("_", "-"), str(value))
        request.end_headers()
        request.wfile.write(data)

    def fail(self, request, code, message, **headers):
        self.answer(request, code, {"kind": "Status", "status": "Failure", "message": message, "code": code}, **headers)

    def create(self, request, body):
        kubernetes_validate.validate(body, "1.33", strict=True)
        name = body["metadata"]["name"]
        with self.lock:
            fault = self.faults.pop(0) if self.faults else None
            if isinstance(fault, int):
                headers = {"Retry_After": 1} if fault == 429 else {}
                return self.fail(request, fault, f"scripted {fault}: jobs.batch is forbidden", **headers)
            if name in self.jobs:
                return self.fail(request, 409, f'jobs.batch "{name}" already exists')
            self.created.append(body)
            self.jobs[name] = body | {"status": {"active": body["spec"]["completions"]}}
            self.pods[name] = [self.start_pod(body, index) for index in range(body["spec"]["completions"])]
            self.tell("ADDED", self.jobs[name])
            if fault == "lost answer":
                request.close_connection = True
                return request.connection.close()
            self.answer(request, 201, self.jobs[name])

    def watch(self, request, version):
        with self.lock:
            if version < self.oldest:
                return self.fail(request, 410, "too old resource version")
            generation = self.watch_generation
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        while True:
            with self.lock:
                while not (news := [e for e in self.events if e[0] > version]) and generation == self.watch_generation:
                    self.lock.wait(1)
                if generation != self.watch_generation:
                    request.close_connection = True
                    return request.connection.close()
            for version, event in news:
                line = json.dumps(event).encode() + b"\n"
                for part in (line[:20], line[20:]):  # an event rarely comes in one piece
                    try:
                        request.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
                        request.wfile.flush()
                    except OSError:
                        return

    def tell(self, kind, job):
        self.version += 1
        job["metadata"]["resourceVersion"] = str(self.version)
        self.events.append((self.version, json.loads(json.dumps({"type": kind, "object": job}))))
        self.lock.notify_all()

    # What the Job controller and the kubelet do.
    def start_pod(self, job, index):
        (container,) = job["spec"]["template"]["spec"]["containers"]
        assert container["command"] == ["ip2p_training_worker"]
        variables = {v["name"]: v.get("value", "127.0.0.1") for v in container["env"]}
        arguments = [a.replace("$(JOB_COMPLETION_INDEX)", str(index)) for a in container["args"]]
        return subprocess.Popen([self.program, *arguments], stdout=subprocess.DEVNULL,
                                env=os.environ | self.environment | variables)  # fmt: skip

    def kubelet(self):
        while not self.closing:
            time.sleep(0.02)
            with self.lock:
                for name in list(self.jobs):
                    self.look(name, self.jobs[name], self.pods[name])
                for name in self.jobs:
                    owner = self.jobs[name]["metadata"]["labels"]["ip2p-job"]
                    alive = [n for n in self.jobs if self.jobs[n]["metadata"]["labels"]["ip2p-job"] == owner
                             and any(pod.poll() is None for pod in self.pods[n])]  # fmt: skip
                    self.most_alive[owner] = max(self.most_alive.get(owner, 0), len(alive))

    def look(self, name, job, pods):
        codes = [pod.poll() for pod in pods]
        if "deletionTimestamp" in job["metadata"]:
            if None not in codes:
                del self.jobs[name]
                self.tell("DELETED", job)
            return
        if job["status"].get("conditions"):
            return
        failed = [code for code in codes if code]
        if failed and None in codes:  # backoffLimit 0
            for pod in pods:
                pod.terminate() if pod.poll() is None else None
            return
        if None in codes:
            return
        kind = "Failed" if failed else "Complete"
        job["status"] = {"conditions": [{"type": kind, "status": "True"}], "failed": len(failed)}
        self.tell("MODIFIED", job)

    def kill_pod(self, name, index):
        self.pods[name][index].send_signal(signal.SIGKILL)


def pod_object(index, pod):
    code = pod.poll()
    status = {"phase": "Running"}
    if code is not None:
        exit_code = code if code >= 0 else 128 - code
        ended = {"name": "worker", "state": {"terminated": {"exitCode": exit_code}}}
        status = {"phase": "Failed" if code else "Succeeded", "containerStatuses": [ended]}
    return {"metadata": {"annotations": {INDEX: str(index)}}, "status": status}


def write_token(folder):
    path = pathlib.Path(folder) / "service-account-token"
    path.write_text(TOKEN + "\n")
    return path
