"""Dashboards for Grafana: as their definitions make them, provisioned, and drawn so that nothing lies on top."""

import itertools
import subprocess
import sys

import definitions
import pytest
import yaml

DASHBOARDS = definitions.dashboards()


def test_they_are_as_the_definitions_make_them():
    script = definitions.GRAFANA / "make_dashboards.py"
    done = subprocess.run([sys.executable, "-B", script, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert set(DASHBOARDS) == {"overview", "prompts", "pairs", "training", "edits"}


@pytest.mark.parametrize("name", DASHBOARDS)
def test_addresses_and_data_sources(name):
    dashboard = DASHBOARDS[name]
    assert dashboard["uid"] == f"ip2p-{name}"
    first, *_ = dashboard["templating"]["list"]
    assert (first["type"], first["name"], first["query"]) == ("datasource", "datasource", "prometheus")
    for panel in definitions.panels(dashboard):
        for part in (panel, *panel["targets"]):
            assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels(name):
    shown = DASHBOARDS[name]["panels"]
    assert len({panel["id"] for panel in shown}) == len(shown)
    titles = [panel["title"] for panel in shown]
    assert all(titles) and len(set(titles)) == len(titles)
    for panel in definitions.panels(DASHBOARDS[name]):
        assert panel["targets"] and len({t["refId"] for t in panel["targets"]}) == len(panel["targets"])
        if panel["type"] == "timeseries":
            assert all(target["legendFormat"] != "__auto" for target in panel["targets"])
    for a, b in itertools.combinations([panel["gridPos"] for panel in shown], 2):
        assert (a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
                or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"])  # fmt: skip
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in shown)


def test_provisioning_names_what_is_there():
    folder = definitions.GRAFANA / "provisioning"
    (source,) = yaml.safe_load((folder / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert (source["type"], source["isDefault"]) == ("prometheus", True)
    (provider,) = yaml.safe_load((folder / "dashboards" / "ip2p.yml").read_text())["providers"]
    assert provider["type"] == "file" and provider["options"]["path"] == "/etc/grafana/dashboards"
