"""What deploy/ has for Prometheus and Grafana, taken apart: rules, alerts, panels, and the metrics they name."""

import json
import re

import repository
import yaml

PROMETHEUS = repository.ROOT / "deploy" / "prometheus"
GRAFANA = repository.ROOT / "deploy" / "grafana"
RULE_FILES = sorted((PROMETHEUS / "rules").glob("*.yml"))
UNIT_TESTS = sorted((repository.ROOT / "tests" / "observability" / "rules").glob("*_test.yml"))
ONLY_ON_FAILURE = "Empty unless something fails."  # ends such a panel's description
COMPARISON = re.compile(r"(==|!=|>=|<=|>|<)(?!\s*bool)")


def rules():
    for file in RULE_FILES:
        for group in yaml.safe_load(file.read_text())["groups"]:
            yield from group["rules"]


def records():
    return {rule["record"]: rule["expr"] for rule in rules() if "record" in rule}


def alerts():
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def dashboards():
    return {path.stem: json.loads(path.read_text()) for path in sorted((GRAFANA / "dashboards").glob("*.json"))}


def panels(dashboard):
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def expressions():
    """Every expression that is shown, recorded or judged."""
    yield from (rule["expr"] for rule in rules())
    for dashboard in dashboards().values():
        yield from (target["expr"] for panel in panels(dashboard) for target in panel["targets"])


def metrics_of(expression):
    """Names of the services' own metrics, and of recorded ones."""
    return set(re.findall(r"\bip2p[_:][a-zA-Z0-9_:]+", expression))


def as_answers(expression):
    """An alert's expression with answers of 0 and 1 in place of filters, so that it has data while all is well."""
    parts = re.split(r"(\{[^}]*\})", expression)  # matchers compare, too
    return "".join(part if part.startswith("{") else COMPARISON.sub(r"\1 bool", part) for part in parts)


def without_variables(expression):
    """A panel's expression as Grafana asks it with all values chosen."""
    return re.sub(r"\$(objective|model)\b", ".+", expression).replace("$__rate_interval", "1m")
