"""The slow half of the API: batches that survive restarts, and fine-tuning by RPC."""

import json
import subprocess
import threading
import time

import grpc
import pytest
from conftest import BIN
from openai_fake import GRACE_S, OpenAiFake
from prompt_server import CANARY, start_prompt_server  # noqa: F401  (fixture)
from server import stubs  # noqa: F401  (fixture)

CAPTIONS = [f"a photograph of harbour number {i}" for i in range(60)]
PRICES = {"models": {"gpt-4o-mini": {"input": 2.0, "output": 10.0}}}


class GatedFake(OpenAiFake):
    """Tells when a path was asked for, so that a kill needs no sleep; can keep batches from ending."""

    def __init__(self, **options):
        super().__init__(**options)
        self.marks, self.hold = {}, False

    def mark(self, route):
        return self.marks.setdefault(route, threading.Event())

    def answer(self, method, path, headers, body):
        reply = super().answer(method, path, headers, body)
        self.mark(f"{method} {path.split('?')[0].removeprefix('/v1').split('_')[0]}").set()
        return reply


@pytest.fixture
def start(start_prompt_server, tmp_path):
    (tmp_path / "prices.json").write_text(json.dumps(PRICES))
    (tmp_path / "data").mkdir(exist_ok=True)
    return lambda fake, *more: start_prompt_server(
        "--base-url", fake.url, "--prices-file", tmp_path / "prices.json", "--data-dir", tmp_path / "data", *more)


def run_batch(server, stubs, captions=CAPTIONS, run_name="batch", moderation=False, **fields):
    params = {"provider": stubs.prompt.PROVIDER_KIND_OPENAI_BATCH}
    return server.generate(captions, moderation=moderation, params=params, run_name=run_name, **fields)


