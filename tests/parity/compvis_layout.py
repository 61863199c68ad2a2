"""The weights of a diffusers folder as CompVis one-file checkpoints: .safetensors and .ckpt, as published ones look.

    python tests/parity/compvis_layout.py FOLDER OUT.safetensors|OUT.ckpt [--ema]

Written from the block structure of the original code, not from our C++ tables; check_with_diffusers proves a result by
running diffusers' own converters over it. With --ema the checkpoint's raw UNet weights are others, and those of the
folder lie under model_ema.*, the way LitEma of the original repository names them (without dots).
"""

import argparse
import json
import pathlib
import re

import torch
from diffusers.loaders import single_file_utils
from safetensors.torch import load_file, save_file

WEIGHTS = {"unet": "unet/diffusion_pytorch_model.safetensors", "vae": "vae/diffusion_pytorch_model.safetensors",
           "text_encoder": "text_encoder/model.safetensors"}


def load_folder(folder):
    """({part: {name: tensor}}, {part: config})"""
    folder = pathlib.Path(folder)
    return ({part: load_file(folder / name) for part, name in WEIGHTS.items()},
            {part: json.loads((folder / part / "config.json").read_text()) for part in WEIGHTS})


def _replace(name, pairs):
    for ours, theirs in pairs:
        name = name.replace(ours, theirs)
    return name


_RESNET = [("norm1", "in_layers.0"), ("conv1", "in_layers.2"), ("time_emb_proj", "emb_layers.1"),
           ("norm2", "out_layers.0"), ("conv2", "out_layers.3"), ("conv_shortcut", "skip_connection")]
_TOP = {"conv_in": "input_blocks.0.0", "time_embedding.linear_1": "time_embed.0", "conv_norm_out": "out.0",
        "time_embedding.linear_2": "time_embed.2", "conv_out": "out.2"}


def unet_name(name, config):
    layers = config["layers_per_block"]
    attends = [t.startswith("Cross") for t in config["up_block_types"]]
    if m := re.fullmatch(r"(.*)\.(weight|bias)", name):
        if m[1] in _TOP:
            return f"{_TOP[m[1]]}.{m[2]}"
    if m := re.fullmatch(r"mid_block\.(resnets|attentions)\.(\d)\.(.*)", name):
        module = 2 * int(m[2]) if m[1] == "resnets" else 1
        return f"middle_block.{module}." + (_replace(m[3], _RESNET) if m[1] == "resnets" else m[3])
    if m := re.fullmatch(r"(down|up)_blocks\.(\d+)\.(\w+)\.(\d+)\.(.*)", name):
        side, level, kind, index, rest = m[1], int(m[2]), m[3], int(m[4]), m[5]
        if kind == "downsamplers":
            return f"input_blocks.{(level + 1) * (layers + 1)}.0.op." + rest.removeprefix("conv.")
        if kind == "upsamplers":
            return f"output_blocks.{level * (layers + 1) + layers}.{2 if attends[level] else 1}.{rest}"
        block = f"input_blocks.{1 + level * (layers + 1) + index}" if side == "down" else \
            f"output_blocks.{level * (layers + 1) + index}"
        return f"{block}.0.{_replace(rest, _RESNET)}" if kind == "resnets" else f"{block}.1.{rest}"
    raise KeyError(name)


def vae_name(name, config):
    levels = len(config["block_out_channels"])
    name = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
    if "mid_block.attentions.0." in name:
        head, tail = name.split("mid_block.attentions.0.")
        renamed = [("group_norm", "norm"), ("to_q", "q"), ("to_k", "k"), ("to_v", "v"), ("to_out.0", "proj_out")]
        return f"{head}mid.attn_1.{_replace(tail, renamed)}"
    name = re.sub(r"down_blocks\.(\d+)\.resnets\.", r"down.\1.block.", name)
    name = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0\.", r"down.\1.downsample.", name)
    name = re.sub(r"up_blocks\.(\d+)\.resnets\.", lambda m: f"up.{levels - 1 - int(m[1])}.block.", name)
    return re.sub(r"up_blocks\.(\d+)\.upsamplers\.0\.", lambda m: f"up.{levels - 1 - int(m[1])}.upsample.", name)


