"""What the prompt generator makes of everything an API may answer; each time the next good request is answered."""

import json
import pathlib
import subprocess
import time

import grpc
import pytest
from openai_fake import FAULTS, OpenAiFake, Reply
from prompt_server import CANARY, start_prompt_server  # noqa: F401  (fixture)
from server import stubs  # noqa: F401  (fixture)

QUICK = ("--request-timeout-seconds", 2, "--stall-timeout-seconds", 1, "--no-moderation")


@pytest.fixture
def start(start_prompt_server):
    """start(fake, ...) -> a server that asks the fake."""
    return lambda fake, *more, **options: start_prompt_server("--base-url", fake.url, *QUICK, *more, **options)


def rejected(stubs, outcome):
    return stubs.prompt.RejectReason.Name(outcome.rejected).removeprefix("REJECT_REASON_").lower()


def assert_good(outcome):
    assert outcome.prompt.edit == "make it winter" and outcome.prompt.output == outcome.prompt.caption + " in winter"


@pytest.mark.parametrize("fault", [*FAULTS, "huge", "hang"])
def test_each_fault_is_survived(start, fault):
    with OpenAiFake(script=[fault]) as fake:
        server = start(fake)
        outcome = server.try_one()
        assert_good(outcome)
        assert outcome.usage.requests == (1 if fault == "drip" else 2)
        assert fake.flooded < 64 << 20  # of 10 GB
        assert fake.violations == []


def test_a_drip_that_outlasts_the_timeout_is_asked_again(start):
    """Its pieces come more often than the stall timeout, so that only the deadline of the whole ends it."""
    with OpenAiFake(script=["drip"], drip_s=0.6) as fake:
        server = start(fake)
        began = time.monotonic()
        outcome = server.try_one()
        assert_good(outcome)
        assert outcome.usage.requests == len(fake.requests) == 2
        assert 2 <= fake.requests[1][0] - fake.requests[0][0] <= time.monotonic() - began
        requests = {k: v for k, v in server.metrics().items() if k.startswith("ip2p_prompts_api_requests_total")}
        assert requests.pop('ip2p_prompts_api_requests_total{status="200"}') == 1
        assert list(requests.values()) == [1]  # why no answer came


@pytest.mark.parametrize("fault, reason", [("length", "malformed"), ("not_json", "malformed"),
                                           ("part_missing", "malformed"), ("wrong_type", "malformed"),
                                           ("no_choices", "malformed"), ("refusal", "refused"),
                                           ("content_filter", "refused")])
def test_an_answer_without_an_edit_is_rejected(start, stubs, fault, reason):
    with OpenAiFake(script=[fault] * 3) as fake:
        server = start(fake)
        assert rejected(stubs, server.try_one()) == reason
        assert len(fake.requests) == (1 if reason == "refused" else 3)
        fake.script.clear()
        assert_good(server.try_one())


@pytest.mark.parametrize("status", ["400", "403", "404"])
def test_a_final_error_is_not_repeated(start, status):
    with OpenAiFake(script=[status]) as fake:
        server = start(fake)
        with pytest.raises(grpc.RpcError) as failure:
            server.try_one()
        assert failure.value.code() == grpc.StatusCode.UNAVAILABLE
        assert len(fake.requests) == 1
        assert_good(server.try_one())


def test_a_refused_key_is_failed_precondition(start):
    with OpenAiFake(key="sk-another-one-entirely") as fake:
        server = start(fake)
        with pytest.raises(grpc.RpcError) as failure:
            server.try_one()
        assert failure.value.code() == grpc.StatusCode.FAILED_PRECONDITION
        assert len(fake.requests) == 1
        with pytest.raises(grpc.RpcError) as failure:
            server.generate([f"caption {i}" for i in range(500)], concurrency=4)
        assert failure.value.code() == grpc.StatusCode.FAILED_PRECONDITION
        assert len(fake.requests) <= 1 + 4


@pytest.mark.parametrize("fault", ["quota", "429_absurd"])
def test_what_cannot_pass_ends_the_run_at_once(start, fault):
    with OpenAiFake(script=[fault]) as fake:
        server = start(fake)
        with pytest.raises(grpc.RpcError) as failure:
            server.try_one()
        assert failure.value.code() == grpc.StatusCode.UNAVAILABLE
        assert len(fake.requests) == 1


