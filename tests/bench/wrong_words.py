"""Whether a model of shapes listens: what one wrong word in a caption adds to its loss, by kind of word and by sigma.

usage: wrong_words.py SET [--model DIR] [--clip DIR] [--pictures 160]

SET is what `ip2p shapes draw` made, of another seed than the training's. Of a text-to-image model in diffusers' layout
(an export of a run that is under way, too): the mean squared error in its own target, and what an exchanged word adds; by
0.000 a model never heard the word. Of a CLIP: how often the right caption fits a picture better. Computed by diffusers
and transformers, a minute on a CPU; it tells long before pictures do whether training is on its way.
"""

import argparse
import json
import pathlib
import re

SHAPES = "circle square triangle star heart diamond cross ring".split()
COLORS = "red orange yellow green blue purple pink brown white black".split()
OPPOSITE = {"left": "right", "top": "bottom", "upper": "lower"}
OPPOSITE |= {b: a for a, b in OPPOSITE.items()}
KINDS = ("place", "shape", "colour", "two colours", "two shapes")
SIGMAS = (0.7, 1.5, 3, 6, 12)
MODEL = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "models" / "shapes" / "text-to-image"


def exchanged(caption):
    """{kind: the caption with such words exchanged}; of two objects the first one's shape and colour, or both ways round."""
    words = re.split(r"(\W+)", caption)  # words at even places
    shapes = [i for i, word in enumerate(words) if word in SHAPES]
    colors = [i - 2 for i in shapes]

    def wrong(new):
        return "".join(new.get(i, word) for i, word in enumerate(words))

    found = {"shape": wrong({shapes[0]: SHAPES[(SHAPES.index(words[shapes[0]]) + 3) % len(SHAPES)]}),
             "colour": wrong({colors[0]: COLORS[(COLORS.index(words[colors[0]]) + 4) % len(COLORS)]})}  # fmt: skip
    if any(word in OPPOSITE for word in words):
        found["place"] = wrong({i: OPPOSITE.get(word, word) for i, word in enumerate(words)})
    for kind, pair in (("two colours", colors), ("two shapes", shapes)):
        if len(pair) == 2 and words[pair[0]] != words[pair[1]]:
            found[kind] = wrong({pair[0]: words[pair[1]], pair[1]: words[pair[0]]})
    return found


def read(folder, count):
    from PIL import Image

    lines = (pathlib.Path(folder) / "metadata.jsonl").read_text().splitlines()[:count]
    rows = [json.loads(line) for line in lines]
    captions = [row["caption"][0].lower() + row["caption"][1:] for row in rows]
    return [Image.open(pathlib.Path(folder) / row["file_name"]).convert("RGB") for row in rows], captions


def batches(items, size=40):
    return [items[i : i + size] for i in range(0, len(items), size)]


def model_losses(folder, pictures, captions):
    import torch
    from diffusers import StableDiffusionPipeline

    pipe = StableDiffusionPipeline.from_pretrained(folder, torch_dtype=torch.float32, safety_checker=None)
    pipe.set_progress_bar_config(disable=True)

    def embed(texts):
        tokens = pipe.tokenizer(texts, padding="max_length", max_length=pipe.text_encoder.config.max_position_embeddings,
                                truncation=True, return_tensors="pt")  # fmt: skip
        return pipe.text_encoder(tokens.input_ids)[0]

    with torch.no_grad():
        pixels = [pipe.image_processor.preprocess(some) for some in batches(pictures)]
        latents = torch.cat([pipe.vae.encode(some).latent_dist.mean for some in pixels]) * pipe.vae.config.scaling_factor
        noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(5))
        alphas = pipe.scheduler.alphas_cumprod
        for sigma in SIGMAS:
            step = int((((1 - alphas) / alphas).sqrt() - sigma).abs().argmin())
            noisy = alphas[step].sqrt() * latents + (1 - alphas[step]).sqrt() * noise
            target = noise
            if pipe.scheduler.config.prediction_type == "v_prediction":
                target = alphas[step].sqrt() * noise - (1 - alphas[step]).sqrt() * latents

            def losses(texts, of, step=step, noisy=noisy, target=target):
                found = []
                for some, words in zip(batches(of), batches(texts)):
                    predicted = pipe.unet(noisy[some], torch.full((len(some),), step), embed(words)).sample
                    found.append((predicted - target[some]).square().mean((1, 2, 3)))
                return torch.cat(found)

            right = losses(captions, list(range(len(captions))))
            added = []
            for kind in KINDS:
                wrong = {i: exchanged(c)[kind] for i, c in enumerate(captions) if kind in exchanged(c)}
                if not wrong:
                    continue
                more = losses(list(wrong.values()), list(wrong)) - right[list(wrong)]
                added.append(f"{kind} {more.mean():+.4f}")
            print(f"sigma {sigma:4}: loss {right.mean():.4f}; {', '.join(added)}", flush=True)


def clip_choices(folder, pictures, captions):
    import torch
    from transformers import CLIPImageProcessor, CLIPModel, CLIPTokenizer

    model = CLIPModel.from_pretrained(folder, torch_dtype=torch.float32).eval()
    tokenizer, processor = CLIPTokenizer.from_pretrained(folder), CLIPImageProcessor.from_pretrained(folder)
    length = model.config.text_config.max_position_embeddings

    def fits(texts, of):
        tokens = tokenizer(texts, padding="max_length", max_length=length, truncation=True, return_tensors="pt")
        images = processor([pictures[i] for i in of], return_tensors="pt")
        with torch.no_grad():
            found = model(input_ids=tokens.input_ids, attention_mask=tokens.attention_mask, pixel_values=images.pixel_values)
        return (found.image_embeds * found.text_embeds).sum(1)

    for kind in KINDS:
        wrong = {i: exchanged(c)[kind] for i, c in enumerate(captions) if kind in exchanged(c)}
        better = fits([captions[i] for i in wrong], list(wrong)) > fits(list(wrong.values()), list(wrong))
        print(f"CLIP, {kind}: the right caption fits better for {int(better.sum())} of {len(wrong)}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("set")
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--clip")
    parser.add_argument("--pictures", type=int, default=160)
    options = parser.parse_args()
    pictures, captions = read(options.set, options.pictures)
    model_losses(options.model, pictures, captions)
    if options.clip:
        clip_choices(options.clip, pictures, captions)


if __name__ == "__main__":
    main()
