"""Each image does what it is for, once. Not collected by itself: tests/docker/build.sh builds images and runs their tests."""

import json
import os
import re
import shutil

import clip_models
import pytest
from conftest import ROOT
from containers import Container, Engine
from PIL import Image
from server import stubs  # noqa: F401
from training_runs import write_dataset, write_job

ENGINE = Engine(os.environ["IP2P_ENGINE"], os.environ["IP2P_TAG"])
TARGETS = ("prompt-generator", "pair-generator", "training-coordinator", "training-worker", "edit-server", "gateway", "cli")
ANY = ("--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0")
SERVERS = {"prompt-generator": "ip2p.prompt.v1.PromptService", "pair-generator": "ip2p.pair.v1.PairService",
           "training-coordinator": "ip2p.training.v1.TrainingService", "edit-server": "ip2p.edit.v1.EditService"}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    """Open to the images' user."""
    tmp_path.chmod(0o777)
    for parent in tmp_path.parents:
        if parent.stat().st_uid == os.getuid() and len(parent.parts) > 2:
            parent.chmod(parent.stat().st_mode | 0o755)
    return tmp_path


def opened(path):
    for name in [path, *path.rglob("*")]:
        name.chmod(0o777 if name.is_dir() else 0o666)
    return path


def healthy(container, target, address, service):
    """The image's own HEALTHCHECK, at the port that was taken here."""
    kind, *check = ENGINE.config(target)["Healthcheck"]["Test"]
    assert kind == "CMD" and check[-1] == service
    container.run(*[address if re.fullmatch(r"[\d.]+:\d+", word) else word for word in check])


class Served:
    """`with Served(...)`: the image's server, found healthy by the image's own check; its address."""

    def __init__(self, target, *flags, **options):
        self.container, self.target, self.flags = Container(ENGINE, target, **options), target, flags

    def __enter__(self):
        ready = self.container.__enter__().serve(*ANY, *self.flags)
        address = f"127.0.0.1:{ready['port']}"
        healthy(self.container, self.target, address, SERVERS[self.target])
        return address

    def __exit__(self, *_):
        self.container.__exit__()


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_inside(target):
    config = ENGINE.config(target)
    assert config["User"] == "65532:65532"
    checked = target in SERVERS or target == "gateway"
    assert (config["Healthcheck"]["Test"][0] == "CMD") is checked
    with Container(ENGINE, target) as container:
        assert container.run("id", "-u").strip() == "65532"
        assert not container.run("find", "/", "-xdev", "-regex", r".*\.\(safetensors\|ckpt\)", user="0:0")
        assert not container.run("find", "/opt/ip2p", "-writable")
        for tool in ("g++", "cmake", "python3", "curl", "pip"):
            container.run("sh", "-c", f"! command -v {tool}")


def test_prompt_generator(stubs, folder):
    import grpc

    with Served("prompt-generator", "--data-dir", "/data", "--provider", "shapes", volumes={folder: "/data"}) as address:
        service = stubs.prompt_grpc.PromptServiceStub(grpc.insecure_channel(address))
        caption = stubs.prompt.Caption(text="a red circle on grass")
        outcome = service.GeneratePrompt(stubs.prompt_service.GeneratePromptRequest(caption=caption), timeout=60).outcome
        assert outcome.prompt.edit and outcome.prompt.output != caption.text


def test_pair_generator(stubs, checkpoint, folder):
    import grpc

    shutil.copytree(checkpoint("tiny4"), folder / "model")
    clip_models.make_clip("tiny", folder / "clip")
    opened(folder)
    with Served("pair-generator", "--ckpt", "/models/model", "--clip", "/models/clip", volumes={folder: "/models"}) as address:
        service = stubs.pair_grpc.PairServiceStub(grpc.insecure_channel(address))
        params = stubs.pair.PairParams(steps=2, n_samples=2, max_out_samples=1, resolution=64, clip_threshold=-1,
                                       clip_dir_threshold=-1, clip_img_threshold=-1)  # fmt: skip
        prompts = [stubs.prompt.Prompt(caption="a red cat", output="a blue cat")]
        request = stubs.pair_service.GeneratePairsRequest(prompts=prompts, params=params)
        events = list(service.GeneratePairs(request, timeout=300))
        assert [event for event in events if event.HasField("pair")]


def test_training_coordinator(stubs, folder):
    import grpc

    flags = ("--data-dir", "/data", "--worker-listen", "127.0.0.1:0")
    with Served("training-coordinator", *flags, volumes={folder: "/data"}) as address:
        service = stubs.training_grpc.TrainingServiceStub(grpc.insecure_channel(address))
        assert not service.ListJobs(stubs.training_service.ListJobsRequest(), timeout=60).jobs


def test_training_worker(checkpoint, folder):
    shutil.copytree(checkpoint("tiny4-odd"), folder / "start")
    write_dataset(folder / "pairs")
    write_job(folder / "job.json", "/data/start", "/data/pairs", maxSteps=2)
    opened(folder)
    with Container(ENGINE, "training-worker", volumes={folder: "/data"}) as container:
        container.run(*container.entrypoint, "--spec", "/data/job.json", "--run-dir", "/data/run", "--threads", 1)
        container.run("ip2p_training_coordinator", "--version")
    assert [json.loads(line)["step"] for line in (folder / "run" / "metrics.jsonl").read_text().splitlines()] == [1, 2]


def test_edit_server(stubs, checkpoint, folder):
    import grpc

    shutil.copytree(checkpoint("tiny"), folder / "tiny")
    opened(folder)
    flags = ("--admin-listen", "127.0.0.1:0", "--model", "tiny=/models/tiny")
    with Served("edit-server", *flags, volumes={folder: "/models"}) as address:
        service = stubs.edit_grpc.EditServiceStub(grpc.insecure_channel(address))
        photo = stubs.image.Image(data=(ROOT / "tests" / "testdata" / "photo.jpg").read_bytes())
        params = stubs.edit.EditParams(instruction="make it snow", resolution=64, steps=2)
        request = stubs.edit_service.EditRequest(image=photo, params=params)
        assert service.Edit(request, timeout=300).result.outputs


def test_gateway():
    with Container(ENGINE, "gateway") as container:
        ready = container.serve(*ANY)
        container.run("http-health", ready["port"], "/healthz")
        container.run("http-health", ready["port"], "/no/such/page", code=1)


def test_cli(checkpoint, folder):
    shutil.copytree(checkpoint("tiny"), folder / "tiny")
    shutil.copy(ROOT / "tests" / "testdata" / "photo.jpg", folder)
    opened(folder)
    with Container(ENGINE, "cli", volumes={folder: "/data"}) as container:
        container.run("ip2p", "edit", "--ckpt", "/data/tiny", "--input", "/data/photo.jpg", "--output", "/data/out.png",
                      "--edit", "make it snow", "--steps", 2, "--resolution", 64)  # fmt: skip
    assert Image.open(folder / "out.png").size