def test_a_storm_of_429_holds_everyone(start):
    captions = [f"a photograph of street {i}" for i in range(300)]
    with OpenAiFake(script=["ok"] * 40 + ["storm"] * 30, latency_s=0.01, retry_after_s=1) as fake:
        outcomes, _ = start(fake).generate(captions, concurrency=32)
        assert len(outcomes) == 300 and all(o.HasField("prompt") for o in outcomes.values())
        assert fake.violations == []
        assert fake.report()["most_writes_of_a_caption"] <= 6


def test_rate_headers_are_kept(start):
    headers = [("x-ratelimit-limit-requests", "1200"), ("x-ratelimit-remaining-requests", "0")]
    with OpenAiFake(headers=headers) as fake:
        outcomes, _ = start(fake).generate([f"caption {i}" for i in range(21)], concurrency=1)
        assert len(outcomes) == 21
        times = [request[0] for request in fake.requests]
        assert times[-1] - times[0] >= 19 * 0.05 * 0.9  # 20 a second from the second on


def test_bad_tls_is_refused_before_the_key_is_sent(start_prompt_server, tmp_path):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", tmp_path / "key.pem", "-out",
                    tmp_path / "cert.pem", "-days", "1", "-subj", "/CN=127.0.0.1", "-addext",
                    "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    with OpenAiFake(tls=(tmp_path / "cert.pem", tmp_path / "key.pem")) as fake:
        server = start_prompt_server("--base-url", fake.url, *QUICK)
        with pytest.raises(grpc.RpcError) as failure:
            server.try_one()
        assert failure.value.code() == grpc.StatusCode.FAILED_PRECONDITION
        assert "certificate" in failure.value.details()
        assert fake.requests == []
        trusting = start_prompt_server("--base-url", fake.url, "--ca-file", tmp_path / "cert.pem", *QUICK)
        assert_good(trusting.try_one())


def test_moderation_stops_captions_and_answers(start_prompt_server, stubs):
    with OpenAiFake(flag="FLAGME") as fake:
        server = start_prompt_server("--base-url", fake.url)
        assert rejected(stubs, server.try_one("a FLAGME house")) == "caption_flagged"
        assert [r[2] for r in fake.requests] == ["/v1/moderations"]
        assert_good(server.try_one("a red house"))
        assert [r[2] for r in fake.requests[1:]] == ["/v1/moderations", "/v1/chat/completions", "/v1/moderations"]
        flagged = json.dumps({"edit": "FLAGME", "output": "something else"})
        answer = {"choices": [{"message": {"content": flagged}, "finish_reason": "stop"}]}
        fake.script = ["ok", Reply(answer), "ok"] + [Reply(answer), "ok"] * 2
        assert rejected(stubs, server.try_one("a red house")) == "answer_flagged"
        assert_good(server.try_one("a FLAGME house", moderation=False))


def test_a_moderation_that_fails_is_asked_again(start_prompt_server):
    class Judge(OpenAiFake):
        verdicts = []  # texts that were judged together

        def route(self, method, route, path, headers, body):
            reply = super().route(method, route, path, headers, body)
            if route == "/moderations" and reply.status == 200:
                self.verdicts.append(json.loads(body)["input"])
            return reply

    captions = [f"a photograph of gate {i}" for i in range(40)]
    with Judge(fault_rate=0.25, faults=["429_ms", "500"], moderation_faults=True, seed=2) as fake:
        outcomes, _ = start_prompt_server("--base-url", fake.url).generate(captions, moderation=True, concurrency=16)
        assert len(outcomes) == 40 and fake.violations == []
        assert sum(fake.asked["moderation " + caption] > 1 for caption in captions) >= 5
        accepted = [outcome for outcome in outcomes.values() if outcome.HasField("prompt")]
        assert len(accepted) >= 38  # six tries of a request may all fail
        for outcome in accepted:
            assert_good(outcome)
            assert [outcome.prompt.caption] in fake.verdicts
            assert [outcome.prompt.edit, outcome.prompt.output] in fake.verdicts


@pytest.mark.parametrize("fault", ["429_ms", "500"])
@pytest.mark.parametrize("judged", [0, 1])
def test_without_a_verdict_nothing_is_accepted(start_prompt_server, stubs, fault, judged):
    """The judge is down for good: before the writer was asked, or after."""

    class NoJudge(OpenAiFake):
        verdicts = judged

        def route(self, method, route, path, headers, body):
            if route == "/moderations" and self.verdicts <= 0:
                return self.fault(fault, route, headers, body)
            self.verdicts -= route == "/moderations"
            return super().route(method, route, path, headers, body)

    with NoJudge() as fake:
        server = start_prompt_server("--base-url", fake.url)
        with pytest.raises(grpc.RpcError) as failure:
            server.try_one("a red house")
        assert failure.value.code() == grpc.StatusCode.UNAVAILABLE
        assert fake.counts["fault " + fault] > 1  # it was asked again
        assert sum(fake.asked.values()) == (1 if judged else 0)
        assert server.metrics()["ip2p_prompts_generated_total"] == 0
        fake.verdicts = 2
        assert_good(server.try_one("a red house"))


