"""A real prompt generator as a process, spoken to with Python's grpcio."""

import json
import os
import signal
import subprocess
import threading
import urllib.request

import grpc
import pytest
from conftest import BIN

READY_TIMEOUT_S = 60
CANARY = "sk-canary-8f2d61c09b7e4a35"


class PromptServer:
    """Starts build/bin/ip2p_prompt_generator on free ports; keeps all that it writes."""

    def __init__(self, stubs, *arguments, key=CANARY, environment=()):
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("IP2P_", "OPENAI_"))} | dict(environment)
        if key:
            clean["OPENAI_API_KEY"] = key
        self.process = subprocess.Popen(
            [BIN / "ip2p_prompt_generator", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0",
             *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean)
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
        self.metrics_url = f"http://127.0.0.1:{self.ready['metrics_port']}/metrics"
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.ready['port']}")
        self.stubs = stubs
        self.prompts = stubs.prompt_grpc.PromptServiceStub(self.channel)
        self.finetunes = stubs.finetune_grpc.FinetuneServiceStub(self.channel)

    def metrics_text(self):
        return urllib.request.urlopen(self.metrics_url, timeout=10).read().decode()

    def metrics(self):
        """{'name{label="value"}': number} as Prometheus would scrape them."""
        rows = (line.rsplit(" ", 1) for line in self.metrics_text().splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, value in rows}

    def try_one(self, caption="a red house", timeout=60, **params):
        """GeneratePrompt's outcome."""
        pb = self.stubs.prompt
        request = self.stubs.prompt_service.GeneratePromptRequest(caption=pb.Caption(text=caption),
                                                                  params=pb.GenerationParams(**params))
        return self.prompts.GeneratePrompt(request, timeout=timeout).outcome

    def generate(self, captions, timeout=120, moderation=False, params=(), **fields):
        """GeneratePrompts' outcomes by index, and the last progress."""
        pb = self.stubs.prompt
        request = self.stubs.prompt_service.GeneratePromptsRequest(
            captions=self.stubs.prompt_service.CaptionList(captions=[pb.Caption(text=c) for c in captions]),
            params=pb.GenerationParams(moderation=moderation, **dict(params)), **fields)
        outcomes, progress = {}, None
        for event in self.prompts.GeneratePrompts(request, timeout=timeout):
            if event.HasField("outcome"):
                assert event.outcome.index not in outcomes
                outcomes[event.outcome.index] = event.outcome
            else:
                progress = event.progress
        return outcomes, progress

    def stop(self):
        """SIGTERM; all that it wrote on stderr."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        self._reader.join(5)
        assert code == 0
        return "".join(self.log)

    def close(self):
        self.channel.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def start_prompt_server(stubs):
    """start_prompt_server("--base-url", ...) -> PromptServer; all are stopped at the test's end."""
    servers = []

    def start(*arguments, **options):
        servers.append(PromptServer(stubs, *arguments, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
