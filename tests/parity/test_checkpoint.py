"""The same weights through every layout, against safetensors, torch and diffusers' own converters."""

import json
import os
import shutil
import subprocess

import numpy as np
import pytest
import torch
from conftest import BIN
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import checkpoints
import clip_models
import compvis_layout

PROBE = BIN / "tests/checkpoint_probe"
FOREIGN = ["tiny", "tiny4", "tiny-sd2"]  # architectures that a one-file checkpoint can say by names and shapes


def probe(model, tmp_path, *flags):
    """(tensors, metadata) that OpenModel found."""
    out = tmp_path / "probe.safetensors"
    result = subprocess.run([PROBE, "open", model, out, *flags], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    with safe_open(out, "pt") as file:
        return load_file(out), file.metadata()


def refused(model, tmp_path, *flags):
    result = subprocess.run([PROBE, "open", model, tmp_path / "none.safetensors", *flags], capture_output=True,
                            text=True)
    assert result.returncode == 1
    return result.stderr


def convert(source, target, *flags):
    result = subprocess.run([PROBE, "convert", source, target, *flags], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def folder_tensors(folder):
    weights, _ = compvis_layout.load_folder(folder)
    return {f"{part}.{name}": t for part, tensors in weights.items() for name, t in tensors.items()}


def assert_same(found, wanted):
    assert set(found) == set(wanted), sorted(set(found) ^ set(wanted))[:10]
    for name, tensor in wanted.items():
        assert found[name].dtype == tensor.dtype and torch.equal(found[name], tensor), name


def prediction(name):
    return ["--prediction", checkpoints.CONFIGS[name]["prediction"]]


def configs(metadata):
    return {k: v for k, v in metadata.items() if k not in ("layout", "used_ema")}


@pytest.mark.parametrize("name", [*FOREIGN, "tiny-odd"])
def test_folder(checkpoint, tmp_path, name):
    tensors, metadata = probe(checkpoint(name), tmp_path)
    assert_same(tensors, folder_tensors(checkpoint(name)))
    assert metadata["layout"] == "diffusers"
    assert metadata["pad_token_id"] == ("0" if checkpoints.CONFIGS[name]["pad"] == "!" else "49407")


@pytest.mark.parametrize("name", FOREIGN)
def test_writer_agrees_with_diffusers(checkpoint, name):
    compvis_layout.check_with_diffusers(compvis_layout.compvis_state(checkpoint(name)), checkpoint(name))


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_layouts_give_the_same_model(checkpoint, tmp_path, name):
    folder = checkpoint(name)
    wanted = folder_tensors(folder)
    _, folder_metadata = probe(folder, tmp_path)
    # What no tensor says: the training size and ids of a folder made here.
    unsaid = ("sample_size", "bos_token_id", "eos_token_id", "projection_dim")

    def said(metadata):
        parts = {k: json.loads(v) for k, v in configs(metadata).items()}
        return {k: {f: x for f, x in v.items() if f not in unsaid} if isinstance(v, dict) else v
                for k, v in parts.items()}

    for suffix, write in ((".safetensors", compvis_layout.write_safetensors), (".ckpt", compvis_layout.write_ckpt)):
        for ema in (False, True):
            path = tmp_path / f"model-{ema}{suffix}"
            write(folder, path, ema=ema)
            tensors, metadata = probe(path, tmp_path, *prediction(name))
            assert_same(tensors, wanted)
            assert metadata["used_ema"] == ("true" if ema else "false")
            assert metadata["layout"] == suffix[1:]
            assert said(metadata) == said(folder_metadata)


@pytest.mark.parametrize("name", ["tiny", "tiny-sd2", "tiny-odd"])
@pytest.mark.parametrize("dtype", ["fp32", "fp16", "bf16"])
def test_conversion_round_trip_is_bit_exact(checkpoint, tmp_path, name, dtype):
    folder = checkpoint(name, dtype=dtype)
    one, back, again = tmp_path / "one.safetensors", tmp_path / "back", tmp_path / "again.safetensors"
    convert(folder, one)
    convert(one, back)
    convert(back, again)
    assert one.read_bytes() == again.read_bytes()
    for found in (one, back):
        tensors, metadata = probe(found, tmp_path)
        wanted, wanted_metadata = probe(folder, tmp_path)
        assert_same(tensors, wanted)
        assert configs(metadata) == configs(wanted_metadata)
    for part in ("unet", "vae", "text_encoder"):  # what diffusers reads and we do not is kept too
        assert (folder / part / "config.json").read_text() == (back / part / "config.json").read_text()
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".tmp-")]


@pytest.mark.parametrize("dtype", ["fp16", "bf16"])
def test_rounded_weights_are_torchs(checkpoint, tmp_path, ip2p, dtype):
    folder = checkpoint("tiny")
    ip2p("model", "convert", folder, tmp_path / "rounded", "--precision", dtype)
    to = {"fp16": torch.float16, "bf16": torch.bfloat16}[dtype]
    assert_same(folder_tensors(tmp_path / "rounded"), {n: t.to(to) for n, t in folder_tensors(folder).items()})