def test_organization_and_project_are_sent_with_every_request(start_prompt_server):
    with OpenAiFake() as fake:
        assert_good(start_prompt_server("--base-url", fake.url, "--organization", "org-7", "--project",
                                        "proj_9").try_one())
        assert [r[2] for r in fake.requests] == ["/v1/moderations", "/v1/chat/completions", "/v1/moderations"]
        for _, _, _, headers, _ in fake.requests:
            assert (headers["openai-organization"], headers["openai-project"]) == ("org-7", "proj_9")
    with OpenAiFake() as fake:
        assert_good(start_prompt_server("--base-url", fake.url).try_one())
        for _, _, _, headers, _ in fake.requests:
            assert not {"openai-organization", "openai-project"} & set(headers)


def test_completion_format_is_the_references(start, stubs):
    with OpenAiFake() as fake:
        server = start(fake, "--completion-model", "davinci-002")
        assert_good(server.try_one("a red house", provider=stubs.prompt.PROVIDER_KIND_OPENAI_COMPLETION))
        body = json.loads(fake.requests[0][4])
        assert body["prompt"] == "a red house\n##\n" and body["stop"] == ["\nEND"]
        assert (body["temperature"], body["max_tokens"], body["frequency_penalty"]) == (0.7, 256, 0.1)
        assert body["model"] == "davinci-002"


def test_the_key_is_in_nothing_that_comes_out(start, tmp_path):
    """The fake echoes the key wherever it can: errors, headers, and the answer's own text."""
    out = tmp_path / "data"
    out.mkdir()
    headers = [("X-Echo", "Bearer " + CANARY), ("Retry-After", CANARY), ("x-ratelimit-limit-requests", CANARY)]
    script = ["echo_key", "echo_key_200", "echo_key_200", "ok", "echo_key", "echo_key_200", "ok"]
    with OpenAiFake(script=script, headers=headers, key=CANARY) as fake:
        server = start(fake, "--data-dir", out, "--log-level", "debug")
        seen = []
        with pytest.raises(grpc.RpcError) as failure:
            server.try_one()
        seen += [failure.value.details(), str(failure.value.trailing_metadata())]
        outcome = server.try_one("a sign")
        seen.append(str(outcome))
        outcomes, progress = server.generate(["a", "b", "c"], concurrency=1, run_name="canary")
        seen += [str(outcomes), str(progress)]
        process = pathlib.Path(f"/proc/{server.process.pid}")
        seen.append((process / "cmdline").read_text())
        seen.append(server.metrics_text())
        with OpenAiFake(key="another-key-that-is-wanted") as strict:
            refused = start(strict)
            with pytest.raises(grpc.RpcError) as failure:
                refused.try_one()
            seen += [failure.value.details(), refused.stop()]
        seen.append(server.stop())
        assert len(fake.requests) >= 7
    files = [p for p in out.rglob("*") if p.is_file()]
    assert files
    seen += [p.read_text() for p in files]
    for text in seen:
        assert CANARY not in text and CANARY[3:] not in text and CANARY[-12:] not in text


def test_the_key_may_come_from_a_file(start, tmp_path):
    (tmp_path / "key").write_text(CANARY + "\n")
    with OpenAiFake(key=CANARY) as fake:
        server = start(fake, "--key-file", tmp_path / "key", key=None)
        assert_good(server.try_one())
        environment = pathlib.Path(f"/proc/{server.process.pid}/environ").read_text()
        assert CANARY not in environment


def test_cancel_stops_new_requests(start, stubs):
    pb = stubs.prompt
    with OpenAiFake(latency_s=0.1) as fake:
        server = start(fake)
        captions = [pb.Caption(text=f"caption {i}") for i in range(5000)]
        request = stubs.prompt_service.GeneratePromptsRequest(
            captions=stubs.prompt_service.CaptionList(captions=captions), concurrency=4)
        stream = server.prompts.GeneratePrompts(request)
        while not next(stream).HasField("outcome"):
            pass
        stream.cancel()
        assert_good(server.try_one("another"))
        deadline = time.monotonic() + 30
        while server.metrics()["ip2p_prompts_runs"] > 0:
            assert time.monotonic() < deadline
        sent = len(fake.requests)
        assert_good(server.try_one("yet another"))
        assert len(fake.requests) == sent + 1


