"""The edit server as a process, spoken to by a client that is not ours."""

import io
import pathlib
import random
import time

import grpc
import numpy as np
import pytest
from conftest import ROOT
from PIL import Image
from server import start_server, stubs  # noqa: F401  (fixtures)

PHOTO = ROOT / "tests" / "testdata" / "photo.jpg"


@pytest.fixture
def tiny(start_server, checkpoint, stubs):
    server = start_server("--model", f"tiny={checkpoint('tiny')}", "--precision", "fp32", "--queue-limit", 256)
    server.edits = stubs.edit_grpc.EditServiceStub(server.channel)
    return server


def request_for(stubs, text="make it snow", photo=None, **params):
    params.setdefault("resolution", 128)
    params.setdefault("steps", 10)
    params.setdefault("seed", 1)
    return stubs.edit_service.EditRequest(
        image=stubs.image.Image(data=photo or PHOTO.read_bytes()),
        params=stubs.edit.EditParams(instruction=text, **params),
    )


def pixels(result, output=0):
    return np.asarray(Image.open(io.BytesIO(result.outputs[output].image.data)).convert("RGB"), np.int16)


def wait_until(condition, what, seconds=30):
    """Asks again and again: the server's counters are all that an outside observer has."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"


def in_flight(server):
    return server.metrics()["ip2p_edit_in_flight"]


def test_answer_equals_the_client_in_process(tiny, stubs, ip2p, checkpoint, tmp_path):
    ip2p("edit", "--ckpt", checkpoint("tiny"), "--input", PHOTO, "--output", tmp_path / "out.png", "--edit",
         "make it snow", "--steps", 10, "--resolution", 128, "--seed", 1, "--precision", "fp32")
    result = tiny.edits.Edit(request_for(stubs)).result
    assert (pixels(result) == np.asarray(Image.open(tmp_path / "out.png").convert("RGB"))).all()
    assert result.outputs[0].seed == 1 and result.model == "tiny"


def test_stream_tells_how_it_goes(tiny, stubs):
    stream = tiny.edits.StreamEdit(stubs.edit_service.StreamEditRequest(edit=request_for(stubs), preview_every=5))
    events = list(stream)
    kinds = [event.WhichOneof("event") for event in events]
    assert kinds[0] == "accepted" and kinds[-1] == "result" and set(kinds[1:-1]) == {"progress"}
    steps = [event.progress.step for event in events[1:-1]]
    assert steps == sorted(steps) and steps[-1] == 10
    previews = [event.progress.preview for event in events[1:-1] if event.progress.preview.data]
    assert previews and Image.open(io.BytesIO(previews[-1].data)).size == (192 // 8, 128 // 8)


def test_batch_of_different_requests_equals_solo_answers(tiny, stubs, capsys):
    variants = [
        dict(steps=14, seed=1),
        dict(steps=6, seed=2, sampler=stubs.edit.SAMPLER_HEUN, cfg_text=3),
        dict(steps=9, seed=3, sampler=stubs.edit.SAMPLER_DPMPP_2M, schedule=stubs.edit.SIGMA_SCHEDULE_KARRAS),
        dict(steps=5, seed=4, cfg_image=1.0, negative="dark"),
    ]
    requests = [request_for(stubs, f"variant {i}", **variant) for i, variant in enumerate(variants)]
    begin = time.perf_counter()
    solo = [tiny.edits.Edit(request).result for request in requests]
    solo_seconds = time.perf_counter() - begin

    begin = time.perf_counter()
    first = tiny.edits.StreamEdit(stubs.edit_service.StreamEditRequest(edit=requests[0]))
    futures = []
    for event in first:  # the others join while the first one denoises
        if event.WhichOneof("event") == "progress" and len(futures) < 3:
            futures.append(tiny.edits.Edit.future(requests[1 + len(futures)]))
        if event.WhichOneof("event") == "result":
            results = [event.result]
    results += [future.result().result for future in futures]
    batch_seconds = time.perf_counter() - begin
    for ours, alone in zip(results, solo, strict=True):
        assert np.abs(pixels(ours) - pixels(alone)).max() <= 1
    batches = {k: v for k, v in tiny.metrics().items() if k.startswith("ip2p_edit_batch_size_bucket")}
    assert tiny.metrics()["ip2p_edit_batch_size_sum"] > tiny.metrics()["ip2p_edit_batch_size_count"], batches
    with capsys.disabled():
        print(f"\n4 edits: one after the other {4 / solo_seconds:.2f} edits/s, together {4 / batch_seconds:.2f} edits/s")


def test_200_cancellations_and_50_vanished_clients_free_their_slots(tiny, stubs):
    rng = random.Random(3)
    for i in range(200):
        stream = tiny.edits.StreamEdit(
            stubs.edit_service.StreamEditRequest(edit=request_for(stubs, steps=400, resolution=64, seed=i)))
        for _ in range(rng.randint(0, 4)):
            next(stream)
        stream.cancel()
    for i in range(50):
        channel = grpc.insecure_channel(tiny.address, options=[("grpc.use_local_subchannel_pool", 1)])
        stream = stubs.edit_grpc.EditServiceStub(channel).StreamEdit(
            stubs.edit_service.StreamEditRequest(edit=request_for(stubs, steps=400, resolution=64, seed=i)))
        next(stream)
        channel.close()
    wait_until(lambda: in_flight(tiny) == 0, "no edit in flight")
    assert tiny.metrics()["ip2p_edit_queue_depth"] == 0
    assert tiny.metrics()["ip2p_edit_cancelled_total"] > 200
    assert tiny.edits.Edit(request_for(stubs)).result.outputs


def test_deadline_frees_the_slot(tiny, stubs):
    with pytest.raises(grpc.RpcError) as error:
        tiny.edits.Edit(request_for(stubs, steps=1000), timeout=0.3)
    assert error.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    wait_until(lambda: in_flight(tiny) == 0, "no edit in flight")


def test_sigterm_under_load_finishes_what_was_admitted(tiny, stubs):
    streams = [
        tiny.edits.StreamEdit(stubs.edit_service.StreamEditRequest(edit=request_for(stubs, steps=12, seed=i)))
        for i in range(6)
    ]
    for stream in streams:
        assert next(stream).WhichOneof("event") == "accepted"
    tiny.terminate()
    finished = [list(stream)[-1].WhichOneof("event") for stream in streams]
    assert finished == ["result"] * 6
    assert tiny.wait() == 0
    with pytest.raises(grpc.RpcError) as error:
        tiny.edits.Edit(request_for(stubs))
    assert error.value.code() == grpc.StatusCode.UNAVAILABLE


def test_health_reflection_and_metrics(tiny, stubs):
    from grpc_health.v1 import health_pb2, health_pb2_grpc
    from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

    for channel in (tiny.channel, tiny.admin_channel):
        health = health_pb2_grpc.HealthStub(channel)
        assert health.Check(health_pb2.HealthCheckRequest()).status == health_pb2.HealthCheckResponse.SERVING
    ready = health_pb2_grpc.HealthStub(tiny.channel).Check(health_pb2.HealthCheckRequest(service="ip2p.edit.v1.EditService"))
    assert ready.status == health_pb2.HealthCheckResponse.SERVING
    assert "ip2p.edit.v1.EditService" in ProtoReflectionDescriptorDatabase(tiny.channel).get_services()
    assert "ip2p.model.v1.ModelService" in ProtoReflectionDescriptorDatabase(tiny.admin_channel).get_services()
    assert [m.name for m in tiny.edits.ListModels(stubs.edit_service.ListModelsRequest()).models] == ["tiny"]
    capabilities = tiny.edits.GetCapabilities(stubs.edit_service.GetCapabilitiesRequest())
    assert len(capabilities.samplers) == 10 and capabilities.defaults.steps == 100

    tiny.edits.Edit(request_for(stubs))
    names = {name.split("{")[0] for name in tiny.metrics()}
    for wanted in (
        "ip2p_edit_requests_total", "ip2p_edit_queue_depth", "ip2p_edit_queue_duration_seconds_count",
        "ip2p_edit_request_duration_seconds_count", "ip2p_edit_stage_duration_seconds_count",
        "ip2p_edit_denoise_step_duration_seconds_count", "ip2p_edit_batch_size_count", "ip2p_edit_cancelled_total",
    ):
        assert wanted in names, wanted


def test_reload_never_displaces_a_working_model(start_server, stubs, checkpoint, tmp_path):
    import shutil

    folder = tmp_path / "models"
    shutil.copytree(checkpoint("tiny"), folder / "tiny")
    shutil.copytree(checkpoint("tiny", seed=5), folder / "other")
    shutil.copytree(checkpoint("tiny"), folder / "broken")
    weights = next((folder / "broken" / "unet").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-100])
    server = start_server("--model", f"m={folder / 'tiny'}", "--models-dir", folder, "--precision", "fp32")
    edits = stubs.edit_grpc.EditServiceStub(server.channel)
    models = stubs.model_grpc.ModelServiceStub(server.admin_channel)
    before = pixels(edits.Edit(request_for(stubs)).result)

    with pytest.raises(grpc.RpcError) as error:
        models.ReloadModel(stubs.model_service.ReloadModelRequest(checkpoint="broken"))
    assert error.value.code() == grpc.StatusCode.DATA_LOSS
    assert str(tmp_path) not in error.value.details()
    assert (pixels(edits.Edit(request_for(stubs)).result) == before).all()

    for checkpoint_name in ("../../etc", "/etc/passwd", "a/../../b"):
        with pytest.raises(grpc.RpcError) as error:
            models.ReloadModel(stubs.model_service.ReloadModelRequest(checkpoint=checkpoint_name))
        assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT

    running = edits.Edit.future(request_for(stubs, steps=30))
    models.ReloadModel(stubs.model_service.ReloadModelRequest(checkpoint="other"))
    assert running.result().result.outputs
    assert np.abs(pixels(edits.Edit(request_for(stubs)).result) - before).max() > 8


@pytest.mark.parametrize(
    "change, words",
    [
        (dict(steps=0), "steps is 0; wants 1..1000"),
        (dict(steps=-1), "steps is -1"),
        (dict(steps=10**9), "steps is 1000000000"),
        (dict(seed=-1), "seed is -1"),
        (dict(seed=2**32), "seed is 4294967296"),
        (dict(cfg_text=float("nan")), "cfg_text is nan"),
        (dict(cfg_image=float("inf")), "cfg_image is inf"),
        (dict(text="x" * 4097), "4097 bytes"),
        (dict(text="a\0b"), "NUL"),
        (dict(photo=b"GIF89a" + bytes(100)), "GIF"),
        (dict(photo=b"<svg xmlns='http://www.w3.org/2000/svg'/>"), "image"),
        (dict(photo=PHOTO.read_bytes()[:5000]), "image"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_bad_requests_are_named_and_the_next_good_one_is_answered(tiny, stubs, change, words):
    with pytest.raises(grpc.RpcError) as error:
        tiny.edits.Edit(request_for(stubs, **change))
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert words in error.value.details() and "/" + str(pathlib.Path.home()).strip("/") not in error.value.details()
    assert tiny.edits.Edit(request_for(stubs, steps=1)).result.outputs


def test_long_instructions_are_cut_and_said_so(tiny, stubs):
    assert tiny.edits.Edit(request_for(stubs, "word " * 100, steps=1)).result.instruction_truncated
    assert not tiny.edits.Edit(request_for(stubs, "make it \N{SNOWFLAKE} \N{HEBREW LETTER SHIN}", steps=1)).result.instruction_truncated
