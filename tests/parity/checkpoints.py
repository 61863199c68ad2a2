"""Stable Diffusion checkpoints with random weights, as diffusers folders.

    python tests/parity/checkpoints.py CONFIG OUT_DIR [--seed N] [--dtype fp32|fp16|bf16]

CONFIG is a key of CONFIGS. The folder is complete (model_index.json, unet, vae, text_encoder, tokenizer, scheduler)
and opens with StableDiffusionInstructPix2PixPipeline.from_pretrained. Weights are drawn from a seeded generator:
unit-gain matrices, affine norms that are not the identity, and output layers scaled to the magnitudes that trained
models have, so that pictures are neither flat nor saturated and a wrong norm or bias shows.

The same weights in the CompVis layouts: see compvis_layout.py.
"""

import argparse
import copy
import gzip
import json
import os
import pathlib

import torch
from diffusers import AutoencoderKL, EulerAncestralDiscreteScheduler, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def _unet(channels, attention, cross, heads, layers=2, in_channels=8, sample_size=32, **more):
    down = ["CrossAttnDownBlock2D" if a else "DownBlock2D" for a in attention]
    up = ["CrossAttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attention)]
    return dict(sample_size=sample_size, in_channels=in_channels, out_channels=4, block_out_channels=channels,
                down_block_types=down, up_block_types=up, layers_per_block=layers, cross_attention_dim=cross,
                attention_head_dim=heads, **more)


def _vae(channels, sample_size, layers=2, **more):
    n = len(channels)
    return dict(block_out_channels=channels, down_block_types=["DownEncoderBlock2D"] * n,
                up_block_types=["UpDecoderBlock2D"] * n, layers_per_block=layers, latent_channels=4,
                sample_size=sample_size, scaling_factor=0.18215, **more)


def _text(hidden, layers, heads, act="quick_gelu", **more):
    return dict(hidden_size=hidden, intermediate_size=4 * hidden, num_hidden_layers=layers,
                num_attention_heads=heads, hidden_act=act, vocab_size=49408, max_position_embeddings=77,
                bos_token_id=0, eos_token_id=2, pad_token_id=1, projection_dim=hidden, **more)


def _configs():
    tiny = dict(
        unet=_unet([32, 32, 64, 64], [True, True, True, False], cross=32, heads=8, layers=1),
        vae=_vae([32, 32, 32, 64], 256, layers=1), text=_text(32, 2, 1), prediction="epsilon", pad="<|endoftext|>")
    tiny4 = copy.deepcopy(tiny)
    tiny4["unet"]["in_channels"] = 4
    tiny_sd2 = dict(
        unet=_unet([64, 128], [True, False], cross=64, heads=[1, 2], layers=1, use_linear_projection=True),
        vae=_vae([32, 32, 32, 32], 256, layers=1), text=_text(64, 2, 1, "gelu"), prediction="v_prediction", pad="!")
    # What only a config can say: other group counts, head widths, an uneven number of layers, three levels, a VAE
    # that halves twice. Cannot be derived from names and shapes, so it has no foreign one-file layout.
    tiny_odd = dict(
        unet=_unet([16, 32, 48], [False, True, True], cross=32, heads=[2, 4, 3], layers=[1, 2, 1],
                   norm_num_groups=8, norm_eps=1e-6),
        vae=_vae([16, 32, 32], 128, layers=1, norm_num_groups=8), text=_text(32, 3, 4), prediction="epsilon",
        pad="<|endoftext|>")
    tiny4_odd = copy.deepcopy(tiny_odd)
    tiny4_odd["unet"]["in_channels"] = 4
    tiny4_sd2 = copy.deepcopy(tiny_sd2)
    tiny4_sd2["unet"]["in_channels"] = 4
    sd15 = dict(
        unet=_unet([320, 640, 1280, 1280], [True, True, True, False], cross=768, heads=8, sample_size=64),
        vae=_vae([128, 256, 512, 512], 512), text=_text(768, 12, 12), prediction="epsilon", pad="<|endoftext|>")
    sd15_4ch = copy.deepcopy(sd15)
    sd15_4ch["unet"]["in_channels"] = 4
    sd21 = dict(
        unet=_unet([320, 640, 1280, 1280], [True, True, True, False], cross=1024, heads=[5, 10, 20, 20],
                   sample_size=96, use_linear_projection=True, upcast_attention=True),
        vae=_vae([128, 256, 512, 512], 768), text=_text(1024, 23, 16, "gelu"), prediction="v_prediction", pad="!")
    return {"tiny": tiny, "tiny4": tiny4, "tiny-sd2": tiny_sd2, "tiny4-sd2": tiny4_sd2, "tiny-odd": tiny_odd, "tiny4-odd": tiny4_odd,
            "sd15": sd15, "sd15-4ch": sd15_4ch, "sd21": sd21}


CONFIGS = _configs()


def clip_vocabulary():
    """The 49,408 entry CLIP vocabulary as ({token: id}, [merge line])."""
    path = os.environ.get("IP2P_CLIP_VOCAB", REPOSITORY / ".cache/clip/bpe_simple_vocab_16e6.txt.gz")
    lines = gzip.open(path, "rt", encoding="utf-8").read().split("\n")
    merges = lines[1 : 49152 - 256 - 2 + 1]
    printable = list(range(ord("!"), ord("~") + 1)) + list(range(0xA1, 0xAC + 1)) + list(range(0xAE, 0xFF + 1))
    units = [chr(b) for b in printable] + [chr(256 + i) for i in range(256 - len(printable))]
    tokens = units + [u + "</w>" for u in units] + ["".join(m.split()) for m in merges]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    return {token: i for i, token in enumerate(tokens)}, merges


def write_tokenizer(folder, pad):
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary, merges = clip_vocabulary()
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2"] + merges) + "\n", encoding="utf-8")
    special = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>",
               "pad_token": pad}
    _write_json(folder / "special_tokens_map.json", special)
    _write_json(folder / "tokenizer_config.json", {
        "tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "do_lower_case": True, "add_prefix_space": False,
        "errors": "replace", **special})