def test_a_batch_gives_every_caption_its_outcome(start, stubs, tmp_path):
    with OpenAiFake(key=CANARY) as fake:
        outcomes, progress = run_batch(start(fake), stubs)
        assert sorted(outcomes) == list(range(60))
        assert all(o.prompt.output == o.prompt.caption + " in winter" for o in outcomes.values())
        assert len(fake.jobs.batches) == 1
        request = json.loads(fake.jobs.files["file-1"].splitlines()[0])
        assert request["url"] == "/v1/chat/completions" and request["method"] == "POST"
        assert request["body"]["response_format"]["json_schema"]["strict"] is True
        # Half of the price: the tokens of all answers at 1 and 5 millionths.
        usage = progress.usage
        assert usage.prompt_tokens == sum(len(c) // 4 + 150 for c in CAPTIONS)
        assert usage.cost_micro_usd == usage.prompt_tokens + 5 * usage.completion_tokens
    assert list((tmp_path / "data").rglob("*.journal"))


def test_what_fails_in_a_batch_goes_into_the_next(start, stubs):
    with OpenAiFake(fault_rate=0.3, seed=5) as fake:
        outcomes, _ = run_batch(start(fake), stubs)
        assert sorted(outcomes) == list(range(60))
        assert 2 <= len(fake.jobs.batches) <= 3  # three tries
        assert sum(o.HasField("prompt") for o in outcomes.values()) >= 55
        assert fake.report()["most_writes_of_a_caption"] <= 3


def test_a_killed_run_finds_its_batch_again(start, stubs):
    with GatedFake(batch_polls=10**9) as fake:
        server = start(fake)
        errors = []

        def first_run():
            try:
                run_batch(server, stubs)
            except grpc.RpcError as error:
                errors.append(error.code())

        thread = threading.Thread(target=first_run)
        thread.start()
        assert fake.mark("GET /batches/batch").wait(60)  # it is ordered, and polled
        server.process.kill()
        thread.join(60)
        assert errors == [grpc.StatusCode.UNAVAILABLE]
        fake.jobs.batch_polls = 0
        outcomes, progress = run_batch(start(fake), stubs)
        assert len(fake.jobs.batches) == 1 and set(fake.asked.values()) == {1}
        assert len(outcomes) == 60 and progress.accepted == 60


def test_a_killed_run_polls_no_earlier_than_it_may(start, stubs, tmp_path):
    """Files and batches cost nothing against the rate limits, but a Retry-After holds them, and the next process."""

    class Closing(GatedFake):
        polls = 0

        def route(self, method, route, path, headers, body):
            self.polls += method == "GET" and route == "/batches/batch_1"
            if method == "GET" and self.polls == 1:
                return self.fault("429_seconds", route, headers, body)
            return super().route(method, route, path, headers, body)

    with Closing(batch_polls=1, retry_after_s=6) as fake:
        server = start(fake)
        first = threading.Thread(target=lambda: pytest.raises(grpc.RpcError, run_batch, server, stubs))
        first.start()
        deadline = time.monotonic() + 60
        while not any("closed_until_ms" in j.read_text() for j in (tmp_path / "data").rglob("*.journal")):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        server.process.kill()
        first.join(60)
        time.sleep(GRACE_S)  # the fake forgives what comes right after its answer
        _, progress = run_batch(start(fake), stubs)
        assert progress.accepted == 60 and len(fake.jobs.batches) == 1
        assert fake.polls == 2 and fake.violations == [] and time.time() >= fake.allowed_at


def test_what_rounds_consumed_survives_a_kill(start, stubs, tmp_path):
    """Killed in the second round: tokens and money are those of all rounds, and every outcome has its line."""

    class SecondRoundHeld(GatedFake):
        """Every third caption's first answer is no JSON; the second batch is not finished until it may."""

        def draw(self, caption, nth):
            return "not_json" if nth == 1 and int(caption.split()[-1]) % 3 == 0 else None

        def finish(self, batch):
            if batch["id"] == "batch_1" or not self.hold:
                self.finish_batch(batch)
            else:
                self.mark("held").set()

    with SecondRoundHeld(batch_polls=1) as fake:
        fake.finish_batch, fake.jobs.finish, fake.hold = fake.jobs.finish, fake.finish, True
        server = start(fake)
        first = threading.Thread(target=lambda: pytest.raises(grpc.RpcError, run_batch, server, stubs))
        first.start()
        assert fake.mark("held").wait(60)
        server.process.kill()
        first.join(60)
        fake.hold = False
        outcomes, progress = run_batch(start(fake), stubs)
        assert len(outcomes) == 20 and progress.accepted == 60 and len(fake.jobs.batches) == 2
        assert sum(fake.asked.values()) == progress.usage.requests == 80
        expected = sum(n * (len(c) // 4 + 150) for c, n in fake.asked.items())
        assert progress.usage.prompt_tokens == expected
        assert progress.usage.cost_micro_usd == expected + 80 * 24 * 5
    records = [json.loads(line) for line in next((tmp_path / "data").rglob("*.journal")).read_text().splitlines()]
    assert [r["line"] for r in sorted((r for r in records if "index" in r), key=lambda r: r["index"])] \
        == list(range(1, 61))
    assert len([r for r in records if "tried" in r]) == 20


def test_a_batch_whose_answer_was_lost_is_found_by_its_name(start, stubs):
    """The provider takes the order, the connection breaks, the process dies: nothing is ordered twice."""

    class Losing(GatedFake):
        lost = False

        def route(self, method, route, path, headers, body):
            reply = super().route(method, route, path, headers, body)
            if method == "POST" and route == "/batches" and not self.lost:
                self.lost = True
                reply.how = "reset"
            return reply

    with Losing() as fake:
        server = start(fake)
        with pytest.raises(grpc.RpcError) as failure:
            run_batch(server, stubs)
        assert failure.value.code() == grpc.StatusCode.UNAVAILABLE
        assert len(fake.jobs.batches) == 1
        outcomes, _ = run_batch(start(fake), stubs)
        assert len(outcomes) == 60 and len(fake.jobs.batches) == 1 and set(fake.asked.values()) == {1}


def test_a_batch_never_orders_more_than_the_budget_bears(start, stubs):
    with OpenAiFake() as fake:
        server = start(fake)
        with pytest.raises(grpc.RpcError) as failure:
            run_batch(server, stubs, max_cost_micro_usd=10_000)
        assert failure.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        cost = sum((len(c) // 4 + 150) + 5 * 24 for c in fake.asked)
        assert 0 < cost <= 10_000 and 0 < len(fake.asked) < 60


def test_a_batch_moderates_what_goes_in_and_comes_out(start, stubs, tmp_path):
    captions = ["a house", "a FLAGME house", "a tree"]
    with OpenAiFake() as fake:
        outcomes, _ = run_batch(start(fake), stubs, captions, moderation=True)
        assert [o.HasField("prompt") for _, o in sorted(outcomes.items())] == [True, False, True]
        assert outcomes[1].rejected == stubs.prompt.REJECT_REASON_CAPTION_FLAGGED
        assert b"FLAGME" not in fake.jobs.files["file-1"]
    records = next((tmp_path / "data").rglob("*.journal")).read_text().splitlines()
    assert [r["line"] for r in map(json.loads, records) if r.get("outcome") == "caption_flagged"] == [2]


# Fine-tuning


def chat_file(count=12):
    lines = [{"messages": [{"role": "user", "content": f"caption {i}"},
                           {"role": "assistant", "content": json.dumps({"edit": "e", "output": f"caption {i} e"})}]}
             for i in range(count)]
    return "\n".join(map(json.dumps, lines)).encode() + b"\n"


def start_request(stubs, **fields):
    fields = {"request_id": "order-1", "training_file": chat_file(), "base_model": "gpt-4o-mini"} | fields
    return stubs.finetune.StartFinetuneRequest(**fields)


def refusal(call, request):
    with pytest.raises(grpc.RpcError) as failure:
        call(request, timeout=60)
    return failure.value.code(), failure.value.details()


def test_a_job_from_start_to_end(start, stubs):
    pb = stubs.finetune
    with OpenAiFake(key=CANARY) as fake:
        api = start(fake).finetunes
        job = api.StartFinetune(start_request(stubs, epochs=3, suffix="winter"), timeout=60).finetune
        assert (job.state, job.base_model) == (pb.FINETUNE_STATE_VALIDATING, "gpt-4o-mini")
        assert fake.jobs.files["file-1"] == chat_file()
        sent = fake.jobs.finetunes[job.id]
        assert sent["suffix"] == "winter"
        assert sent["hyperparameters"]["supervised"]["hyperparameters"]["n_epochs"] == 3
        states = []
        while not states or states[-1] != pb.FINETUNE_STATE_SUCCEEDED:
            job = api.GetFinetune(pb.GetFinetuneRequest(id=job.id), timeout=60).finetune
            states.append(job.state)
            assert len(states) < 10
        assert job.fine_tuned_model == "ft:gpt-4o-mini:fake:winter:1" and job.trained_tokens == 1234
        assert job.finish_time.seconds > job.create_time.seconds
        events = api.ListFinetuneEvents(pb.ListFinetuneEventsRequest(id=job.id, page_size=3), timeout=60)
        assert [e.message for e in events.events] == [f"step {i} of {job.id}" for i in range(3)]
        rest = api.ListFinetuneEvents(
            pb.ListFinetuneEventsRequest(id=job.id, page_token=events.next_page_token), timeout=60)
        assert [e.message for e in rest.events] == [f"step {i} of {job.id}" for i in (3, 4)]
        assert rest.next_page_token == ""
        assert refusal(api.CancelFinetune, pb.CancelFinetuneRequest(id=job.id))[0] == grpc.StatusCode.FAILED_PRECONDITION


def test_the_same_order_twice_is_one_job_even_after_a_restart(start, stubs):
    with OpenAiFake() as fake:
        server = start(fake)
        first = server.finetunes.StartFinetune(start_request(stubs), timeout=60).finetune
        again = server.finetunes.StartFinetune(start_request(stubs), timeout=60).finetune
        assert first.id == again.id
        api = start(fake).finetunes
        assert api.StartFinetune(start_request(stubs), timeout=60).finetune.id == first.id
        code, _ = refusal(api.StartFinetune, start_request(stubs, epochs=7))
        assert code == grpc.StatusCode.ALREADY_EXISTS
        assert len(fake.jobs.finetunes) == 1
        assert api.StartFinetune(start_request(stubs, request_id="order-2"), timeout=60).finetune.id != first.id


def test_jobs_are_listed_newest_first_and_cancelled(start, stubs):
    pb = stubs.finetune
    with OpenAiFake() as fake:
        api = start(fake).finetunes
        ids = [api.StartFinetune(start_request(stubs, request_id=f"o-{i}"), timeout=60).finetune.id for i in range(5)]
        page = api.ListFinetunes(pb.ListFinetunesRequest(page_size=3), timeout=60)
        assert [j.id for j in page.finetunes] == ids[:1:-1]
        rest = api.ListFinetunes(pb.ListFinetunesRequest(page_size=3, page_token=page.next_page_token), timeout=60)
        assert [j.id for j in rest.finetunes] == [ids[1], ids[0]] and rest.next_page_token == ""
        job = api.CancelFinetune(pb.CancelFinetuneRequest(id=ids[2]), timeout=60).finetune
        assert job.state == pb.FINETUNE_STATE_CANCELLED


@pytest.mark.parametrize("fields, wants", [
    ({"request_id": ""}, "request_id"), ({"request_id": "../x"}, "request_id"), ({"suffix": "Big"}, "suffix"),
    ({"epochs": 0}, "epochs"), ({"epochs": 51}, "epochs"), ({"training_file": b""}, "training_file"),
    ({"training_file": chat_file(9)}, "at least 10"), ({"training_file": chat_file() + b"{\n"}, "line 13"),
    ({"training_file": chat_file().replace(b"assistant", b"user", 1)}, "line 1"),
    ({"base_model": "davinci-002"}, "line 1"), ({"validation_file": b"[]\n"}, "validation_file"),
    ({"base_model": "a b"}, "base_model"), ({"training_file": b"\xff\xfe" + chat_file()}, "line 1")])
def test_a_bad_order_names_what_is_wrong_and_costs_nothing(start, stubs, fields, wants):
    with OpenAiFake() as fake:
        code, details = refusal(start(fake).finetunes.StartFinetune, start_request(stubs, **fields))
        assert code == grpc.StatusCode.INVALID_ARGUMENT and wants in details
        assert fake.requests == []


def test_unknown_and_odd_ids_are_not_found(start, stubs):
    pb = stubs.finetune
    with OpenAiFake() as fake:
        api = start(fake).finetunes
        for name in ("ftjob-404", "../../models", "a/b", "", "x" * 500, "ftjob-1?x=1"):
            for call, request in ((api.GetFinetune, pb.GetFinetuneRequest(id=name)),
                                  (api.CancelFinetune, pb.CancelFinetuneRequest(id=name)),
                                  (api.ListFinetuneEvents, pb.ListFinetuneEventsRequest(id=name))):
                assert refusal(call, request)[0] == grpc.StatusCode.NOT_FOUND
        assert {path for _, _, path, _, _ in fake.requests} <= {
            "/v1/fine_tuning/jobs/ftjob-404", "/v1/fine_tuning/jobs/ftjob-404/cancel",
            "/v1/fine_tuning/jobs/ftjob-404/events?limit=100"}


def test_without_a_provider_or_with_a_refused_key(start_prompt_server, stubs):
    pb = stubs.finetune
    offline = start_prompt_server(key=None)
    assert refusal(offline.finetunes.ListFinetunes, pb.ListFinetunesRequest())[0] == grpc.StatusCode.FAILED_PRECONDITION
    with OpenAiFake(key="another-key-is-wanted") as fake:
        server = start_prompt_server("--base-url", fake.url)
        code, details = refusal(server.finetunes.ListFinetunes, pb.ListFinetunesRequest())
        assert code == grpc.StatusCode.FAILED_PRECONDITION and CANARY not in details


def test_the_command_line_drives_a_job(start, stubs, tmp_path):
    """`ip2p prompts finetune`, as people and scripts use it."""
    (tmp_path / "train.jsonl").write_bytes(chat_file())
    with OpenAiFake(key=CANARY) as fake:
        server = start(fake)

        def finetune(verb, *arguments, code=0):
            run = subprocess.run([BIN / "ip2p", "prompts", "finetune", verb, "--server", server.address,
                                  *map(str, arguments)], capture_output=True, text=True, timeout=120)
            assert run.returncode == code, run.stderr
            return run.stderr if code else run.stdout

        def as_json(*arguments):
            return json.loads(finetune(*arguments, "--json"))

        order = ["start", "--training", tmp_path / "train.jsonl", "--base-model", "gpt-4o-mini", "--epochs", 2]
        job = as_json(*order)["finetune"]
        again = as_json(*order)["finetune"]
        assert job["id"] == again["id"] == "ftjob-1" and len(fake.jobs.finetunes) == 1
        assert fake.jobs.finetunes["ftjob-1"]["suffix"] == "ip2p"
        assert job["state"] == "FINETUNE_STATE_VALIDATING"
        other = finetune(*order, "--request-id", "another").splitlines()
        assert other[0].split()[:2] == ["ID", "STATE"] and other[1].split()[:2] == ["ftjob-2", "validating"]

        listed = finetune("list").splitlines()
        assert [line.split()[0] for line in listed[1:]] == ["ftjob-2", "ftjob-1"]
        page = as_json("list", "--page-size", 1)
        assert [j["id"] for j in page["finetunes"]] == ["ftjob-2"]
        rest = as_json("list", "--page-token", page["next_page_token"])
        assert [j["id"] for j in rest["finetunes"]] == ["ftjob-1"]

        assert finetune("cancel", "ftjob-2").splitlines()[1].split()[:2] == ["ftjob-2", "cancelled"]
        states = [finetune("status", "ftjob-1").splitlines()[1].split()[1] for _ in range(3)]
        assert states[-1] == "succeeded" and set(states) <= {"queued", "running", "succeeded"}
        done = as_json("status", "ftjob-1")["finetune"]
        assert done["fine_tuned_model"] == "ft:gpt-4o-mini:fake:ip2p:1" and done["trained_tokens"] == "1234"
        assert [line.split("  ")[1] for line in finetune("events", "ftjob-1").splitlines()] == [
            f"step {i} of ftjob-1" for i in range(5)]
        assert [e["message"] for e in as_json("events", "ftjob-1", "--page-size", 2)["events"]] == [
            f"step {i} of ftjob-1" for i in range(2)]

        assert "has ended" in finetune("cancel", "ftjob-1", code=42)
        assert "404" in finetune("status", "ftjob-9", code=42)
        finetune("start", code=2)
        server.stop()
        finetune("list", code=69)
