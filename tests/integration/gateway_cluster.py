"""The gateway in front of real services: a tiny edit server, the offline prompt generator, a coordinator, a dataset."""

import http.client
import json
import random
import shutil

import pytest
from datasets_on_disk import make_original
from prompt_server import PromptServer
from server import Server, ServerProcess
from training_server import Cluster

SCORES = ("clip_sim_0", "clip_sim_1", "clip_sim_dir", "clip_sim_image")
OWN = {"clip_threshold": 0.2, "clip_dir_threshold": 0.2, "clip_img_threshold": 0.7, "max_out_samples": 2}


def judge(scores, clip=0.2, direction=0.2, image=0.7):
    """Whether the reference's thresholds keep a sample."""
    return min(scores["clip_sim_0"], scores["clip_sim_1"]) >= clip and scores["clip_sim_dir"] >= direction and (
        scores["clip_sim_image"] >= image)


def make_scored(folder, prompts=12, tried=20, seed=3):
    """A dataset whose scores.jsonl tells rejected samples too; gives all samples as {folder: [scores]}."""
    rng = random.Random(seed)
    made = make_original(folder, prompts=prompts)
    everything = {}
    for home in sorted(p for p in made.iterdir() if p.is_dir()):
        seeds = [int(p.name.split("_")[0]) for p in sorted(home.glob("*_0.jpg"))]
        rows = []
        for index in range(tried):
            kept = index < len(seeds)
            centre = (0.28, 0.27, 0.24 if kept else 0.14, 0.85)
            scores = {name: round(rng.gauss(c, 0.05), 4) for name, c in zip(SCORES, centre, strict=True)}
            row = {"seed": seeds[index] if kept else 900_000 + index, "p2p_threshold": 0.5, "cfg_scale": 8.0, **scores,
                   "sample_index": index, "verdict": "passed" if judge(scores) else "below_direction", "kept": kept}
            rows.append(row)
        (home / "scores.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        everything[home.name] = rows
    (made / "run.json").write_text(json.dumps({"steps": 100, **OWN}))
    return everything


class Gateway(ServerProcess):
    """build/bin/ip2p_gateway, spoken to with Python's http.client."""

    def __init__(self, *arguments, environment=None):
        super().__init__("ip2p_gateway", *arguments, environment=environment)
        self.port = self.ready["port"]
        self.url = f"http://127.0.0.1:{self.port}"

    def call(self, method, path, body=None, headers=(), timeout=120):
        """(status, headers, parsed JSON or bytes)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        headers = dict(headers)
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        data = response.read()
        connection.close()
        if response.headers.get("Content-Type", "").startswith("application/json"):
            data = json.loads(data)
        return response.status, response.headers, data

    def get(self, path, **options):
        status, _, data = self.call("GET", path, **options)
        assert status == 200, data
        return data

    def events(self, method, path, body=None, headers=()):
        """Yields (name, data) of a stream as they come."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        headers = {"Accept": "text/event-stream", **dict(headers)}
        if isinstance(body, dict):
            body, headers["Content-Type"] = json.dumps(body), "application/json"
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        assert response.status == 200, response.read()
        assert response.headers["Content-Type"] == "text/event-stream"
        name = ""
        for line in response:
            text = line.decode().rstrip("\n")
            if text.startswith("event: "):
                name = text[7:]
            elif text.startswith("data: "):
                yield name, json.loads(text[6:])
        connection.close()


class WholeCluster:
    """Everything that the pages show, in `folder`. The trained model's export is one of the same shapes, since
    promoting it changes what other tests edit with."""

    def __init__(self, stubs, checkpoint, folder, step_s=0.05):
        models = folder / "models"
        models.mkdir(parents=True)
        shutil.copytree(checkpoint("tiny"), models / "main")
        self.folder, self.export = folder, checkpoint("tiny", seed=1)
        self.samples = make_scored(folder / "datasets" / "scored")
        make_original(folder / "datasets" / "plain")
        self.parts = []
        try:
            self.edit = self._keep(Server("--model", f"main={models / 'main'}", "--models-dir", models, "--precision",
                                          "fp32", "--queue-limit", 64))  # fmt: skip
            self.prompts = self._keep(PromptServer(stubs, "--data-dir", folder / "prompts", key=None))
            self.training = self._keep(Cluster(stubs, folder, "--edit-server",
                                               f"127.0.0.1:{self.edit.ready['admin_port']}", step_s=step_s))  # fmt: skip
            self.arguments = [
                "--edit-server", self.edit.address, "--prompt-server", self.prompts.address,
                "--training-server", self.training.server.address, "--training-data-dir", folder,
                "--datasets-dir", folder / "datasets", *self._metrics()]  # fmt: skip
            self.gateway = self._keep(Gateway(*self.arguments))
        except BaseException:
            self.close()
            raise

    def _keep(self, part):
        self.parts.append(part)
        return part

    def _metrics(self):
        servers = {"edit": self.edit, "prompt": self.prompts, "training": self.training.server}
        return [a for name, s in servers.items()
                for a in (f"--{name}-metrics", f"127.0.0.1:{s.ready['metrics_port']}")]  # fmt: skip

    def put_export(self, job_id, step):
        """The fake worker exports no model: here is one to promote."""
        export = self.folder / "jobs" / job_id / "export" / f"step-{step:09d}"
        shutil.rmtree(export, ignore_errors=True)
        shutil.copytree(self.export, export)

    def put_validation(self, job_id, step, picture):
        """As a run's validation leaves it."""
        folder = self.folder / "jobs" / job_id / "validation" / f"step-{step:09d}"
        folder.mkdir(parents=True)
        for name in ("000-input.png", "000-edit.png"):
            (folder / name).write_bytes(picture)
        (folder / "metrics.json").write_text(json.dumps({"step": step, "loss": 0.25}))

    def close(self):
        for part in reversed(self.parts):
            part.close()


@pytest.fixture(scope="module")
def cluster(stubs, checkpoint, tmp_path_factory):
    """One for all tests of a file."""
    made = WholeCluster(stubs, checkpoint, tmp_path_factory.mktemp("cluster"))
    yield made
    made.close()
