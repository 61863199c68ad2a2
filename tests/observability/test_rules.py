"""Configurations, rules and alerts for Prometheus: promtool accepts them, and every alert was seen to fire."""

import subprocess

import definitions
import pytest
import yaml


def promtool(*arguments):
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["prometheus.yml", "laptop.yml"])
def test_configurations(name):
    text = promtool("check", "config", definitions.PROMETHEUS / name)
    assert text.count("rules found") == len(definitions.RULE_FILES)


def test_rules_do_as_their_tests_say():
    promtool("test", "rules", *definitions.UNIT_TESTS)


def test_every_alert_has_a_case_where_it_fires_and_one_where_it_does_not():
    fires, silent = set(), set()
    for file in definitions.UNIT_TESTS:
        for test in yaml.safe_load(file.read_text())["tests"]:
            for case in test["alert_rule_test"]:
                (fires if case.get("exp_alerts") else silent).add(case["alertname"])
    assert fires == silent == set(definitions.alerts())


def test_alerts_say_how_bad_what_where_and_what_to_do():
    for name, alert in definitions.alerts().items():
        assert name.startswith("Ip2p")
        assert alert["labels"] == {"severity": alert["labels"]["severity"]}
        assert alert["labels"]["severity"] in ("critical", "warning")
        assert alert["annotations"].keys() >= {"summary", "action", "dashboard"}
        assert alert["annotations"]["dashboard"] in {d["uid"] for d in definitions.dashboards().values()}
        assert alert["annotations"].get("data", "only on failure") == "only on failure"


def test_recorded_names_say_what_they_are():
    for name in definitions.records():
        assert name.count(":") == 2 and name.startswith("ip2p:"), name


def test_jobs_are_those_that_rules_know():
    jobs = {job["job_name"] for job in yaml.safe_load((definitions.PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]}
    known = definitions.alerts()["Ip2pTargetDown"]["expr"].split('"')[1].split("|")
    assert jobs == {*known, "prometheus"}


def test_an_expression_becomes_an_answer():
    assert definitions.as_answers('a{b!="c"} > 1 and d == 0') == 'a{b!="c"} > bool 1 and d == bool 0'
    assert definitions.as_answers("a > bool 0") == "a > bool 0"
