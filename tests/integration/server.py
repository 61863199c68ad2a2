"""A real edit server and what tests need to talk to it with Python's grpcio (stubs are made from protos/ in the run)."""

import json
import pathlib
import signal
import subprocess
import sys
import threading
import urllib.request

import grpc
import pytest
from conftest import BIN, ROOT

READY_TIMEOUT_S = 120


@pytest.fixture(scope="session")
def stubs(tmp_path_factory):
    """Generated modules under short names: stubs.edit, stubs.edit_service, stubs.edit_grpc, stubs.model_grpc, ..."""
    import grpc_tools
    from grpc_tools import protoc

    out = tmp_path_factory.mktemp("stubs")
    well_known = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    files = [str(p) for p in sorted((ROOT / "protos" / "ip2p").rglob("*.proto"))]
    arguments = ["protoc", f"-I{ROOT / 'protos'}", f"-I{well_known}", f"--python_out={out}", f"--grpc_python_out={out}"]
    assert protoc.main([*arguments, *files]) == 0
    sys.path.insert(0, str(out))
    from ip2p.edit.v1 import edit_pb2, edit_service_pb2, edit_service_pb2_grpc
    from ip2p.image.v1 import image_pb2
    from ip2p.model.v1 import model_service_pb2, model_service_pb2_grpc
    from ip2p.pair.v1 import pair_pb2, pair_service_pb2, pair_service_pb2_grpc
    from ip2p.prompt.v1 import finetune_service_pb2, finetune_service_pb2_grpc, prompt_pb2, prompt_service_pb2
    from ip2p.prompt.v1 import prompt_service_pb2_grpc
    from ip2p.training.v1 import job_pb2, training_service_pb2, training_service_pb2_grpc
    from ip2p.training.v1 import worker_service_pb2, worker_service_pb2_grpc

    class Stubs:
        folder = out
        edit, edit_service, edit_grpc = edit_pb2, edit_service_pb2, edit_service_pb2_grpc
        image, model_service, model_grpc = image_pb2, model_service_pb2, model_service_pb2_grpc
        pair, pair_service, pair_grpc = pair_pb2, pair_service_pb2, pair_service_pb2_grpc
        prompt, prompt_service, prompt_grpc = prompt_pb2, prompt_service_pb2, prompt_service_pb2_grpc
        finetune, finetune_grpc = finetune_service_pb2, finetune_service_pb2_grpc
        job, training_service, training_grpc = job_pb2, training_service_pb2, training_service_pb2_grpc
        worker_service, worker_grpc = worker_service_pb2, worker_service_pb2_grpc

    return Stubs


class ServerProcess:
    """Starts a server of build/bin on free ports, reads them from its ready line and keeps what it writes on stderr."""

    def __init__(self, binary, *arguments, environment=None):
        self.process = subprocess.Popen(
            [BIN / binary, "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        )
        self.log = []
        self._reader = threading.Thread(target=lambda: self.log.extend(self.process.stderr), daemon=True)
        self._reader.start()
        watchdog = threading.Timer(READY_TIMEOUT_S, self.process.kill)
        watchdog.start()
        line = self.process.stdout.readline()
        watchdog.cancel()
        if not line:
            self._reader.join(5)
            raise RuntimeError("the server did not start:\n" + "".join(self.log[-20:]))
        self.ready = json.loads(line)
        self.address = f"127.0.0.1:{self.ready['port']}"
        self.metrics_url = f"http://127.0.0.1:{self.ready['metrics_port']}/metrics"
        self.channel = grpc.insecure_channel(self.address)

    def metrics_text(self):
        return urllib.request.urlopen(self.metrics_url, timeout=10).read().decode()

    def metrics(self):
        """{'name{label="value"}': number} as Prometheus would scrape them."""
        rows = (line.rsplit(" ", 1) for line in self.metrics_text().splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, value in rows}

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def wait(self, timeout=60):
        code = self.process.wait(timeout)
        self._reader.join(5)
        return code

    def close(self):
        self.channel.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Server(ServerProcess):
    """build/bin/ip2p_edit_server."""

    def __init__(self, *arguments):
        super().__init__("ip2p_edit_server", "--admin-listen", "127.0.0.1:0", *arguments)
        self.admin_channel = grpc.insecure_channel(f"127.0.0.1:{self.ready['admin_port']}")

    def close(self):
        self.admin_channel.close()
        super().close()


@pytest.fixture
def start_server():
    """start_server("--model", ...) -> Server; all are stopped at the test's end."""
    servers = []

    def start(*arguments):
        servers.append(Server(*arguments))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
