"""A real Prometheus of deploy/prometheus/laptop.yml, only faster: it scrapes and judges every second."""

import datetime
import json
import math
import subprocess
import time
import urllib.parse
import urllib.request

import definitions
import yaml
from training_server import free_port

PATIENCE_S = 60


def seconds(text):
    """RFC 3339 with nanoseconds."""
    return datetime.datetime.fromisoformat(text[:26].rstrip("Z") + "+00:00" if text.endswith("Z") else text).timestamp()


class Prometheus:
    """Scrapes targets, {job: address}, until it is closed."""

    def __init__(self, folder, targets):
        config = yaml.safe_load((definitions.PROMETHEUS / "laptop.yml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(file) for file in definitions.RULE_FILES]
        (scrape,) = config["scrape_configs"]
        scrape["file_sd_configs"][0]["files"] = [str(folder / "targets" / "*.json")]
        (folder / "targets").mkdir(parents=True)
        for job, address in targets.items():
            (folder / "targets" / f"{job}.json").write_text(
                json.dumps([{"targets": [address], "labels": {"service": job}}]))
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self.targets, self.url = targets, f"http://127.0.0.1:{free_port()}"
        with open(folder / "log", "w") as log:
            self.process = subprocess.Popen(
                ["prometheus", "--config.file", folder / "prometheus.yml", "--storage.tsdb.path", folder / "data",
                 "--web.listen-address", self.url.removeprefix("http://"), "--log.level", "warn"], stderr=log)  # fmt: skip

    def ask(self, path, **parameters):
        body = urllib.parse.urlencode(parameters, doseq=True)
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}" + ("?" + body if body else ""), timeout=10) as answer:
            return json.load(answer)["data"]

    def values(self, expression):
        """An instant query's numbers."""
        result = self.ask("query", query=expression)
        samples = [result["result"]] if result["resultType"] == "scalar" else [s["value"] for s in result["result"]]
        return [float(value) for _, value in samples]

    def numbers(self, expression):
        """Those that are numbers: 0 / 0 is data only in name."""
        return [value for value in self.values(expression) if not math.isnan(value)]

    def settle(self):
        """Until all that is so now was scraped and judged: a scrape since, then a judgement since that."""
        self.until(lambda since: len(found := self.ask("targets", state="active")["activeTargets"]) == len(self.targets)
                   and all(t["health"] == "up" and seconds(t["lastScrape"]) > since for t in found))
        self.until(lambda since: all(seconds(rule["lastEvaluation"]) > since
                                     for group in self.ask("rules")["groups"] for rule in group["rules"]))

    def until(self, condition):
        since = time.time()
        while True:
            try:
                if condition(since):
                    return
            except OSError:  # it is still starting
                pass
            assert time.time() < since + PATIENCE_S and self.process.poll() is None
            time.sleep(0.05)

    def close(self):
        self.process.terminate()
        self.process.wait()
