"""The JSON API against its own description: schemathesis sends what openapi.yaml allows and forbids."""

import pathlib
import subprocess
import sys

import pytest
import yaml
from conftest import ROOT
from gateway_cluster import cluster  # noqa: F401  (fixture)
from server import stubs  # noqa: F401  (fixture)

FILE = ROOT / "services" / "gateway" / "openapi.yaml"
# Events without an end, and what would end the cluster's own job; test_gateway.py has them.
STREAMS = "/watch$"


def test_the_description_is_served_and_names_every_route(cluster):
    assert cluster.gateway.get("/api/v1/openapi.yaml") == FILE.read_bytes()
    described = set(yaml.safe_load(FILE.read_text())["paths"])
    sources = "".join(p.read_text() for p in (ROOT / "services" / "gateway").glob("*_api.cc"))
    for path in described - {"/healthz"}:
        last = path.rsplit("/", 1)[1]
        if last not in ("{job}", "{move}", "{image}"):
            assert f"/{last}" in sources, path


CHECKS = ("status_code_conformance,content_type_conformance,response_schema_conformance,unsupported_method,"
          "negative_data_rejection")


@pytest.mark.parametrize(("paths", "checks"), [
    # The edit server refuses an edit that would take longer than its caller waits: 504, which is no fault of the server.
    (["--include-path-regex", "/(edit|sweep)$"], CHECKS),
    (["--exclude-path-regex", f"/(edit|sweep)$|{STREAMS}"], f"not_a_server_error,{CHECKS}"),
], ids=["edits", "others"])  # fmt: skip
def test_answers_are_as_described(cluster, paths, checks):
    schemathesis = pathlib.Path(sys.executable).with_name("schemathesis")
    done = subprocess.run(
        [schemathesis, "run", FILE, "--url", cluster.gateway.url, "--max-examples", "15", "--checks", checks, *paths,
         "--request-timeout", "300", "--workers", "1", "--generation-deterministic", "--suppress-health-check", "all"],
        capture_output=True, text=True, cwd=cluster.folder)  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert cluster.gateway.get("/healthz") == {"status": "serving"}
