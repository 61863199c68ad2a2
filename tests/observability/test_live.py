"""A real Prometheus scrapes all services while they work: what dashboards, rules and alerts ask has an answer."""

import re

import definitions
import pytest
from prometheus_server import Prometheus
from server import stubs  # noqa: F401
from working_cluster import WorkingCluster

DASHBOARDS = definitions.dashboards()


@pytest.fixture(scope="module")
def cluster(stubs, checkpoint, tmp_path_factory):
    made = WorkingCluster(stubs, checkpoint, tmp_path_factory.mktemp("cluster"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def prometheus(cluster, tmp_path_factory):
    made = Prometheus(tmp_path_factory.mktemp("prometheus"), cluster.metrics_addresses())
    try:
        cluster.start_training()
        cluster.work(1)
        cluster.lose_a_rank()
        made.settle()  # what counts for the first time now is there before it counts on
        cluster.work(2)
        made.settle()
        yield made
    finally:
        made.close()


def test_every_metric_that_is_named_is_exported(cluster, prometheus):
    exported = cluster.exported()
    known = set(exported) | set(definitions.records())
    known |= {name + suffix for name, kind in exported.items() if kind == "histogram"
              for suffix in ("_bucket", "_sum", "_count")}  # fmt: skip
    unknown = {name: expression for expression in definitions.expressions()
               for name in definitions.metrics_of(expression) if name not in known}  # fmt: skip
    assert not unknown


@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_panel_has_data(prometheus, name):
    silent = []
    for panel in definitions.panels(DASHBOARDS[name]):
        for target in panel["targets"]:
            if not prometheus.numbers(definitions.without_variables(target["expr"])):
                silent.append((panel["title"], target["expr"]))
    marked = {p["title"] for p in definitions.panels(DASHBOARDS[name])
              if p["description"].endswith(definitions.ONLY_ON_FAILURE)}  # fmt: skip
    assert not [row for row in silent if row[0] not in marked]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_choice_has_values(prometheus, name):
    for variable in DASHBOARDS[name]["templating"]["list"]:
        if variable["type"] == "query":
            metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["definition"]).groups()
            assert prometheus.ask(f"label/{label}/values", **{"match[]": metric}), variable["definition"]


def test_every_recorded_rule_has_data(prometheus):
    assert not [name for name in definitions.records() if not prometheus.numbers(name)]
    for group in prometheus.ask("rules")["groups"]:
        assert not [(rule["name"], rule["lastError"]) for rule in group["rules"] if rule["health"] != "ok"]


def test_every_alert_is_judged_by_data_and_none_fires(prometheus):
    silent = [name for name, alert in definitions.alerts().items()
              if not prometheus.numbers(definitions.as_answers(alert["expr"]))
              and "data" not in alert["annotations"]]  # fmt: skip
    assert not silent
    assert not [a["labels"] for a in prometheus.ask("alerts")["alerts"] if a["state"] == "firing"]
