"""The pair generator as a process, with miniature models of random weights, against the batch job."""

import json

import grpc
import pytest
from pairs import PairJobs
from server import ServerProcess, stubs  # noqa: F401


@pytest.fixture(scope="module")
def jobs(tmp_path_factory):
    made = PairJobs(tmp_path_factory.mktemp("pairs"))
    made.run("batch")
    return made


@pytest.fixture(scope="module")
def server(jobs):
    started = ServerProcess("ip2p_pair_generator", "--ckpt", jobs.folder / "model", "--clip", jobs.folder / "clip",
                            "--precision", "fp32", "--threads", 1, "--batch", 3)  # fmt: skip
    yield started
    started.close()


def request(stubs, jobs, rows, **params):
    lines = [json.loads(line) for line in (jobs.folder / "prompts.jsonl").read_text().splitlines()]
    settings = {"steps": 3, "n_samples": 4, "max_out_samples": 2, "resolution": 64, "clip_threshold": -1,
                "clip_dir_threshold": 0, "clip_img_threshold": -1} | params  # fmt: skip
    prompts = [stubs.prompt.Prompt(caption=lines[row]["input"], output=lines[row]["output"]) for row in rows]
    return stubs.pair_service.GeneratePairsRequest(prompts=prompts, first_prompt_index=rows[0],
                                                   params=stubs.pair.PairParams(**settings))


def test_pairs_are_those_of_the_batch_job(stubs, jobs, server):
    service = stubs.pair_grpc.PairServiceStub(server.channel)
    rows = [7, 8, 9]
    events = list(service.GeneratePairs(request(stubs, jobs, rows), timeout=300))
    assert events[0].HasField("started")
    assert events[0].started.params.precision == 1  # fp32
    files = jobs.files("batch")
    for row in rows:
        folder = f"{row:07d}"
        scores = [json.loads(line) for line in files[f"{folder}/scores.jsonl"].splitlines()]
        samples = [e.sample for e in events if e.HasField("sample") and e.sample.prompt_index == row]
        assert [s.seed for s in samples] == [s["seed"] for s in scores]
        assert [s.scores.sim_dir for s in samples] == [s["clip_sim_dir"] for s in scores]
        pairs = [e.pair for e in events if e.HasField("pair") and e.pair.sample.prompt_index == row]
        kept = [json.loads(line) for line in files.get(f"{folder}/metadata.jsonl", b"").splitlines()]
        assert [p.sample.seed for p in pairs] == [k["seed"] for k in kept]
        for pair in pairs:
            assert pair.before.data == files[f"{folder}/{pair.sample.seed}_0.jpg"]
            assert pair.after.data == files[f"{folder}/{pair.sample.seed}_1.jpg"]
    finished = [e.finished for e in events if e.HasField("finished")]
    assert [(f.prompt_index, f.sampled) for f in finished] == [(row, 4) for row in rows]


def test_cancelling_frees_the_model(stubs, jobs, server):
    service = stubs.pair_grpc.PairServiceStub(server.channel)
    call = service.GeneratePairs(request(stubs, jobs, [0], n_samples=10000))
    next(call)
    call.cancel()
    with pytest.raises(grpc.RpcError) as error:
        list(call)
    assert error.value.code() == grpc.StatusCode.CANCELLED
    assert list(service.GeneratePairs(request(stubs, jobs, [0])))[-1].HasField("finished")


def test_health_and_reflection(stubs, server):
    from grpc_health.v1 import health_pb2, health_pb2_grpc
    from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

    health = health_pb2_grpc.HealthStub(server.channel)
    for service in ("", "ip2p.pair.v1.PairService"):
        answer = health.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    with pytest.raises(grpc.RpcError) as error:
        health.Check(health_pb2.HealthCheckRequest(service="ip2p.pair.v1.Other"))
    assert error.value.code() == grpc.StatusCode.NOT_FOUND
    reflection = ProtoReflectionDescriptorDatabase(server.channel)
    assert "ip2p.pair.v1.PairService" in reflection.get_services()
    methods = reflection.FindFileContainingSymbol("ip2p.pair.v1.PairService").service[0].method
    assert {"GeneratePairs", "GetCapabilities"} == {m.name for m in methods}


def test_refusals_capabilities_and_metrics(stubs, jobs, server):
    service = stubs.pair_grpc.PairServiceStub(server.channel)
    with pytest.raises(grpc.RpcError) as error:
        list(service.GeneratePairs(request(stubs, jobs, [0], steps=0, resolution=100)))
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "steps is 0; wants 1..1000" in error.value.details()
    assert "resolution is 100" in error.value.details()
    capabilities = service.GetCapabilities(stubs.pair_service.GetCapabilitiesRequest())
    assert (list(capabilities.models), capabilities.clip, capabilities.safety_checker) == (["default"], True, False)
    assert capabilities.batch_size == 3
    metrics = server.metrics()
    assert metrics['ip2p_pairs_requests_total{code="INVALID_ARGUMENT",method="GeneratePairs"}'] >= 1
    assert "ip2p_pairs_sampled_total" in metrics


def test_sigterm_drains(stubs, jobs):
    one = ServerProcess("ip2p_pair_generator", "--ckpt", jobs.folder / "model", "--clip", jobs.folder / "clip")
    try:
        call = stubs.pair_grpc.PairServiceStub(one.channel).GeneratePairs(request(stubs, jobs, [0, 1]), timeout=300)
        next(call)
        one.terminate()
        assert [event.HasField("finished") for event in call][-1]
        assert one.wait() == 0
        assert str(jobs.folder) not in "".join(one.log)
    finally:
        one.close()
