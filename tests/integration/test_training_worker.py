"""The training worker as a process, alone: a whole run, going on, several ranks, and inputs that are no good."""

import json
import resource
import shutil
import signal
import socket
import subprocess
import time

import pytest
import torch
from clip_models import make_clip
from diffusers import StableDiffusionInstructPix2PixPipeline
from safetensors.torch import load_file, save_file
from training_runs import command, digests, latest, metrics, train, weights, write_dataset, write_job
from transformers import CLIPModel


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("dataset") / "pairs")


@pytest.fixture
def start(checkpoint):
    return checkpoint("tiny4-odd")


def test_a_run_from_start_to_export(start, dataset, tmp_path):
    job, run = write_job(tmp_path / "job.json", start, dataset, validateEvery=4, validationSamples=1), tmp_path / "run"
    train(job, run)
    folder, state = latest(run)
    assert state["step"] == 4 and state["updates"] == 4 and state["skipped"] == 0
    lines = metrics(run)
    assert [line["step"] for line in lines] == [1, 2, 3, 4] and lines[-1]["samples"] == 16
    assert all(0 < line["loss"] < 10 and line["grad_norm"] > 0 for line in lines)
    assert {p.name for p in (run / "validation/step-000000004").iterdir()} == {
        "000-input.png", "000-edit.png", "metrics.json"}
    # The export is the average, and diffusers opens it.
    export = load_file(run / "export/step-000000004/unet/diffusion_pytorch_model.safetensors")
    averaged = load_file(folder / "ema.safetensors")
    assert {f"unet.{n}" for n in export} == set(averaged)
    assert all(torch.equal(t, averaged[f"unet.{n}"]) for n, t in export.items())
    pipeline = StableDiffusionInstructPix2PixPipeline.from_pretrained(run / "export/step-000000004")
    assert pipeline.unet.config.in_channels == 8


def test_going_on_is_the_same_bit_for_bit(start, dataset, tmp_path):
    job = write_job(tmp_path / "job.json", start, dataset, maxSteps=6, checkpointEvery=4)
    train(job, tmp_path / "whole")
    train(job, tmp_path / "parts", "--max-steps", 1)
    train(job, tmp_path / "parts", "--max-steps", 3)
    train(job, tmp_path / "parts")
    assert digests(tmp_path / "whole") == digests(tmp_path / "parts")
    assert [m["loss"] for m in metrics(tmp_path / "whole")] == [m["loss"] for m in metrics(tmp_path / "parts")]


