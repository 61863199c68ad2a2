"""A cluster to be looked at: drawn pairs, a real training run, edits by the miniature."""

import json
import math
import random
import shutil
import subprocess

from conftest import BIN, ROOT
from gateway_cluster import SCORES, Gateway, judge
from PIL import Image, ImageDraw
from prompt_server import PromptServer
from server import Server
from training_server import SUCCEEDED, Cluster

MINIATURE = ROOT / "deploy" / "models" / "shapes" / "edit"
SIDE = 128
PATIENCE_S = 1800  # for a training run of a minute
COLOURS = {"red": (214, 48, 49), "blue": (45, 108, 223), "green": (39, 160, 90), "yellow": (240, 196, 25),
           "white": (245, 245, 245), "purple": (130, 70, 190), "orange": (240, 125, 30)}  # fmt: skip
GROUNDS = {"grass": (122, 168, 96), "sand": (222, 200, 150), "night": (30, 36, 66), "snow": (226, 234, 240),
           "water": (98, 158, 196)}  # fmt: skip
KINDS = ("circle", "square", "triangle", "star")


def outline(kind, x, y, r):
    corners = {"square": 4, "triangle": 3, "star": 10}[kind]
    turn = math.pi / 4 if kind == "square" else -math.pi / 2
    return [(x + (r * 0.45 if kind == "star" and i % 2 else r) * math.cos(turn + 2 * math.pi * i / corners),
             y + (r * 0.45 if kind == "star" and i % 2 else r) * math.sin(turn + 2 * math.pi * i / corners))
            for i in range(corners)]  # fmt: skip


def drawn(scene):
    """A scene is (kind, colour, ground, x, y, r)."""
    kind, colour, ground, x, y, r = scene
    image = Image.new("RGB", (4 * SIDE, 4 * SIDE), GROUNDS[ground])
    pen = ImageDraw.Draw(image)
    x, y, r = 4 * x, 4 * y, 4 * r
    if kind == "circle":
        pen.ellipse((x - r, y - r, x + r, y + r), fill=COLOURS[colour])
    else:
        pen.polygon(outline(kind, x, y, r), fill=COLOURS[colour])
    return image.resize((SIDE, SIDE), Image.LANCZOS)


def an_edit(rng, scene):
    """(instruction, the scene after it)."""
    kind, colour, ground, *place = scene
    part = rng.choice(("colour", "kind", "ground"))
    if part == "colour":
        other = rng.choice([c for c in COLOURS if c != colour])
        return f"make the {kind} {other}", (kind, other, ground, *place)
    if part == "kind":
        other = rng.choice([k for k in KINDS if k != kind])
        return f"turn the {kind} into a {other}", (other, colour, ground, *place)
    other = rng.choice([g for g in GROUNDS if g != ground])
    return f"put it on {other}", (kind, colour, other, *place)


def caption(scene):
    return f"a {scene[1]} {scene[0]} on {scene[2]}"


