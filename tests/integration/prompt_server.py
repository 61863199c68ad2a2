"""A real prompt generator as a process, spoken to with Python's grpcio."""

import os

import pytest
from server import ServerProcess

CANARY = "sk-canary-8f2d61c09b7e4a35"


class PromptServer(ServerProcess):
    """build/bin/ip2p_prompt_generator."""

    def __init__(self, stubs, *arguments, key=CANARY, environment=()):
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("IP2P_", "OPENAI_"))} | dict(environment)
        if key:
            clean["OPENAI_API_KEY"] = key
        super().__init__("ip2p_prompt_generator", *arguments, environment=clean)
        self.stubs = stubs
        self.prompts = stubs.prompt_grpc.PromptServiceStub(self.channel)
        self.finetunes = stubs.finetune_grpc.FinetuneServiceStub(self.channel)

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
        self.terminate()
        assert self.wait() == 0
        return "".join(self.log)


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
