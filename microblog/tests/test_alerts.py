"""The rules in deploy/prometheus: sound, about metrics that exist, each with its cure."""

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
def test_each_has_its_cure(alert):
    _, found, cure = (ROOT / "docs" / "operations.md").read_text().partition(f"\n### {alert}\n")
    assert found
    assert len(cure.partition("\n#")[0].split()) > 20


def test_no_cure_is_for_an_alert_that_is_gone():
    cures = re.findall(
        r"^### (Microblog\w+)$", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE
    )
    assert cures == ALERTS


@pytest.fixture
def scraped(client, settings, transactional_db, empty_broker):
    settings.METRICS_TOKEN = "a-token-of-some-length"
    client.get("/explore/")
    answer = client.get(
        "/metrics", headers={"Authorization": f"Bearer {settings.METRICS_TOKEN}"}
    ).content.decode()
    return [
        sample for family in text_string_to_metric_families(answer) for sample in family.samples
    ]


def test_each_metric_of_a_rule_is_in_a_real_scrape(scraped):
    names = {sample.name for sample in scraped}
    assert set(METRIC.findall(RULES)) <= names


def test_each_label_of_a_rule_is_in_a_real_scrape(scraped):
    events = {
        sample.labels["event"] for sample in scraped if sample.name == "microblog_events_last_hour"
    }
    assert set(re.findall(r'event="(\w+)"', RULES)) <= events
    assert {"view", "method", "status"} in [
        set(each.labels) for each in scraped if "requests_total" in each.name
    ]


def test_each_metric_is_documented(scraped):
    documented = METRIC.findall((ROOT / "docs" / "operations.md").read_text())
    ours = {re.sub(r"_(bucket|count|sum|created)$", "", sample.name) for sample in scraped}
    assert ours <= {*documented, *(name.removesuffix("_total") for name in documented)}


@pytest.mark.needs("promtool")
@pytest.mark.parametrize(
    "command", [["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]]
)
def test_prometheus_takes_them(command):
    done = subprocess.run(
        ["promtool", *command], cwd=FOLDER, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