def draw_pairs(folder, prompts, tried=40, seed=7):
    """As `ip2p pairs generate` leaves a dataset: two pairs a prompt, and scores of all samples."""
    rng = random.Random(seed)
    for index in range(prompts):
        home = folder / f"{index:07d}"
        home.mkdir(parents=True)
        scene = [rng.choice(KINDS), rng.choice(sorted(COLOURS)), rng.choice(sorted(GROUNDS)), 0, 0, 0]
        instruction, after = an_edit(rng, scene)
        prompt = {"caption": caption(scene), "edit": instruction, "output": caption(after)}
        (home / "prompt.json").write_text(json.dumps(prompt))
        rows = []
        for number in range(tried):
            wanted = number < 2
            while True:
                scores = {name: round(rng.gauss(centre + (0.06 if wanted else 0), width), 4) for name, centre, width in
                          zip(SCORES, (0.25, 0.24, 0.17, 0.84), (0.03, 0.03, 0.07, 0.07), strict=True)}  # fmt: skip
                if not wanted or judge(scores):
                    break
            rows.append({"seed": rng.randrange(10**6), "p2p_threshold": round(rng.uniform(0.1, 0.9), 3), "cfg_scale": 9.5, **scores,
                         "sample_index": number, "verdict": "passed" if judge(scores) else "below_direction",
                         "kept": wanted})  # fmt: skip
        for row in rows[:2]:
            place = (rng.randint(44, 84), rng.randint(44, 84), rng.randint(20, 36))
            for half, shown in enumerate((scene, after)):
                drawn((*shown[:3], *place)).save(home / f"{row['seed']}_{half}.jpg", quality=92)
        (home / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[:2]))
        (home / "scores.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    own = {"steps": 100, "clip_threshold": 0.2, "clip_dir_threshold": 0.2, "clip_img_threshold": 0.7, "max_out_samples": 2}
    (folder / "run.json").write_text(json.dumps(own))
    subprocess.run([BIN / "ip2p", "dataset", "prepare", folder], check=True, capture_output=True)


class ShownCluster:
    def __init__(self, stubs, checkpoint, folder):
        self.folder = folder
        models = folder / "models"
        models.mkdir()
        shutil.copytree(MINIATURE, models / "main")
        draw_pairs(folder / "shapes", prompts=60)
        shutil.copytree(checkpoint("tiny"), folder / "start")
        self.parts = []
        try:
            self.edit = self.started(Server("--model", f"main={models / 'main'}", "--models-dir", models, "--threads", 1))
            self.prompts = self.started(PromptServer(stubs, "--data-dir", self.made("prompts"), key=None))
            self.training = self.started(Cluster(stubs, folder, "--edit-server", f"127.0.0.1:{self.edit.ready['admin_port']}",
                                                 "--threads-per-slot", 1, real=True))  # fmt: skip
            servers = {"edit": self.edit, "prompt": self.prompts, "training": self.training.server}
            metrics = [a for name, s in servers.items() for a in (f"--{name}-metrics", f"127.0.0.1:{s.ready['metrics_port']}")]
            self.gateway = self.started(Gateway(
                "--edit-server", self.edit.address, "--prompt-server", self.prompts.address, "--training-server",
                self.training.server.address, "--training-data-dir", folder, "--datasets-dir", folder, *metrics))  # fmt: skip
        except BaseException:
            self.close()
            raise

    def made(self, name):
        (self.folder / name).mkdir()
        return self.folder / name

    def started(self, part):
        self.parts.append(part)
        return part

    def photo(self):
        """One to edit: of the drawn scenes of a single circle that is not blue yet, that with it nearest to the middle, where
        the slider shows both halves."""
        scenes = self.folder / "scenes"
        subprocess.run([BIN / "ip2p", "shapes", "draw", "--out-dir", scenes, "--count", "64", "--objects", "1", "--seed", "9"],
                       check=True, capture_output=True)  # fmt: skip
        rows = map(json.loads, (scenes / "metadata.jsonl").read_text().splitlines())
        objects = [(row["scene"]["objects"][0], row["file_name"]) for row in rows]
        circles = [(abs(one["x"] - 64), name) for one, name in objects if one["shape"] == "circle" and one["color"] != "blue"]
        return scenes / min(circles)[1]

    def captions(self, count):
        """Some work for the prompt generator, so that there are figures."""
        scenes = [(kind, colour, ground) for kind in KINDS for colour in sorted(COLOURS) for ground in sorted(GROUNDS)]
        self.prompts.generate([caption(scene) for scene in random.Random(1).sample(scenes, count)])

    def train(self, steps):
        """A small edit model learns the drawn pairs, from random weights: its loss falls."""
        params = {"max_steps": steps, "batch_size": 4, "resolution": 64, "learning_rate": 1e-3, "lr_schedule": "cosine",
                  "checkpoint_every": steps // 4, "keep_checkpoints": 4, "validate_every": steps // 4, "validation_samples": 1,
                  "seed": 1, "cache_latents": True}  # fmt: skip
        spec = {"name": "shapes-edit", "objective": "instruct_pix2pix", "base_checkpoint": "start", "dataset": "shapes",
                "params": params, "resources": {"world_size": 1}}  # fmt: skip
        status, _, data = self.gateway.call("POST", "/api/v1/training/jobs", {"spec": spec})
        assert status == 200, data
        job = data["job"]["id"]
        self.training.until(job, SUCCEEDED, timeout=PATIENCE_S)
        return job

    def close(self):
        for part in reversed(self.parts):
            part.close()
