"""Writes prometheus-rule.yaml: the groups of deploy/prometheus/rules as the Prometheus operator wants them.

    python k8s/base/monitoring/make_rules.py            (--check: only compares)

Kustomize can put a file into a ConfigMap, but not into an object's spec.
"""

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
RULES = HERE.parents[2] / "deploy" / "prometheus" / "rules"
HEADER = """# Made by make_rules.py from deploy/prometheus/rules.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: ip2p
spec:
  groups:
"""


def groups(text):
    """The lines under "groups:", two columns further in, without comments."""
    lines = text.split("groups:\n", 1)[1].splitlines()
    return "".join(f"  {line}\n" if line else "\n" for line in lines if not line.lstrip().startswith("#"))


def main(arguments):
    text = HEADER + "".join(groups(file.read_text()) for file in sorted(RULES.glob("*.yml")))
    file = HERE / "prometheus-rule.yaml"
    if arguments == ["--check"]:
        return 0 if file.exists() and file.read_text() == text else "prometheus-rule.yaml is not as deploy/prometheus/rules"
    file.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