def test_sigterm_saves_and_stops(start, dataset, tmp_path):
    job, run = write_job(tmp_path / "job.json", start, dataset, maxSteps=100000), tmp_path / "run"
    process = subprocess.Popen(command(job, run), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (run / "metrics.jsonl").exists() or not metrics(run):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 3
    assert latest(run)[1]["step"] == metrics(run)[-1]["step"]


def test_sigterm_ends_the_encoding_of_latents(start, tmp_path):
    many = write_dataset(tmp_path / "many", prompts=1500)
    job, run = write_job(tmp_path / "job.json", start, many, maxSteps=100000, cacheLatents=True), tmp_path / "run"
    with subprocess.Popen(command(job, run), stderr=subprocess.PIPE, text=True) as process:
        first = next(line for line in process.stderr if "examples are encoded" in line)
        assert json.loads(first)["done"] == 0 and json.loads(first)["of"] == 1350
        process.send_signal(signal.SIGTERM)
        log = process.stderr.read()
        assert process.wait(60) == 3, log[-2000:]
    assert "training starts" not in log and not metrics(run)
    assert not (run / "checkpoints").exists() or not any((run / "checkpoints").iterdir())


def test_two_ranks_are_one(start, dataset, tmp_path):
    job = write_job(tmp_path / "job.json", start, dataset, maxSteps=3, accumulation=1)
    train(job, tmp_path / "alone")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ranks = [subprocess.Popen(command(job, tmp_path / "both", "--rank", r, "--world-size", 2, "--store-port", port),
                              stderr=subprocess.PIPE, text=True) for r in (0, 1)]
    for process in ranks:
        errors = process.communicate(timeout=300)[1]
        assert process.returncode == 0, errors[-3000:]
    alone, both = weights(tmp_path / "alone"), weights(tmp_path / "both")
    # Of whole tensors: AdamW moves an element whose gradient is rounding a full step either way.
    assert max(((alone[n] - both[n]).norm() / alone[n].norm().clamp_min(1e-6)).item() for n in alone) < 1e-5


@pytest.mark.parametrize("objective,fresh", [("TEXT_TO_IMAGE", True), ("AUTOENCODER", True), ("TEXT_TO_IMAGE", False)])
def test_other_objectives(objective, fresh, start, dataset, tmp_path):
    configs = tmp_path / "configs"
    shutil.copytree(start, configs, ignore=shutil.ignore_patterns("*.safetensors"))
    job = write_job(tmp_path / "job.json", start, dataset, objective=objective, fresh=configs if fresh else None,
                    trainTextEncoder=objective == "TEXT_TO_IMAGE", maxSteps=2)
    train(job, tmp_path / "run")
    prefixes = {name.split(".")[0] for name in weights(tmp_path / "run")}
    if objective == "AUTOENCODER":  # the export knows its own latents' spread
        config = json.loads((tmp_path / "run/export/step-000000002/vae/config.json").read_text())
        assert config["scaling_factor"] != pytest.approx(0.18215, rel=1e-3)
    assert prefixes == ({"vae"} if objective == "AUTOENCODER" else {"unet", "text_encoder"})


def test_clip_fresh_and_opened_by_transformers(dataset, tmp_path):
    make_clip("tiny", tmp_path / "start")
    configs = tmp_path / "configs"
    shutil.copytree(tmp_path / "start", configs, ignore=shutil.ignore_patterns("*.safetensors"))
    job = write_job(tmp_path / "job.json", None, dataset, objective="CLIP", fresh=configs, maxSteps=3)
    train(job, tmp_path / "run")
    model = CLIPModel.from_pretrained(tmp_path / "run/export/step-000000003")
    assert model.logit_scale.item() == pytest.approx(2.6592, abs=0.01)
    assert model.text_model.embeddings.token_embedding.weight.std().item() == pytest.approx(0.02, rel=0.1)


def test_cached_latents_are_the_same_run(start, dataset, tmp_path):
    losses = []
    for name, cached in (("plain", False), ("cached", True)):
        job = write_job(tmp_path / f"{name}.json", start, dataset, cacheLatents=cached, maxSteps=4)
        train(job, tmp_path / name)
        losses.append([line["loss"] for line in metrics(tmp_path / name)])
    # Pictures are encoded one by one for the cache, in their batch without it: last bits differ.
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_bad_inputs_end_for_good(start, dataset, tmp_path):
    job = tmp_path / "job.json"
    errors = train(write_job(job, start, tmp_path / "nowhere"), tmp_path / "run", code=42)
    assert "the dataset is missing" in errors
    errors = train(write_job(job, tmp_path / "nothing", dataset), tmp_path / "run", code=42)
    assert "NOT_FOUND" in errors or "INVALID_ARGUMENT" in errors
    errors = train(write_job(job, start, dataset, learningRate=7, batchSize=0), tmp_path / "run", code=42)
    assert "learning_rate is 7" in errors and "batch_size is 0" in errors
    damaged = tmp_path / "damaged"
    shutil.copytree(dataset, damaged)
    for name in damaged.glob("*/5_1.jpg"):
        name.write_bytes(b"no picture")
    errors = train(write_job(job, start, damaged), tmp_path / "run", code=42)
    assert "examples are damaged" in errors and str(tmp_path) not in errors


def test_a_damaged_pair_of_the_validation_set_is_passed_over(start, dataset, tmp_path):
    damaged = tmp_path / "damaged"
    shutil.copytree(dataset, damaged)
    (damaged / "0000018/5_1.jpg").write_bytes(b"no picture")  # the first row of the validation split of 20
    job = write_job(tmp_path / "job.json", start, damaged, maxSteps=2, validateEvery=2, validationSamples=1)
    errors = train(job, tmp_path / "run", code=42)
    assert "every example of the validation split is damaged" in errors
    index = json.loads((damaged / "seeds.json").read_text())
    for copy in range(20, 40):  # 40 rows: the split has two, 36 and 37
        shutil.copytree(dataset / f"{copy - 20:07d}", damaged / f"{copy:07d}")
        index.append([f"{copy:07d}", ["5"]])
    (damaged / "0000036/5_1.jpg").write_bytes(b"no picture")
    shutil.copy(dataset / "0000018/5_1.jpg", damaged / "0000018/5_1.jpg")
    (damaged / "seeds.json").write_text(json.dumps(index))
    errors = train(job, tmp_path / "other")
    assert "a damaged example does not validate" in errors
    assert (tmp_path / "other/validation/step-000000002/metrics.json").exists()


def test_random_crops_and_8_bit_moments_go_on_bit_for_bit(start, dataset, tmp_path):
    job = write_job(tmp_path / "job.json", start, dataset, maxSteps=5, minResize=64, maxResize=80,
                    optimizer="OPTIMIZER_ADAMW_8BIT", precision="PRECISION_BF16")
    train(job, tmp_path / "whole")
    train(job, tmp_path / "parts", "--max-steps", 3)
    train(job, tmp_path / "parts")
    assert digests(tmp_path / "whole") == digests(tmp_path / "parts")
    state = load_file(latest(tmp_path / "whole")[0] / "optimizer.safetensors")
    assert {t.dtype for n, t in state.items() if "scale" not in n} == {torch.uint8}
    plain = write_job(tmp_path / "plain.json", start, dataset, maxSteps=5, precision="PRECISION_BF16")
    train(plain, tmp_path / "plain")
    assert [m["loss"] for m in metrics(tmp_path / "plain")] != [m["loss"] for m in metrics(tmp_path / "whole")]
    assert "other settings" in train(plain, tmp_path / "whole", code=42)


def test_a_full_disk_leaves_the_last_checkpoint(start, dataset, tmp_path):
    job, run = write_job(tmp_path / "job.json", start, dataset, maxSteps=4, checkpointEvery=2), tmp_path / "run"
    train(job, run, "--max-steps", 2)
    before = digests(run)
    full = subprocess.run(command(job, run), capture_output=True, text=True, timeout=600, preexec_fn=fill_disk)
    assert full.returncode not in (0, 3, 42) and "no space left" in full.stderr, full.stderr[-3000:]
    assert str(tmp_path) not in full.stderr
    assert latest(run)[1]["step"] == 2 and digests(run) == before
    train(job, run)
    assert latest(run)[1]["step"] == 4


def fill_disk():
    """No file of the process grows beyond 64 KiB, and writing on is an error as on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, resource.RLIM_INFINITY))


def test_an_export_that_was_cut_off_is_made_up_for(start, dataset, tmp_path):
    job, run = write_job(tmp_path / "job.json", start, dataset, maxSteps=2), tmp_path / "run"
    train(job, run)
    export = run / "export/step-000000002"
    whole = {p.relative_to(export): p.read_bytes() for p in export.rglob("*") if p.is_file()}
    export.rename(run / "export/.tmp-half")
    train(job, run)
    assert {p.relative_to(export): p.read_bytes() for p in export.rglob("*") if p.is_file()} == whole
    assert [p.name for p in (run / "export").iterdir()] == ["step-000000002"]


@pytest.mark.parametrize("objective", ["AUTOENCODER", "CLIP"])
def test_gradient_checkpointing_changes_memory_not_losses(objective, start, dataset, tmp_path):
    model = start
    if objective == "CLIP":
        make_clip("tiny", tmp_path / "start")
        model = tmp_path / "start"
    losses = []
    for name, recompute in (("plain", False), ("recomputed", True)):
        job = write_job(tmp_path / f"{name}.json", model, dataset, objective=objective, maxSteps=3,
                        gradientCheckpointing=recompute)
        train(job, tmp_path / name)
        losses.append([line["loss"] for line in metrics(tmp_path / name)])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_losses_that_are_no_number_end_the_run(start, dataset, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(start, model)
    file = model / "unet/diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    tensors["conv_out.weight"] = torch.full_like(tensors["conv_out.weight"], 3e38)  # every prediction overflows
    save_file(tensors, file, metadata={"format": "pt"})
    job = write_job(tmp_path / "job.json", model, dataset, maxSteps=60, checkpointEvery=4)
    assert "not finite in 10 steps in a row" in train(job, tmp_path / "run", code=42)
    assert latest(tmp_path / "run")[1]["step"] == 8, "the last good checkpoint stays"
