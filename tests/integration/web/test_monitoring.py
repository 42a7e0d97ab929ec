"""The alert rules and the Grafana dashboard in docs/, against what the service says."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from flask.testing import FlaskClient

from elute.settings import CHECKOUT
from tests.integration.conftest import Laboratory

RULES = CHECKOUT / "docs" / "prometheus-rules.yml"
DASHBOARD = CHECKOUT / "docs" / "grafana.json"
# Two runs fail, and a third of a file is dropped; the rest is as it should be.
ALERTS = """
rule_files: [{rules}]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {{series: 'elute_runs_total{{state="failed", trigger="http"}}', values: 0x10 2x30}}
      - {{series: 'elute_database_up', values: 1x50}}
      - {{series: 'elute_input_records{{file="users.csv", outcome="dropped"}}', values: 5x50}}
      - {{series: 'elute_input_records{{file="users.csv", outcome="kept"}}', values: 10x50}}
      - {{series: 'elute_input_records{{file="compounds.csv", outcome="dropped"}}', values: 0x50}}
      - {{series: 'elute_input_records{{file="compounds.csv", outcome="kept"}}', values: 12x50}}
    promql_expr_test:
      - expr: count by (alertname) (ALERTS{{alertstate="firing"}})
        eval_time: 5m
        exp_samples: [{{labels: '{{alertname="EluteRecordsDropped"}}', value: 1}}]
      - expr: count by (alertname) (ALERTS{{alertstate="firing"}})
        eval_time: 12m
        exp_samples:
          - {{labels: '{{alertname="EluteRecordsDropped"}}', value: 1}}
          - {{labels: '{{alertname="EluteRunFailed"}}', value: 1}}
      - expr: count by (alertname) (ALERTS{{alertstate="firing"}})
        eval_time: 30m
        exp_samples: [{{labels: '{{alertname="EluteRecordsDropped"}}', value: 1}}]
"""


def alerts() -> list[str]:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule["expr"] for group in groups for rule in group["rules"]]


def shown() -> list[str]:
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def promtool(*arguments: str | Path, text: str = "") -> None:
    if not shutil.which("promtool"):
        pytest.skip("there is no promtool on this machine: apt-get install prometheus")
    subprocess.run(
        ["promtool", *map(str, arguments)], input=text, text=True, check=True, timeout=60
    )


@pytest.fixture
def metrics(built: Laboratory, client: FlaskClient) -> str:
    """What is said after one build and one request."""
    client.get("/etl-results")
    return client.get("/metrics").text


def test_every_metric_that_they_name_is_there(metrics: str) -> None:
    there = set(re.findall(r"(?m)^(\w+)(?:\{| )", metrics))
    expressions = [re.sub(r'"[^"]*"', "", expression) for expression in (*alerts(), *shown())]
    named = {name for one in expressions for name in re.findall(r"\b(?:elute|process)_\w+", one)}
    assert len(named) > 15
    assert named <= there
    assert 'elute_runs_total{state="succeeded",trigger="terminal"} 1.0' in metrics
    assert "elute_run_seconds_count 1.0" in metrics


def test_prometheus_can_read_them(tmp_path: Path) -> None:
    promtool("check", "rules", RULES)
    records = [
        {"record": f"panel:{number}", "expr": expression.replace("$__rate_interval", "5m")}
        for number, expression in enumerate(shown())
    ]
    panels = tmp_path / "panels.yml"
    panels.write_text(json.dumps({"groups": [{"name": "panels", "rules": records}]}))
    promtool("check", "rules", panels)


def test_they_fire_when_they_should_and_end_then(tmp_path: Path) -> None:
    tests = tmp_path / "alerts.yml"
    tests.write_text(ALERTS.format(rules=RULES))
    promtool("test", "rules", tests)


def test_prometheus_can_read_what_is_served(metrics: str) -> None:
    promtool("check", "metrics", text=metrics)
