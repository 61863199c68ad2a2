"""The gateway as a process in front of a real edit server, the offline prompt generator and a coordinator."""

import base64
import io
import json
import subprocess
import time

import numpy as np
import pytest
from conftest import ROOT
from gateway_cluster import SCORES, Gateway, cluster, judge  # noqa: F401  (fixture)
from PIL import Image
from server import stubs  # noqa: F401  (fixture)

PHOTO = ROOT / "tests" / "testdata" / "photo.jpg"
SMALL = {"instruction": "make it snow", "steps": 4, "resolution": 64, "seed": 1}
PATIENCE_S = 120  # a test that needs it has failed


@pytest.fixture
def gateway(cluster):
    return cluster.gateway


def edit_body(**fields):
    return SMALL | {"image": base64.b64encode(PHOTO.read_bytes()).decode()} | fields


def pixels(image):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(image["data"]))).convert("RGB"), np.int16)


def until(condition, what):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def curl(*arguments):
    return subprocess.run(["curl", "-sS", "--max-time", str(PATIENCE_S), *map(str, arguments)], capture_output=True,
                          check=True).stdout


def test_curl_sends_a_form_or_json_and_gets_the_edit_servers_picture(cluster, gateway, stubs, tmp_path):
    form = [f"-F{name}={value}" for name, value in SMALL.items()]
    by_form = json.loads(curl(*form, f"-Fimage=@{PHOTO}", f"{gateway.url}/api/v1/edit"))
    (tmp_path / "body.json").write_text(json.dumps(edit_body()))
    by_json = json.loads(curl("-H", "content-type: application/json", "--data", f"@{tmp_path / 'body.json'}",
                              f"{gateway.url}/api/v1/edit"))
    request = stubs.edit_service.EditRequest(image={"data": PHOTO.read_bytes()}, params=SMALL)
    told = stubs.edit_grpc.EditServiceStub(cluster.edit.channel).Edit(request).result.outputs[0].image
    direct = np.asarray(Image.open(io.BytesIO(told.data)).convert("RGB"), np.int16)
    for answer in (by_form, by_json):
        (output,) = answer["outputs"]
        assert output["seed"] == 1 and output["image"]["format"] == "png" and answer["params"]["sampler"] == "euler_a"
        assert np.abs(pixels(output["image"]) - direct).max() <= 1
    assert "make it snow" in Image.open(io.BytesIO(base64.b64decode(by_form["outputs"][0]["image"]["data"]))).info["parameters"]


def test_events_tell_how_an_edit_goes(gateway):
    # So many steps that several are told: of what comes meanwhile, only the newest is.
    told = list(gateway.events("POST", "/api/v1/edit", edit_body(preview_every=1, steps=200)))
    names = [name for name, _ in told]
    assert names[0] == "accepted" and names[-1] == "result" and set(names[1:-1]) == {"progress"}
    previews = [data["preview"] for _, data in told[1:-1] if "preview" in data]
    assert previews and pixels(previews[-1]).shape[:2] == (8, 8)


def test_a_sweep_is_one_seed_over_all_scales(gateway):
    body = edit_body(cfg_text=[3, 7.5], cfg_image=[1.2, 1.5], steps=2)
    del body["seed"]
    told = list(gateway.events("POST", "/api/v1/sweep", body))
    assert told[0][0] == "started" and told[-1][0] == "done"
    cells = {(data["row"], data["column"]): data for name, data in told if name == "cell"}
    assert set(cells) == {(0, 0), (0, 1), (1, 0), (1, 1)}
    for (row, column), cell in cells.items():
        assert cell["params"]["cfg_image"] == [1.2, 1.5][row] and cell["params"]["cfg_text"] == [3, 7.5][column]
        assert cell["outputs"][0]["seed"] == told[0][1]["seed"]
    seed = told[0][1]["seed"]
    alone = gateway.call("POST", "/api/v1/edit", edit_body(cfg_text=3, cfg_image=1.5, steps=2, seed=seed))[2]
    assert np.abs(pixels(alone["outputs"][0]["image"]) - pixels(cells[1, 0]["outputs"][0]["image"])).max() <= 2


