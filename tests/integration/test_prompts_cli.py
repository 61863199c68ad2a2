"""`ip2p prompts` as people run it: offline, from files and pipes, in this process and through a server."""

import collections
import json
import os
import subprocess
import sys

from conftest import BIN, ROOT
from prompt_server import start_prompt_server  # noqa: F401 (a fixture)
from server import stubs  # noqa: F401 (a fixture)

EXAMPLES = ROOT / "deploy" / "config" / "prompts" / "examples.jsonl"
CAPTIONS = ["a red circle on grass", "a blue heart and a white ring on sand", "a yellow star at night", "my dog"]


def prompts(*arguments, stdin=None, code=0, **environment):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("IP2P_", "OPENAI_", "JOB_"))}
    run = subprocess.run([BIN / "ip2p", "prompts", *map(str, arguments)], input=stdin, capture_output=True, text=True,
                         env=clean | environment, timeout=120)
    assert run.returncode == code, run.stderr
    return run


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_offline_from_a_pipe_and_again(tmp_path):
    stdin = "".join(json.dumps({"caption": c}) + "\n" for c in CAPTIONS)
    out = tmp_path / "prompts.jsonl"
    first = prompts("generate", "--captions", "-", "--out", out, "--seed", 4, "--json", stdin=stdin)
    counts = json.loads(first.stdout)
    assert (counts["total"], counts["accepted"], counts["rejected"], counts["resumed"]) == (4, 3, 1, 0)
    made = lines(out)
    assert {p["caption"] for p in made} == set(CAPTIONS[:3])
    assert all(p["edit"] and p["output"] != p["caption"] and p["model"] == "shapes" for p in made)
    again = json.loads(prompts("generate", "--captions", "-", "--out", out, "--seed", 4, "--json", stdin=stdin).stdout)
    assert again["resumed"] == 4
    assert lines(out) == made
    other = prompts("generate", "--captions", "-", "--out", out, "--seed", 5, stdin=stdin, code=42)
    assert "seed 4; wants 5" in other.stderr


def test_text_and_csv_and_what_is_wrong_with_a_line(tmp_path):
    (tmp_path / "c.txt").write_text("\n".join(CAPTIONS))
    (tmp_path / "c.csv").write_text('url,caption\nu1,a red circle on grass\nu1,"a blue, heart"\n,\n')
    prompts("generate", "--captions", tmp_path / "c.txt", "--out", tmp_path / "a.jsonl")
    assert len(lines(tmp_path / "a.jsonl")) == 3
    prompts("generate", "--captions", tmp_path / "c.csv", "--out", tmp_path / "b.jsonl")
    outcomes = {r["line"]: r["outcome"] for r in lines(tmp_path / "b.jsonl.journal") if "index" in r}
    assert outcomes == {2: "none", 3: "duplicate", 4: "bad_caption"}
    stats = json.loads(prompts("stats", tmp_path / "b.jsonl", "--json").stdout)
    assert stats["prompts"] == 1 and stats["rejected"] == {"bad_caption": 1, "duplicate": 1}
    parquet = prompts("generate", "--captions", "c.parquet", "--out", tmp_path / "d.jsonl", code=42)
    assert "read_parquet" in parquet.stderr