def test_a_clip_is_rounded_too_and_opens_in_transformers(tmp_path, ip2p):
    from transformers import CLIPModel, CLIPProcessor

    clip_models.make_clip("tiny", tmp_path / "clip")
    ip2p("model", "convert", tmp_path / "clip", tmp_path / "rounded", "--precision", "fp16")
    wanted = {n: t.to(torch.float16) for n, t in load_file(tmp_path / "clip/model.safetensors").items()}
    assert_same(load_file(tmp_path / "rounded/model.safetensors"), wanted)
    CLIPModel.from_pretrained(tmp_path / "rounded")
    CLIPProcessor.from_pretrained(tmp_path / "rounded")
    again = ip2p("model", "convert", tmp_path / "clip", tmp_path / "one.safetensors", check=False)
    assert again.returncode == 42 and "wants one as the target" in again.stderr


@pytest.mark.parametrize("name", FOREIGN)
def test_our_one_file_opens_in_diffusers(checkpoint, tmp_path, name):
    one = tmp_path / "one.safetensors"
    convert(checkpoint(name), one)
    compvis_layout.check_with_diffusers(load_file(one), checkpoint(name))


@pytest.mark.parametrize("name", FOREIGN)
def test_our_folder_opens_in_diffusers_and_gives_the_same_image(checkpoint, tmp_path, name):
    from diffusers import StableDiffusionInstructPix2PixPipeline, StableDiffusionPipeline
    from PIL import Image

    path, folder = tmp_path / "model.ckpt", tmp_path / "folder"
    compvis_layout.write_ckpt(checkpoint(name), path, ema=True)
    convert(path, folder, *prediction(name))
    edits = checkpoints.CONFIGS[name]["unet"]["in_channels"] == 8
    kind = StableDiffusionInstructPix2PixPipeline if edits else StableDiffusionPipeline
    assert json.loads((folder / "model_index.json").read_text())["_class_name"] == kind.__name__
    side = 8 * 2 ** (len(checkpoints.CONFIGS[name]["unet"]["block_out_channels"]) - 1)
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8))
    sizes = dict(image=photo, image_guidance_scale=1.5) if edits else dict(height=side, width=side)
    images = []
    for source in (checkpoint(name), folder):
        pipeline = kind.from_pretrained(source, safety_checker=None)
        pipeline.set_progress_bar_config(disable=True)
        images.append(np.asarray(pipeline("turn it into a castle", num_inference_steps=3, output_type="np",
                                          generator=torch.Generator().manual_seed(1), **sizes).images[0]))
    assert np.array_equal(*images)
    assert images[0].std() > 0.05


def test_folder_saved_by_diffusers(checkpoint, tmp_path):
    """Newer transformers versions write tokenizer.json alone and drop "text_model." from names."""
    from diffusers import StableDiffusionInstructPix2PixPipeline

    folder = tmp_path / "saved"
    StableDiffusionInstructPix2PixPipeline.from_pretrained(checkpoint("tiny")).save_pretrained(folder)
    tensors, metadata = probe(folder, tmp_path)
    assert_same(tensors, folder_tensors(checkpoint("tiny")))
    ours = tmp_path / "ours"
    convert(folder, ours)
    vocabulary, merges = checkpoints.clip_vocabulary()
    assert json.loads((ours / "tokenizer/vocab.json").read_text()) == vocabulary
    assert (ours / "tokenizer/merges.txt").read_text().split("\n")[1:-1] == merges


