"""PromoteCheckpoint against a real edit server that edits all the while: no edit is dropped."""

import io
import shutil
import threading

import grpc
import numpy as np
import pytest
from conftest import ROOT
from PIL import Image
from server import start_server, stubs  # noqa: F401
from training_server import FINAL, SUCCEEDED, Cluster

PHOTO = ROOT / "tests" / "testdata" / "photo.jpg"


def alike(a, b):
    """Edits that were made in one batch differ from single ones by rounding."""
    return np.abs(a - b).max() <= 2


class Editing:
    """Edits one after the other until it is stopped; what they said."""

    def __init__(self, stubs, server):
        self.stub = stubs.edit_grpc.EditServiceStub(server.channel)
        self.request = stubs.edit_service.EditRequest(
            image=stubs.image.Image(data=PHOTO.read_bytes()),
            params=stubs.edit.EditParams(instruction="make it snow", resolution=64, steps=2, seed=1))  # fmt: skip
        self.answers, self.failures, self.stopping = [], [], False
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def edit(self):
        picture = self.stub.Edit(self.request, timeout=60).result.outputs[0].image.data
        return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"), np.int16)

    def work(self):
        while not self.stopping:
            try:
                self.answers.append(self.edit())
            except grpc.RpcError as error:
                self.failures.append(error.details())

    def stop(self):
        self.stopping = True
        self.thread.join()



def test_a_promotion_reaches_every_edit_server(stubs, start_server, checkpoint, tmp_path):
    (tmp_path / "models").mkdir()
    shutil.copytree(checkpoint("tiny"), tmp_path / "models" / "main")
    servers = [start_server("--model", f"main={tmp_path / 'models' / 'main'}", "--models-dir", tmp_path / "models")
               for _ in range(2)]  # fmt: skip
    addresses = [f"127.0.0.1:{server.ready['admin_port']}" for server in servers]
    cluster = Cluster(stubs, tmp_path, "--edit-server", ",".join(addresses))

    def revisions():
        return [stubs.model_grpc.ModelServiceStub(server.admin_channel).GetModel(
            stubs.model_service.GetModelRequest(name="main"), timeout=20).model.model.revision
                for server in servers]

    try:
        job = cluster.submit("promoted", max_steps=20)
        assert cluster.until(job.id, *FINAL).state == SUCCEEDED
        export = tmp_path / "jobs" / job.id / "export" / f"step-{20:09d}"
        shutil.rmtree(export)
        shutil.copytree(checkpoint("tiny-odd"), export)
        before = revisions()
        cluster.ask("PromoteCheckpoint", job_id=job.id, timeout=120)
        assert all(new > old for new, old in zip(revisions(), before, strict=True))

        servers[1].process.kill()
        servers[1].process.wait()
        with pytest.raises(grpc.RpcError) as error:
            cluster.ask("PromoteCheckpoint", job_id=job.id, timeout=120)
        assert error.value.code() == grpc.StatusCode.UNAVAILABLE
        assert "1 of 2 edit servers serve it; promote again" in error.value.details()
        assert addresses[1] in error.value.details()
    finally:
        cluster.close()


def test_a_promotion_drops_no_edit(stubs, start_server, checkpoint, tmp_path):
    (tmp_path / "models").mkdir()
    shutil.copytree(checkpoint("tiny"), tmp_path / "models" / "main")
    server = start_server("--model", f"main={tmp_path / 'models' / 'main'}", "--models-dir", tmp_path / "models",
                          "--precision", "fp32")  # fmt: skip
    cluster = Cluster(stubs, tmp_path, "--edit-server", f"127.0.0.1:{server.ready['admin_port']}")
    try:
        job = cluster.submit("promoted", max_steps=20)
        assert cluster.until(job.id, *FINAL).state == SUCCEEDED
        export = tmp_path / "jobs" / job.id / "export" / f"step-{20:09d}"
        with pytest.raises(grpc.RpcError) as error:  # the fake worker's export is no model
            cluster.ask("PromoteCheckpoint", job_id=job.id)
        assert error.value.code() in (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.INVALID_ARGUMENT,
                                      grpc.StatusCode.NOT_FOUND)  # fmt: skip
        assert str(tmp_path) not in error.value.details()
        shutil.rmtree(export)
        shutil.copytree(checkpoint("tiny-odd"), export)

        editing = Editing(stubs, server)
        before = editing.edit()
        promoted = cluster.ask("PromoteCheckpoint", job_id=job.id, timeout=120)
        after = editing.edit()
        editing.stop()
        assert promoted.model == "main" and list(promoted.checkpoint.promoted_to) == ["main"]
        assert not editing.failures and not alike(before, after)
        assert all(alike(answer, before) or alike(answer, after) for answer in editing.answers)
        assert (tmp_path / "jobs" / job.id / "checkpoints" / f"step-{20:09d}" / "pinned").exists()

        weights = tmp_path / "jobs" / job.id / "checkpoints" / f"step-{20:09d}" / "weights"
        weights.write_bytes(b"damaged")
        with pytest.raises(grpc.RpcError) as error:
            cluster.ask("PromoteCheckpoint", job_id=job.id, step=20)
        assert error.value.code() == grpc.StatusCode.DATA_LOSS
        with pytest.raises(grpc.RpcError) as error:
            cluster.ask("PromoteCheckpoint", job_id=job.id, model="nobody")
        assert error.value.code() == grpc.StatusCode.NOT_FOUND
        assert alike(editing.edit(), after)
    finally:
        cluster.close()