def test_a_huge_line_costs_no_memory(tmp_path):
    """64 MB without a newline, from a pipe: that line is refused by its number, the others are done."""
    code = ("import resource, subprocess, sys; run = subprocess.run(sys.argv[1:], stdin=0, stderr=subprocess.DEVNULL);"
            "print(run.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    command = [sys.executable, "-c", code, BIN / "ip2p", "prompts", "generate", "--captions", "-", "--provider", "shapes",
               "--out", tmp_path / "out.jsonl"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdin.write(json.dumps({"caption": CAPTIONS[0]}).encode() + b'\n{"caption": "')
    for _ in range(64):
        process.stdin.write(b"x" * (1 << 20))
    out, _ = process.communicate(b'"}\n' + json.dumps({"caption": CAPTIONS[1]}).encode() + b"\n", timeout=120)
    code, peak_kb = map(int, out.split())
    assert code == 0 and peak_kb < 48 << 10
    outcomes = {r["line"]: r["outcome"] for r in lines(tmp_path / "out.jsonl.journal") if "index" in r}
    assert outcomes == {1: "none", 2: "bad_caption", 3: "none"}


def test_health_and_reflection(start_prompt_server):
    from grpc_health.v1 import health_pb2, health_pb2_grpc
    from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

    server = start_prompt_server()
    known = ProtoReflectionDescriptorDatabase(server.channel).get_services()
    for service in ("", "ip2p.prompt.v1.PromptService"):
        health = health_pb2_grpc.HealthStub(server.channel).Check(health_pb2.HealthCheckRequest(service=service))
        assert health.status == health_pb2.HealthCheckResponse.SERVING
        assert not service or service in known


def test_a_job_index_is_the_partition(tmp_path):
    (tmp_path / "c.txt").write_text("\n".join(CAPTIONS[:3]))
    for index in range(2):
        prompts("generate", "--captions", tmp_path / "c.txt", "--out", tmp_path / "p.jsonl", "--n-partitions", 2,
                JOB_COMPLETION_INDEX=str(index))
    parts = [lines(tmp_path / f"p-{i:05}-of-00002.jsonl") for i in range(2)]
    assert sorted(len(p) for p in parts) == [1, 2]
    assert {p["caption"] for part in parts for p in part} == set(CAPTIONS[:3])
    wrong = prompts("generate", "--captions", tmp_path / "c.txt", "--out", tmp_path / "q.jsonl", code=2,
                    JOB_COMPLETION_INDEX="3")
    assert "partition is 3; wants 0..0" in wrong.stderr + wrong.stdout


def test_wrong_flags_do_nothing(tmp_path):
    for arguments in (["--out", "x"], ["--captions", "c.txt"],
                      ["--captions", "c.txt", "--out", "x", "--concurrency", "0"],
                      ["--captions", "c.txt", "--server", "127.0.0.1:1"],
                      *(["--captions", "c.txt", "--out", "x", "--max-usd", odd] for odd in ("nan", "-3", "inf", "1e12")),
                      ["--captions", "c.txt", "--out", "x", "--provider", "gpt"]):
        prompts("generate", *arguments, code=2)
    missing = prompts("generate", "--captions", tmp_path / "none.txt", "--out", tmp_path / "x.jsonl", code=42)
    assert "captions" in missing.stderr
    assert not (tmp_path / "x.jsonl").exists()
    keyless = prompts("generate", "--captions", EXAMPLES, "--out", tmp_path / "x.jsonl", "--provider", "openai-chat",
                      code=42)
    assert "no key" in keyless.stderr


def test_the_starter_examples_are_ready_to_train_on(tmp_path):
    kinds = collections.Counter(example["kind"] for example in lines(EXAMPLES))
    assert sum(kinds.values()) == 100
    assert set(kinds) == {"object", "style", "season", "material", "color", "addition", "removal", "mood"}
    assert min(kinds.values()) >= 12
    for form, key in (("chat", "messages"), ("completion", "prompt")):
        run = prompts("prepare", "--input", EXAMPLES, "--output", tmp_path / form, "--format", form)
        assert "100 examples" in run.stderr and "warning" not in run.stderr
        assert all(key in line for line in lines(tmp_path / form))
    bad = prompts("prepare", "-i", "-", "-o", "-", stdin='{"input":"a","edit":"b","output":"A."}\n', code=42)
    assert "line 1: output equals input" in bad.stderr and bad.stdout == ""


def test_through_a_server(tmp_path, start_prompt_server):  # noqa: F811
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "c.txt").write_text("\n".join(CAPTIONS))
    server = start_prompt_server("--data-dir", tmp_path / "data", "--provider", "shapes")
    address = f"127.0.0.1:{server.ready['port']}"
    carried = prompts("generate", "--server", address, "--captions", tmp_path / "data" / "c.txt", "--out",
                      tmp_path / "a.jsonl", "--json")
    assert json.loads(carried.stdout)["accepted"] == 3
    assert {p["caption"] for p in lines(tmp_path / "a.jsonl")} == set(CAPTIONS[:3])
    named = ["generate", "--server", address, "--captions-file", "c.txt", "--run-name", "r1", "--json"]
    assert json.loads(prompts(*named).stdout)["resumed"] == 0
    assert json.loads(prompts(*named).stdout)["resumed"] == 4
    assert lines(tmp_path / "data" / "r1.jsonl") and lines(tmp_path / "data" / "r1.jsonl.journal")
    exists = prompts("generate", "--server", address, "--captions", tmp_path / "data" / "c.txt", "--out",
                     tmp_path / "a.jsonl", code=42)
    assert "the output exists" in exists.stderr
