"""The documents' pictures of the pages, taken from a working cluster.

    IP2P_PICTURES=deploy/images pytest tests/web/test_pictures.py      (over those that are there)

Without it they are taken all the same, so that they can be taken again, and thrown away.
"""

import os
import re

import pytest
import repository
from browsing import browse
from conftest import ROOT
from PIL import Image
from server import stubs  # noqa: F401  (fixture)
from shown_cluster import ShownCluster

PAGES = ("edit", "prompts", "dataset", "training", "overview", "phone")
MOST_BYTES = 60_000
SHARE = 0.75  # of the size on the screen
STEPS = 120


@pytest.fixture(scope="module")
def cluster(stubs, checkpoint, tmp_path_factory):
    made = ShownCluster(stubs, checkpoint, tmp_path_factory.mktemp("shown"))
    try:
        made.captions(40)
        made.train(STEPS if os.environ.get("IP2P_PICTURES") else 20)
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("page", PAGES)
def test_picture(cluster, page, tmp_path, monkeypatch):
    monkeypatch.setenv("IP2P_SCREENSHOTS", str(tmp_path))
    browse("documentPicture", cluster.gateway.url, page=page, photo=str(cluster.photo()))
    image = Image.open(tmp_path / f"{page}.png").convert("RGB")
    small = image.resize((round(image.width * SHARE), round(image.height * SHARE)), Image.LANCZOS)
    folder = ROOT / os.environ["IP2P_PICTURES"] if "IP2P_PICTURES" in os.environ else tmp_path
    small.save(folder / f"{page}.webp", quality=82, method=6)
    assert (folder / f"{page}.webp").stat().st_size <= MOST_BYTES


def test_documents_show_those_that_are_there():
    kept = {path.name for path in (ROOT / "deploy" / "images").glob("*.webp")}
    assert kept == {f"{page}.webp" for page in PAGES}
    assert all((ROOT / "deploy" / "images" / name).stat().st_size <= MOST_BYTES for name in kept)
    shown = set(re.findall(r"images/([\w-]+\.webp)", "".join(repository.text(name) for name in repository.sources(".md"))))
    assert shown == kept
