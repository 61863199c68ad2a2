"""Pair jobs as processes, with miniature models of random weights, and datasets as dictionaries of their files."""

import json
import pathlib
import subprocess

import checkpoints
import clip_models
from conftest import BIN
from indexed_job import clean_environment

PROMPTS = 24
FLAGS = {"steps": 3, "n_samples": 4, "max_out_samples": 2, "resolution": 64, "precision": "fp32", "threads": 1,
         "clip_threshold": -1, "clip_dir_threshold": 0, "clip_img_threshold": -1}


class PairJobs:
    """One prompts file, one pair of models, as many datasets as are asked for."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        checkpoints.make_checkpoint("tiny4", self.folder / "model")
        clip_models.make_clip("tiny", self.folder / "clip")
        lines = [json.dumps({"input": f"a {a} {b}", "edit": "make it blue", "output": f"a blue {b}"})
                 for a in ("red", "green", "white", "old") for b in ("cat", "house", "car", "tree", "hill", "ring")]
        assert len(lines) == PROMPTS
        (self.folder / "prompts.jsonl").write_text("\n".join(lines) + "\n")

    def settings(self, out):
        """The ConfigMap's variables."""
        return {"IP2P_PROMPTS_FILE": str(self.folder / "prompts.jsonl"), "IP2P_OUT_DIR": str(self.folder / out),
                "IP2P_CKPT": str(self.folder / "model"), "IP2P_CLIP": str(self.folder / "clip")}

    def command(self, *more, **flags):
        options = [f"--{name.replace('_', '-')}={value}" for name, value in (FLAGS | flags).items()]
        return [str(BIN / "ip2p"), "pairs", "generate", *options, *map(str, more)]

    def start(self, out, *more, preexec_fn=None, **flags):
        return subprocess.Popen(self.command(*more, **flags), env=clean_environment() | self.settings(out), text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=preexec_fn)

    def run(self, out, *more, code=0, **flags):
        process = self.start(out, *more, **flags)
        output, errors = process.communicate(timeout=300)
        assert process.returncode == code, f"exit code {process.returncode}\n{errors[-2000:]}"
        return output, errors

    def files(self, out):
        """Every file's bytes by its name, and every folder's name with a slash; the locks' own files are none of the
        dataset's."""
        root = self.folder / out
        return {str(path.relative_to(root)) + "/" * path.is_dir(): path.read_bytes() if path.is_file() else b""
                for path in sorted(root.rglob("*")) if path.name != ".lock"}

    def published(self, out):
        """Folder -> what would change if it were made again."""
        root = self.folder / out
        folders = [path for path in root.iterdir() if path.name.isdigit()] if root.exists() else []
        return {path.name: (path.stat().st_ino, (path / "scores.jsonl").stat().st_mtime_ns) for path in folders}
