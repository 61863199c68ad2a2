"""Writes tests/common/model/testdata/*.txt: the names and shapes that diffusers and transformers give the networks of
SD 1.5 (8-channel UNet) and SD 2.1, one "name AxBxC" a line.

    python tests/parity/make_manifests.py

tests/common/model/manifest_test.cc holds our modules against them. Run again only when a configuration is added.
"""

import pathlib

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

import checkpoints

OUT = checkpoints.REPOSITORY / "tests/common/model/testdata"


def write(name, state):
    lines = [f"{key} {'x'.join(map(str, value.shape))}\n" for key, value in sorted(state.items())]
    pathlib.Path(OUT / f"{name}.txt").write_text("".join(lines))


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    with torch.device("meta"):
        for name in ("sd15", "sd21"):
            config = checkpoints.CONFIGS[name]
            write(f"{name}_unet", UNet2DConditionModel(**config["unet"]).state_dict())
            text = CLIPTextModel(CLIPTextConfig(**config["text"])).state_dict()
            write(f"{name}_text_encoder", checkpoints.published_text_names(text))
        write("sd_vae", AutoencoderKL(**checkpoints.CONFIGS["sd15"]["vae"]).state_dict())


if __name__ == "__main__":
    main()