def open_clip_state(text, layers):
    """OpenCLIP's names, with the last block that SD 2.x does not use, a projection and a logit scale."""
    state = {}
    blocks = [("text_model.encoder.layers.", "transformer.resblocks."), ("layer_norm1", "ln_1"),
              ("layer_norm2", "ln_2"), ("mlp.fc1", "mlp.c_fc"), ("mlp.fc2", "mlp.c_proj"),
              ("self_attn.out_proj", "attn.out_proj")]
    for name, tensor in text.items():
        if name == "text_model.embeddings.position_embedding.weight":
            state["positional_embedding"] = tensor
        elif name == "text_model.embeddings.token_embedding.weight":
            state["token_embedding.weight"] = tensor
        elif name.startswith("text_model.final_layer_norm."):
            state[name.replace("text_model.final_layer_norm", "ln_final")] = tensor
        elif ".q_proj." in name:
            parts = [text[name.replace("q_proj", p)] for p in ("q_proj", "k_proj", "v_proj")]
            layer, kind = name.split(".")[3], name.rsplit(".", 1)[1]
            state[f"transformer.resblocks.{layer}.attn.in_proj_{kind}"] = torch.cat(parts)
        elif ".k_proj." not in name and ".v_proj." not in name:
            state[_replace(name, blocks)] = tensor
    for name in [n for n in state if n.startswith(f"transformer.resblocks.{layers - 1}.")]:
        state[name.replace(f"resblocks.{layers - 1}.", f"resblocks.{layers}.")] = torch.full_like(state[name], 7)
    width = state["ln_final.weight"].shape[0]
    state["text_projection"] = torch.eye(width)
    state["logit_scale"] = torch.tensor(4.6)
    return state


def ema_name(name):
    return "model_ema." + ("diffusion_model." + name).replace(".", "")


def compvis_state(folder, ema=False):
    """{CompVis name: tensor} of a diffusers folder, schedule buffers included."""
    weights, configs = load_folder(folder)
    state = {}
    unet = {unet_name(n, configs["unet"]): t for n, t in weights["unet"].items()}
    for name, tensor in unet.items():
        state["model.diffusion_model." + name] = tensor + 0.25 if ema else tensor
        if ema:
            state[ema_name(name)] = tensor
    if ema:
        state["model_ema.decay"] = torch.tensor(0.9999)
        state["model_ema.num_updates"] = torch.tensor(22000, dtype=torch.int32)
    for name, tensor in weights["vae"].items():
        if ".attentions.0.to_" in name and tensor.ndim == 2:
            tensor = tensor[:, :, None, None]
        state["first_stage_model." + vae_name(name, configs["vae"])] = tensor
    text = configs["text_encoder"]
    if text["hidden_act"] == "gelu":
        for name, tensor in open_clip_state(weights["text_encoder"], text["num_hidden_layers"]).items():
            state["cond_stage_model.model." + name] = tensor
    else:
        for name, tensor in weights["text_encoder"].items():
            state["cond_stage_model.transformer." + name] = tensor
        state["cond_stage_model.transformer.text_model.embeddings.position_ids"] = torch.arange(77)[None]
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    state["betas"] = betas.float()
    state["alphas_cumprod"] = torch.cumprod(1 - betas, 0).float()
    return state


def write_safetensors(folder, path, ema=False, metadata=None):
    save_file({n: t.contiguous() for n, t in compvis_state(folder, ema).items()}, path, metadata=metadata)


def write_ckpt(folder, path, ema=False, global_step=22000):
    """As pytorch-lightning leaves it: weights in "state_dict", counters and callbacks beside."""
    torch.save({"epoch": 3, "global_step": global_step, "pytorch-lightning_version": "1.4.2",
                "state_dict": compvis_state(folder, ema), "callbacks": {}, "optimizer_states": [],
                "lr_schedulers": [{"base_lrs": [1e-4], "last_epoch": 22000}]}, path)


def check_with_diffusers(state, folder):
    """Asserts that diffusers' own converters turn a CompVis state into exactly the folder's tensors."""
    weights, configs = load_folder(folder)
    unet = single_file_utils.convert_ldm_unet_checkpoint(dict(state), configs["unet"])
    vae = single_file_utils.convert_ldm_vae_checkpoint(dict(state), configs["vae"])
    if configs["text_encoder"]["hidden_act"] == "gelu":
        layers = configs["text_encoder"]["num_hidden_layers"]
        kept = {n: t for n, t in state.items() if f"resblocks.{layers}." not in n}

        class Model:
            class config:
                hidden_size = configs["text_encoder"]["hidden_size"]

        text = single_file_utils.convert_open_clip_checkpoint(Model, kept)
        text.pop("text_projection.weight", None)
    else:
        text = single_file_utils.convert_ldm_clip_checkpoint(dict(state))
        text = {n: t for n, t in text.items() if not n.endswith("position_ids")}
        text = {n if n.startswith("text_model.") else "text_model." + n: t for n, t in text.items()}
    for part, found in (("unet", unet), ("vae", vae), ("text_encoder", text)):
        wanted = weights[part]
        assert set(found) == set(wanted), (part, sorted(set(found) ^ set(wanted))[:10])
        for name, tensor in wanted.items():
            assert torch.equal(found[name], tensor), (part, name)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("output")
    parser.add_argument("--ema", action="store_true")
    arguments = parser.parse_args()
    write = write_ckpt if arguments.output.endswith(".ckpt") else write_safetensors
    write(arguments.folder, arguments.output, arguments.ema)


if __name__ == "__main__":
    main()