def _write_json(path, value):
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n")


@torch.no_grad()
def _draw(model, generator, gain=1.0):
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if "embedding" in name and parameter.ndim == 2 and "time" not in name:
            parameter.copy_(0.3 * noise)
        elif parameter.ndim >= 2:
            parameter.copy_(noise * (gain / (parameter[0].numel() ** 0.5)))
        elif "norm" in name and name.endswith("weight"):
            parameter.copy_(1 + 0.1 * noise)
        else:
            parameter.copy_(0.05 * noise)


@torch.no_grad()
def _scale_output(layer, output, std):
    """Scales a last layer so that what it gives has the wanted standard deviation."""
    factor = std / output.float().std()
    layer.weight.mul_(factor)
    layer.bias.mul_(factor)


@torch.no_grad()
def build(name, seed=0):
    """(unet, vae, text_encoder) of a configuration in fp32, drawn from the seed."""
    config = CONFIGS[name]
    generator = torch.Generator().manual_seed(seed)
    unet = UNet2DConditionModel(**config["unet"]).eval()
    vae = AutoencoderKL(**config["vae"]).eval()
    text = CLIPTextModel(CLIPTextConfig(**config["text"])).eval()
    for model in (unet, vae, text):
        _draw(model, generator)
    side = 2 ** (len(config["vae"]["block_out_channels"]) + len(config["unet"]["block_out_channels"]) - 2)
    image = torch.rand(1, 3, side, side, generator=generator) * 2 - 1
    moments = vae.quant_conv(vae.encoder(image))
    latents = moments[:, :4]
    _scale_output(vae.quant_conv, latents, 1 / vae.config.scaling_factor)
    z = torch.randn(latents.shape, generator=generator) / vae.config.scaling_factor
    _scale_output(vae.decoder.conv_out, vae.decode(z).sample, 0.45)
    size = 2 ** len(config["unet"]["block_out_channels"])
    sample = torch.randn(1, unet.config.in_channels, size, size, generator=generator)
    context = torch.randn(1, 77, unet.config.cross_attention_dim, generator=generator)
    _scale_output(unet.conv_out, unet(sample, 500, context).sample, 0.5)
    return unet, vae, text


def published_text_names(state):
    """Published checkpoints say text_model.*; newer transformers versions dropped the prefix in memory."""
    return {n if n.startswith("text_model.") else "text_model." + n: t for n, t in state.items()
            if not n.endswith("position_ids")}


def make_checkpoint(name, out_dir, seed=0, dtype="fp32"):
    """Writes the diffusers folder of a configuration; returns its path."""
    out = pathlib.Path(out_dir)
    config = CONFIGS[name]
    unet, vae, text = (model.to(DTYPES[dtype]) for model in build(name, seed))
    unet.save_pretrained(out / "unet")
    vae.save_pretrained(out / "vae")
    text.config.architectures = ["CLIPTextModel"]
    text.config.save_pretrained(out / "text_encoder")
    state = {n: t.contiguous() for n, t in published_text_names(text.state_dict()).items()}
    save_file(state, out / "text_encoder/model.safetensors", metadata={"format": "pt"})
    write_tokenizer(out / "tokenizer", config["pad"])
    EulerAncestralDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1,
        timestep_spacing="linspace", prediction_type=config["prediction"]).save_pretrained(out / "scheduler")
    _write_json(out / "model_index.json", {
        "_class_name": "StableDiffusionInstructPix2PixPipeline", "_diffusers_version": "0.42.0",
        "feature_extractor": [None, None], "image_encoder": [None, None], "requires_safety_checker": False,
        "safety_checker": [None, None], "scheduler": ["diffusers", "EulerAncestralDiscreteScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"]})
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", choices=sorted(CONFIGS))
    parser.add_argument("out_dir")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dtype", choices=sorted(DTYPES), default="fp32")
    arguments = parser.parse_args()
    make_checkpoint(arguments.config, arguments.out_dir, arguments.seed, arguments.dtype)


if __name__ == "__main__":
    main()