def test_usage_and_cost_come_from_the_answer(start, tmp_path):
    (tmp_path / "prices.json").write_text(json.dumps({"models": {"gpt-4o-mini": {"input": 2.0, "output": 10.0}}}))
    with OpenAiFake() as fake:
        server = start(fake, "--prices-file", tmp_path / "prices.json")
        usage = server.try_one("a red house").usage
        assert (usage.prompt_tokens, usage.completion_tokens) == (len("a red house") // 4 + 150, 24)
        assert usage.cost_micro_usd == 2 * usage.prompt_tokens + 10 * usage.completion_tokens
        assert server.metrics()["ip2p_prompts_cost_usd_total"] == pytest.approx(usage.cost_micro_usd / 1e6)


def test_outcomes_requests_and_tokens_are_counted(start):
    captions = [f"a photograph of bridge {i}" for i in range(20)]
    with OpenAiFake(script=["500", "429_ms", "refusal"] + ["not_json"] * 2) as fake:
        server = start(fake)
        outcomes, progress = server.generate(captions, concurrency=1)
        assert sorted(outcomes) == list(range(20)) and progress.accepted == 19
        metrics = server.metrics()
        name = "ip2p_prompts_{}_total".format
        assert metrics[name("generated")] == 19
        assert {k: v for k, v in metrics.items() if k.startswith(name("rejected"))} == {
            name("rejected") + '{reason="refused"}': 1}
        assert {k: v for k, v in metrics.items() if k.startswith(name("api_requests"))} == {
            name("api_requests") + f'{{status="{status}"}}': count
            for status, count in {200: 20 + 2, 500: 1, 429: 1}.items()}
        prompt = sum(n * (len(caption) // 4 + 150) for caption, n in fake.asked.items())
        assert sum(fake.asked.values()) == 19  # the script's answers are not among them
        usage = progress.usage
        assert usage.prompt_tokens - prompt == 3 * (len(captions[-1]) // 4 + 150)
        assert metrics[name("tokens") + '{kind="prompt"}'] == usage.prompt_tokens
        assert metrics[name("tokens") + '{kind="completion"}'] == usage.completion_tokens == 22 * 24


def test_money_is_counted_when_it_is_spent_and_once(start_prompt_server, tmp_path):
    """The judge's key is refused when answers have been paid for: they have no outcome yet, and keep their price."""

    class Refusing(OpenAiFake):
        refusing = True

        def route(self, method, route, path, headers, body):
            if self.refusing and route == "/moderations" and len(json.loads(body)["input"]) == 2:
                return Reply({"error": {"message": "no", "code": "invalid_api_key"}}, 401)
            return super().route(method, route, path, headers, body)

    (tmp_path / "prices.json").write_text(json.dumps({"models": {"gpt-4o-mini": {"input": 2.0, "output": 10.0}}}))
    (tmp_path / "data").mkdir()
    captions = [f"a photograph of tower {i}" for i in range(30)]
    with Refusing() as fake:
        server = start_prompt_server("--base-url", fake.url, "--prices-file", tmp_path / "prices.json", "--data-dir",
                                     tmp_path / "data")

        def check():
            metrics, writes = server.metrics(), sum(fake.asked.values())
            prompt = sum(n * (len(caption) // 4 + 150) for caption, n in fake.asked.items())
            assert metrics['ip2p_prompts_tokens_total{kind="prompt"}'] == prompt
            assert metrics['ip2p_prompts_tokens_total{kind="completion"}'] == 24 * writes
            assert metrics["ip2p_prompts_cost_usd_total"] == pytest.approx((2 * prompt + 240 * writes) / 1e6)
            return writes

        with pytest.raises(grpc.RpcError) as failure:
            server.try_one()
        assert failure.value.code() == grpc.StatusCode.FAILED_PRECONDITION
        assert check() == 1
        with pytest.raises(grpc.RpcError) as failure:
            server.generate(captions, moderation=True, run_name="r", concurrency=4)
        assert failure.value.code() == grpc.StatusCode.FAILED_PRECONDITION
        assert 1 < check() <= 1 + 4
        assert server.metrics()["ip2p_prompts_generated_total"] == 0
        fake.refusing = False
        _, progress = server.generate(captions, moderation=True, run_name="r", concurrency=4)
        assert progress.accepted == 30
        assert check() == 1 + 30
        assert server.metrics()["ip2p_prompts_generated_total"] == 30