def test_half_precision_variant_shards_and_torch_files(checkpoint, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(checkpoint("tiny"), folder)
    wanted = folder_tensors(folder)
    unet = folder / "unet/diffusion_pytorch_model.safetensors"
    tensors = load_file(unet)
    unet.unlink()
    half = len(tensors) // 2
    index = {"metadata": {}, "weight_map": {}}
    for number, names in enumerate((sorted(tensors)[:half], sorted(tensors)[half:]), 1):
        shard = f"diffusion_pytorch_model-0000{number}-of-00002.safetensors"
        save_file({n: tensors[n] for n in names}, folder / "unet" / shard)
        index["weight_map"].update({n: shard for n in names})
    (folder / "unet/diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))
    vae = folder / "vae/diffusion_pytorch_model.safetensors"
    os.rename(vae, folder / "vae/diffusion_pytorch_model.fp16.safetensors")
    text = folder / "text_encoder/model.safetensors"
    torch.save(load_file(text), folder / "text_encoder/pytorch_model.bin")
    text.unlink()
    assert_same(probe(folder, tmp_path)[0], wanted)


def test_old_vae_names(checkpoint, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(checkpoint("tiny"), folder)
    vae = folder / "vae/diffusion_pytorch_model.safetensors"
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    tensors = load_file(vae)
    for new_name, old_name in old.items():
        tensors = {n.replace(f"attentions.0.{new_name}.", f"attentions.0.{old_name}."): t for n, t in tensors.items()}
    save_file(tensors, vae)
    assert_same(probe(folder, tmp_path)[0], folder_tensors(checkpoint("tiny")))


def test_vae_override(checkpoint, tmp_path):
    main, other = checkpoint("tiny"), checkpoint("tiny", seed=5)
    wanted = folder_tensors(main)
    wanted.update({n: t for n, t in folder_tensors(other).items() if n.startswith("vae.")})
    state = {n.removeprefix("first_stage_model."): t for n, t in compvis_layout.compvis_state(other).items()
             if n.startswith("first_stage_model.")}
    bare, prefixed = tmp_path / "vae.ckpt", tmp_path / "vae.safetensors"
    torch.save({"state_dict": {**state, "loss.logvar": torch.zeros(())}}, bare)
    save_file({"first_stage_model." + n: t.contiguous() for n, t in state.items()}, prefixed)
    for vae in (bare, prefixed, other / "vae", other):
        assert_same(probe(main, tmp_path, "--vae-ckpt", vae)[0], wanted)
    # A checkpoint without a VAE of its own is complete with one.
    path = tmp_path / "no-vae.safetensors"
    save_file({n: t.contiguous() for n, t in compvis_layout.compvis_state(main).items()
               if not n.startswith("first_stage_model.")}, path)
    assert "vae" in refused(path, tmp_path)
    assert_same(probe(path, tmp_path, "--vae-ckpt", bare)[0], wanted)


def test_strided_and_shared_tensors_of_torch(checkpoint, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(checkpoint("tiny"), folder)
    path = folder / "unet/diffusion_pytorch_model.safetensors"
    tensors = load_file(path)
    path.unlink()
    name = "time_embedding.linear_1.weight"
    tensors[name] = tensors[name].t().contiguous().t()  # column-major
    base = torch.cat([torch.zeros(3), tensors["conv_in.bias"]])
    tensors["conv_in.bias"] = base[3:]  # at an offset
    tensors["conv_out.bias"] = torch.nn.Parameter(tensors["conv_out.bias"])
    torch.save(tensors, folder / "unet/diffusion_pytorch_model.bin")
    assert_same(probe(folder, tmp_path)[0], folder_tensors(checkpoint("tiny")))


def test_what_is_refused(checkpoint, tmp_path):
    sd2 = tmp_path / "sd2.safetensors"
    compvis_layout.write_safetensors(checkpoint("tiny-sd2"), sd2)
    assert "--prediction" in refused(sd2, tmp_path)
    state = compvis_layout.compvis_state(checkpoint("tiny"), ema=True)
    partial = dict(state)
    del partial[compvis_layout.ema_name("out.2.weight")]
    path = tmp_path / "partial.ckpt"
    torch.save({"state_dict": partial}, path)
    assert "EMA weights are incomplete" in refused(path, tmp_path) and "out.2.weight" in refused(path, tmp_path)
    torch.save({"state_dict": state}, path, _use_new_zipfile_serialization=False)
    assert "older than 1.6" in refused(path, tmp_path)

    class Attack:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path}/ran",)

    torch.save({"state_dict": {**state, "x": Attack()}}, path)
    message = refused(path, tmp_path)
    assert "posix.system" in message and "not allowed" in message
    assert not (tmp_path / "ran").exists()


def test_published_prediction_types(checkpoint, tmp_path):
    """SD 2.x says what it predicts by metadata or by a known global_step."""
    folder = checkpoint("tiny-sd2")
    for step, wanted in ((875000, "epsilon"), (110000, "v_prediction")):
        path = tmp_path / f"{step}.ckpt"
        compvis_layout.write_ckpt(folder, path, global_step=step)
        assert json.loads(probe(path, tmp_path)[1]["scheduler"])["prediction_type"] == wanted
    path = tmp_path / "spec.safetensors"
    compvis_layout.write_safetensors(folder, path, metadata={"modelspec.prediction_type": "v"})
    assert json.loads(probe(path, tmp_path)[1]["scheduler"])["prediction_type"] == "v_prediction"


def test_real_training_leftovers(checkpoint, tmp_path):
    """Published checkpoints name lightning's callbacks and numpy scalars: data without effect here."""
    import sys
    import types

    module = types.ModuleType("pytorch_lightning.callbacks.model_checkpoint")
    parents = {n: types.ModuleType(n) for n in ("pytorch_lightning", "pytorch_lightning.callbacks")}
    module.ModelCheckpoint = type("ModelCheckpoint", (), {"__module__": module.__name__})
    sys.modules.update(parents | {module.__name__: module})
    try:
        state = compvis_layout.compvis_state(checkpoint("tiny"))
        path = tmp_path / "model.ckpt"
        torch.save({"global_step": 1, "state_dict": state,
                    "callbacks": {module.ModelCheckpoint: {"best_model_score": torch.tensor(1.0),
                                                           "best": np.float64(0.5), "set": {1, 2},
                                                           "object": module.ModelCheckpoint()}}}, path)
    finally:
        for name in [*parents, module.__name__]:
            del sys.modules[name]
    assert_same(probe(path, tmp_path)[0], folder_tensors(checkpoint("tiny")))
