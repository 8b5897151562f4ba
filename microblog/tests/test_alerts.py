"""Alert rules in deploy/prometheus: valid, about existing metrics, each with instructions."""

import re
import subprocess

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dev.stack import ROOT

FOLDER = ROOT / "deploy" / "prometheus"
RULES = (FOLDER / "alerts.yml").read_text()
ALERTS = re.findall(r"- alert: (\w+)", RULES)
METRIC = re.compile(r"\bmicroblog_\w+")


@pytest.mark.parametrize("alert", ALERTS)
def test_alert_has_instructions(alert):
    _, heading, instructions = (
        (ROOT / "docs" / "operations.md").read_text().partition(f"\n### {alert}\n")
    )
    assert heading
    assert len(instructions.partition("\n#")[0].split()) > 20


def test_instructions_are_about_existing_alerts():
    documented = re.findall(
        r"^### (Microblog\w+)$", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE
    )
    assert documented == ALERTS


@pytest.fixture
def samples(client, settings, transactional_db, empty_broker):
    settings.METRICS_TOKEN = "a-token-of-some-length"
    client.get("/explore/")
    headers = {"Authorization": f"Bearer {settings.METRICS_TOKEN}"}
    text = client.get("/metrics", headers=headers).content.decode()
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


def test_metrics_of_rules_exist(samples):
    names = {sample.name for sample in samples}
    assert set(METRIC.findall(RULES)) <= names


def test_labels_of_rules_exist(samples):
    events = {
        sample.labels["event"] for sample in samples if sample.name == "microblog_events_last_hour"
    }
    assert set(re.findall(r'event="(\w+)"', RULES)) <= events
    assert {"view", "method", "status"} in [
        set(sample.labels) for sample in samples if "requests_total" in sample.name
    ]


def test_metrics_are_documented(samples):
    documented = METRIC.findall((ROOT / "docs" / "operations.md").read_text())
    exposed = {re.sub(r"_(bucket|count|sum|created)$", "", sample.name) for sample in samples}
    assert exposed <= {*documented, *(name.removesuffix("_total") for name in documented)}


@pytest.mark.needs("promtool")
@pytest.mark.parametrize(
    "command", [["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]]
)
def test_promtool_accepts_rules(command):
    result = subprocess.run(
        ["promtool", *command], cwd=FOLDER, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
