"""CLIP models and safety checkers with random weights, in the layouts of transformers and diffusers.

    make_clip(name, folder)     a CLIPModel: config.json, model.safetensors, tokenizer, preprocessor_config.json
    make_safety_checker(name, folder)

`name` is a key of CLIPS. The published ViT-L/14, B/32, B/16, H/14 and 336 px are there with their real shapes; the tiny
ones vary what only a config can say. Scores of random towers are all alike, so the projections are made to spread them.
"""

import json
import pathlib

import torch
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel

from checkpoints import _draw, write_tokenizer


def _tower(hidden, layers, heads, act="quick_gelu", **more):
    return dict(hidden_size=hidden, intermediate_size=4 * hidden, num_hidden_layers=layers,
                num_attention_heads=heads, hidden_act=act, **more)


def _clip(text, vision, projection, **more):
    return dict(text_config=text, vision_config=vision, projection_dim=projection, **more)


CLIPS = {
    "tiny": _clip(_tower(32, 2, 2), _tower(48, 2, 3, image_size=32, patch_size=8), 24),
    # Patches that leave pixels over, exact gelu, other epsilons, the false eos id of old configs, a short context.
    "odd": _clip(_tower(64, 3, 1, "gelu", eos_token_id=2, layer_norm_eps=1e-4, max_position_embeddings=20),
                 _tower(32, 3, 2, "gelu", image_size=30, patch_size=7, layer_norm_eps=1e-3), 40),
    # The two towers with one activation each.
    "mixed": _clip(_tower(32, 1, 4, "gelu", eos_token_id=49407), _tower(32, 1, 1, image_size=48, patch_size=16), 32),
    "ViT-B/32": _clip(_tower(512, 12, 8, eos_token_id=2), _tower(768, 12, 12, image_size=224, patch_size=32), 512),
    "ViT-B/16": _clip(_tower(512, 12, 8, eos_token_id=2), _tower(768, 12, 12, image_size=224, patch_size=16), 512),
    "ViT-L/14": _clip(_tower(768, 12, 12, eos_token_id=2), _tower(1024, 24, 16, image_size=224, patch_size=14), 768),
    "ViT-L/14@336px": _clip(_tower(768, 12, 12, eos_token_id=2),
                            _tower(1024, 24, 16, image_size=336, patch_size=14), 768),
    "ViT-H/14": _clip(_tower(1024, 24, 16, "gelu", eos_token_id=2),
                      _tower(1280, 32, 16, "gelu", image_size=224, patch_size=14), 1024),
}
MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]


def _write_preprocessor(folder, size):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "preprocessor_config.json").write_text(json.dumps({
        "crop_size": {"height": size, "width": size}, "do_center_crop": True, "do_convert_rgb": True,
        "do_normalize": True, "do_rescale": True, "do_resize": True, "feature_extractor_type": "CLIPFeatureExtractor",
        "image_mean": MEAN, "image_processor_type": "CLIPImageProcessor", "image_std": STD, "resample": 3,
        "rescale_factor": 1 / 255, "size": {"shortest_edge": size}}))


def build_clip(name, seed=0):
    model = CLIPModel(CLIPConfig(**CLIPS[name])).eval()
    _draw(model, torch.Generator().manual_seed(seed))
    return model


def make_clip(name, folder, seed=0, dtype=torch.float32):
    """Writes the folder with the names that published files have; returns the model in fp32."""
    folder = pathlib.Path(folder)
    model = build_clip(name, seed)
    model.config.save_pretrained(folder)
    state = {n: t.to(dtype).contiguous() for n, t in model.state_dict().items() if not n.endswith("position_ids")}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    write_tokenizer(folder, "<|endoftext|>")
    _write_preprocessor(folder, CLIPS[name]["vision_config"]["image_size"])
    return model.to(dtype).float()


@torch.no_grad()
def make_safety_checker(name, folder, seed=0):
    """A pipeline's safety_checker/ and feature_extractor/ in `folder`; returns the model. Thresholds are its own."""
    folder = pathlib.Path(folder)
    model = StableDiffusionSafetyChecker(CLIPConfig(**CLIPS[name])).eval()
    _draw(model, torch.Generator().manual_seed(seed))
    save_safety_checker(model, folder)
    _write_preprocessor(folder / "feature_extractor", CLIPS[name]["vision_config"]["image_size"])
    return model


def save_safety_checker(model, folder):
    """With the names of the published file, which has one level more than newer versions of transformers."""
    model.config.save_pretrained(folder / "safety_checker")
    outer = "vision_model."
    state = {(outer + n if n.startswith(outer) and not n.startswith(2 * outer) else n): t.contiguous()
             for n, t in model.state_dict().items()}
    save_file(state, folder / "safety_checker/model.safetensors", metadata={"format": "pt"})