def test_cancelling_and_hanging_up_free_the_slot(cluster, gateway):
    long = edit_body(steps=300, resolution=128)
    stream = gateway.events("POST", "/api/v1/edit", long, {"X-Request-Id": "to-cancel"})
    assert next(stream)[0] == "accepted"
    assert gateway.call("POST", "/api/v1/cancel/to-cancel")[0] == 200
    name, data = list(stream)[-1]
    assert name == "error" and data["error"]["code"] == "CANCELLED"
    assert gateway.call("POST", "/api/v1/cancel/to-cancel")[0] == 404
    stream = gateway.events("POST", "/api/v1/edit", long)
    assert next(stream)[0] == "accepted"
    stream.close()  # and with it the connection
    plain = subprocess.Popen(["curl", "-s", "-H", "content-type: application/json", "--data", "@-",
                              f"{gateway.url}/api/v1/edit"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)  # fmt: skip
    plain.stdin.write(json.dumps(long).encode())
    plain.stdin.close()
    until(lambda: gateway.metrics()["ip2p_gateway_open_streams"] >= 1, "the edit has begun")
    plain.kill()
    plain.wait()
    until(lambda: cluster.edit.metrics()["ip2p_edit_in_flight"] == 0, "no edit in flight")
    assert gateway.call("POST", "/api/v1/edit", edit_body())[0] == 200


def test_faults_of_the_edit_server_come_through(gateway):
    for fields, part in [({"steps": 0}, "steps is 0"), ({"image": "AAAA"}, "image"), ({"resolution": 63}, "resolution")]:
        status, _, data = gateway.call("POST", "/api/v1/edit", edit_body(**fields))
        assert status == 400 and data["error"]["code"] == "INVALID_ARGUMENT" and part in data["error"]["message"]
    assert gateway.call("POST", "/api/v1/edit", edit_body(model="nobody"))[0] == 404


def test_prompts_are_tried(gateway):
    status, _, data = gateway.call("POST", "/api/v1/prompts", {"caption": "a red circle on a grass background"})
    assert status == 200 and data["prompt"]["edit"] and data["prompt"]["output"] != data["prompt"]["caption"]
    status, _, data = gateway.call("POST", "/api/v1/prompts", {"caption": "x", "params": {"temperature": "hot"}})
    assert status == 400 and "params.temperature is \"hot\"" in data["error"]["message"]


def test_a_dataset_is_judged_by_other_thresholds(cluster, gateway):
    assert gateway.get("/api/v1/datasets") == {"datasets": ["plain", "scored"]}
    samples = [row for rows in cluster.samples.values() for row in rows]
    own = gateway.get("/api/v1/datasets/scored")
    assert own["samples"] == len(samples) and own["passed"] == sum(map(judge, samples))
    assert own["own"]["max_out_samples"] == 2 and own["scores"]["sim_dir"]["count"] == len(samples)
    query = "clip_threshold=0.25&clip_dir_threshold=0.15&clip_img_threshold=0.8&max_out_samples=3"
    other = gateway.get(f"/api/v1/datasets/scored?{query}")
    passed = {name: [r for r in rows if judge(r, 0.25, 0.15, 0.8)] for name, rows in cluster.samples.items()}
    assert other["passed"] == sum(map(len, passed.values()))
    assert other["would_keep"]["pairs"] == sum(min(3, len(rows)) for rows in passed.values())
    page = gateway.get("/api/v1/datasets/scored/pairs?order=best&limit=5&offset=1")
    directions = [item["scores"]["sim_dir"] for item in page["items"]]
    assert len(directions) == 5 and directions == sorted(directions, reverse=True)
    folder = cluster.folder / "datasets" / "scored" / page["items"][0]["folder"]
    before = folder / f"{page['items'][0]['seed']}_0.jpg"
    assert gateway.get(page["items"][0]["before"]) == before.read_bytes()
    assert set(SCORES) == {"clip_" + name for name in own["scores"]}


@pytest.mark.parametrize("path", ["scored/images/..%2f..%2fmodels/x_0.jpg", "scored/images/0000000/prompt.json", "..",
                                  "scored/images/0000000/..%2F0000001%2F1009_0.jpg", "%2e%2e/pairs", "nothing", ".git"])
def test_nothing_outside_of_a_dataset_is_read(cluster, gateway, path):
    status, _, data = gateway.call("GET", f"/api/v1/datasets/{path}")
    assert status in (400, 404) and str(cluster.folder) not in json.dumps(data)


def test_training_is_watched_moved_and_promoted(cluster, gateway):
    spec = {"name": "web", "objective": "clip", "fresh_config": "config", "dataset": "shapes",
            "params": {"max_steps": 60, "checkpoint_every": 10}, "resources": {"world_size": 1}}
    status, _, data = gateway.call("POST", "/api/v1/training/jobs", {"spec": spec})
    assert status == 200, data
    job = f"/api/v1/training/jobs/{data['job']['id']}"
    watch = gateway.events("GET", f"{job}/watch")
    until(lambda: next(watch)[1].get("metrics", {}).get("step", 0) >= 5, "steps come")
    assert gateway.call("POST", f"{job}/pause")[2]["job"]["state"] == "paused"
    assert gateway.call("POST", f"{job}/pause")[0] == 409
    assert gateway.call("POST", f"{job}/resume", {})[2]["job"]["state"] in ("queued", "starting")
    states = [data["state"] for name, data in gateway.events("GET", f"{job}/watch") if name == "job"]
    assert states[-1] == "succeeded"
    assert "is done" in [line["text"] for line in gateway.get(f"{job}/logs")["lines"]]
    checkpoints = gateway.get(f"{job}/checkpoints")["checkpoints"]
    assert checkpoints[0]["step"] == 60
    before = gateway.call("POST", "/api/v1/edit", edit_body())[2]["outputs"][0]["image"]
    cluster.put_export(data["job"]["id"], 60)
    status, _, promoted = gateway.call("POST", f"{job}/promote", {"step": 60})
    assert status == 200 and promoted["model"] == "main" and promoted["checkpoint"]["promoted_to"] == ["main"]
    after = gateway.call("POST", "/api/v1/edit", edit_body())[2]["outputs"][0]["image"]
    assert (pixels(before) != pixels(after)).any()
    cluster.put_validation(data["job"]["id"], 60, b"picture")
    (validation,) = gateway.get(f"{job}/validations")["validations"]
    assert gateway.get(f"{job}/validations/60/{validation['images'][0]}") == b"picture"
    assert gateway.call("GET", f"{job}/validations/60/..%2fmetrics.json")[0] == 400
    assert gateway.call("GET", "/api/v1/training/jobs/nobody-1/curve")[0] == 404
    assert gateway.call("POST", "/api/v1/training/jobs", {"spec": spec | {"dataset": "../etc"}})[0] == 400


def test_overview_tells_of_every_service(gateway):
    services = {s["name"]: s for s in gateway.get("/api/v1/overview")["services"]}
    states = {name: service["state"] for name, service in services.items()}
    assert states == {"prompts": "serving", "pairs": "absent", "training": "serving", "edits": "serving"}
    assert any(name.startswith("ip2p_edit_queue_depth") for name in services["edits"]["figures"])


def test_a_service_that_is_away_is_told_without_its_address():
    lone = Gateway("--edit-server", "127.0.0.1:1", "--training-server", "127.0.0.1:1")
    try:
        status, headers, data = lone.call("POST", "/api/v1/edit", edit_body())
        assert status == 503 and data["error"]["message"] == "the edit server can't be reached"
        assert lone.call("GET", "/api/v1/prompts/capabilities")[0] == 409
        assert lone.call("GET", "/api/v1/datasets")[0] == 409
    finally:
        lone.close()


def test_sigterm_lets_an_edit_finish(cluster):
    ending = Gateway(*cluster.arguments)
    try:
        stream = ending.events("POST", "/api/v1/edit", edit_body(steps=20))
        assert next(stream)[0] == "accepted"
        ending.terminate()
        assert list(stream)[-1][0] == "result"
        assert ending.wait(PATIENCE_S) == 0
    finally:
        ending.close()
