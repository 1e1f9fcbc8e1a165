"""Each alert fires on one history and not on another, says what it is about, and has a page that helps."""

import functools
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.usage.consumer.checks import LONGEST_SECONDS
from services.kernel.reasons import Reason
from tests.debian_programs import program
from tests.deploy.queries import ALERTS, REPOSITORY, RULE_FILES, rules

RULES = rules("alerts.yaml")
NAMES = sorted({rule["alert"] for rule in RULES})
HISTORIES = ALERTS / "tests"
SECTIONS = ["What it means", "Who notices", "How to look", "How to mend it", "How it ends"]


def run(name: str, *arguments: str | Path) -> str:
    """What one of Prometheus' programs says; it fails with that."""
    done = subprocess.run(
        [program(name), *arguments], cwd=HISTORIES, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@functools.cache
def checks_of(name: str) -> list[dict[str, Any]]:
    """What the histories of an alert are asked."""
    document = yaml.safe_load((HISTORIES / f"{name}.yaml").read_text())
    return [check for test in document["tests"] for check in test["alert_rule_test"]]


def test_prometheus_takes_the_rules_and_the_configuration() -> None:
    assert "SUCCESS" in run("promtool", "check", "config", ALERTS / "prometheus.yaml")
    run("promtool", "check", "rules", "--lint-fatal", *(ALERTS / file for file in RULE_FILES))


def test_every_history_ends_as_it_says() -> None:
    found = sorted(HISTORIES.glob("*.yaml"))
    assert [path.stem for path in found] == NAMES
    run("promtool", "test", "rules", *found)


@pytest.mark.parametrize("name", NAMES)
def test_an_alert_has_a_history_by_which_it_fires_in_each_severity_and_one_by_which_it_does_not(
    name: str,
) -> None:
    checks = checks_of(name)
    assert {check["alertname"] for check in checks} == {name}
    fired = {alert["exp_labels"]["severity"] for check in checks for alert in check["exp_alerts"]}
    assert fired == {rule["labels"]["severity"] for rule in RULES if rule["alert"] == name}
    assert any(not check["exp_alerts"] for check in checks)


@pytest.mark.parametrize("rule", [pytest.param(rule, id=rule["alert"]) for rule in RULES])
def test_an_alert_says_what_and_how_much_and_waits_before_it_does(rule: dict[str, Any]) -> None:
    assert rule["labels"] == {"severity": rule["labels"]["severity"]}
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert re.fullmatch(r"[0-9]+m", rule["for"])
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert "{{ $labels." in rule["annotations"]["summary"]
    assert any(character.isdigit() for character in rule["annotations"]["description"]) or (
        "$value" in rule["annotations"]["description"]
    )
    assert rule["annotations"]["runbook_url"].endswith(f"/{rule['alert']}.md")


@pytest.mark.parametrize("name", NAMES)
def test_an_alert_has_a_page_that_says_how_to_look_and_how_to_mend(name: str) -> None:
    page = (REPOSITORY / "docs" / "runbooks" / f"{name}.md").read_text()
    assert page.startswith(f"# {name}\n")
    assert re.findall(r"^## (.*)$", page, re.MULTILINE) == SECTIONS
    look = page.split("## How to look")[1].split("\n## ")[0]
    assert "```" in look
    assert f"(runbooks/{name}.md)" in (REPOSITORY / "docs" / "observability.md").read_text()


def test_there_is_no_page_of_an_alert_that_is_gone() -> None:
    assert sorted(path.stem for path in (REPOSITORY / "docs" / "runbooks").glob("*.md")) == NAMES


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ("severity=page", "on-call"),
        ("severity=ticket", "queue"),
        ("severity=somethingelse", "queue"),
        ("alertname=Watchdog", "queue"),
    ],
)
def test_an_alert_is_heard_by_whom_its_severity_says(labels: str, receiver: str) -> None:
    config = f"--config.file={ALERTS / 'alertmanager.yaml'}"
    run("amtool", "config", "routes", "test", config, f"--verify.receivers={receiver}", labels)


def test_alertmanager_takes_the_configuration() -> None:
    assert "SUCCESS" in run("amtool", "check-config", ALERTS / "alertmanager.yaml")


def test_a_broken_stream_is_failed_by_whatever_reason_is_the_services_own() -> None:
    name = "region:http_server_requests_failed:rate5m"
    (rule,) = (rule for rule in rules("recording.yaml") if rule["record"] == name)
    (pattern,) = re.findall(r'reason=~"(.*)"', rule["expr"])
    failed = {reason.name for reason in Reason if re.fullmatch(pattern, reason.name)}
    of_the_service = {reason.name for reason in Reason if reason and reason.row.http_status >= 500}
    # The deadline is the caller's; the other is no answer to a request.
    assert failed == of_the_service - {"DEADLINE_EXCEEDED", "CALLER_NOT_ALLOWED"}


def test_a_store_that_is_looked_at_as_rarely_as_may_be_is_not_stale_between_two_looks() -> None:
    (rule,) = (rule for rule in RULES if rule["alert"] == "StoreCheckStale")
    assert float(rule["expr"].split(" > ")[1]) >= 1.5 * LONGEST_SECONDS
