"""Every service as a process with a miniature model, and some work of each kind: edits, prompts, pairs, training."""

import os
import shutil
import signal
import time
import urllib.error
import urllib.request

import clip_models
from conftest import ROOT
from openai_fake import OpenAiFake
from prompt_server import PromptServer
from server import Server, ServerProcess
from training_runs import write_dataset
from training_server import RUNNING, Cluster

PHOTO = ROOT / "tests" / "testdata" / "photo.jpg"
PRICES = ROOT / "deploy" / "config" / "prices.json"


class WorkingCluster:
    def __init__(self, stubs, checkpoint, folder):
        self.stubs, self.parts = stubs, []
        clip_models.make_clip("tiny", folder / "clip")
        self.openai = OpenAiFake()
        self.openai.__enter__()
        self.edit = self.started(Server("--model", f"tiny={checkpoint('tiny')}", "--precision", "fp32", "--threads", 1))
        self.pair = self.started(ServerProcess("ip2p_pair_generator", "--ckpt", checkpoint("tiny4"), "--clip",
                                               folder / "clip", "--precision", "fp32", "--threads", 1))  # fmt: skip
        (folder / "prompts").mkdir()
        self.prompt = self.started(PromptServer(stubs, "--base-url", self.openai.url, "--prices-file", PRICES,
                                                "--data-dir", folder / "prompts"))  # fmt: skip
        data = folder / "training"
        shutil.copytree(checkpoint("tiny4-odd"), data / "start")
        write_dataset(data / "pairs")
        self.training = self.started(Cluster(stubs, data, "--threads-per-slot", 1, real=True))
        self.gateway = self.started(ServerProcess(
            "ip2p_gateway", "--edit-server", self.edit.address, "--prompt-server", self.prompt.address,
            "--pair-server", self.pair.address, "--training-server", self.training.server.address))  # fmt: skip

    def started(self, part):
        self.parts.append(part)
        return part

    def services(self):
        return {"edit-server": self.edit, "pair-generator": self.pair, "prompt-generator": self.prompt,
                "training-coordinator": self.training.server, "gateway": self.gateway}  # fmt: skip

    def metrics_addresses(self):
        return {job: f"127.0.0.1:{server.ready['metrics_port']}" for job, server in self.services().items()}

    def exported(self):
        """{name: type} of every metric that some service has."""
        lines = [line.split() for server in self.services().values() for line in server.metrics_text().splitlines()]
        return {line[2]: line[3] for line in lines if line[:2] == ["#", "TYPE"]}

    def start_training(self):
        job = self.stubs.job
        params = job.TrainParams(max_steps=100_000, batch_size=2, resolution=64, learning_rate=1e-3, seed=3, precision=1,
                                 checkpoint_every=5, validate_every=5, validation_samples=1)  # fmt: skip
        spec = job.JobSpec(name="first", objective=job.OBJECTIVE_INSTRUCT_PIX2PIX, base_checkpoint="start",
                           dataset="pairs", params=params, resources={"world_size": 1}, max_restarts=9)  # fmt: skip
        request = self.stubs.training_service.SubmitJobRequest(request_id="first", spec=spec)
        self.job_id = self.training.training.SubmitJob(request, timeout=20).job.id

    def lose_a_rank(self):
        """The job is started again and goes on."""
        self.training.until_step(self.job_id, 6)
        os.kill(self.training.worker_pid(self.job_id, 0), signal.SIGKILL)
        deadline = time.monotonic() + 60
        while self.training.job(self.job_id).restarts == 0:
            assert time.monotonic() < deadline
        self.training.until(self.job_id, RUNNING)

    def work(self, number):
        """A little of everything; another number, other captions."""
        pb, services = self.stubs.edit, self.stubs.edit_service
        edits = self.stubs.edit_grpc.EditServiceStub(self.edit.channel)
        params = pb.EditParams(instruction="make it snow", resolution=64, steps=3)
        request = services.EditRequest(image=self.stubs.image.Image(data=PHOTO.read_bytes()), params=params)
        for future in [edits.Edit.future(request) for _ in range(3)]:
            assert future.result().result.outputs

        captions = [f"a {thing} number {number}" for thing in ("red house", "blue boat", "old tree", "red house")]
        outcomes, _ = self.prompt.generate(captions, moderation=True)
        assert len(outcomes) == len(captions)

        for threshold in (-1, 0.99):  # some are kept, none is kept
            params = self.stubs.pair.PairParams(steps=2, n_samples=4, max_out_samples=2, resolution=64, clip_img_threshold=-1,
                                                clip_dir_threshold=-1, clip_threshold=threshold)  # fmt: skip
            request = self.stubs.pair_service.GeneratePairsRequest(
                prompts=[self.stubs.prompt.Prompt(caption="a red cat", output="a blue cat")], params=params)
            events = list(self.stubs.pair_grpc.PairServiceStub(self.pair.channel).GeneratePairs(request, timeout=60))
            assert events[-1].HasField("finished")

        self.training.until_step(self.job_id, self.training.job(self.job_id).metrics.step + 10)
        self.training.ask("ListJobs")

        for path in ("/healthz", "/", "/no/such/page"):
            try:
                urllib.request.urlopen(f"http://{self.gateway.address}{path}", timeout=20).close()
            except urllib.error.HTTPError as error:
                assert error.code == 404

    def close(self):
        for part in reversed(self.parts):
            part.close()
        self.openai.__exit__()
