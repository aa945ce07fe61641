"""Alerts and dashboard: well formed, told in words, proven in stories, and about metrics that there are."""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.health import Board, Component
from adapters.metrics import Metrics
from adapters.readings import Readings
from tests.ops.installed import OPS, TESTS, read, tool

RULES: list[Mapping[str, Any]] = [rule for group in read("prometheus/alerts.yml")["groups"] for rule in group["rules"]]
STORIES = (TESTS / "alerts.test.yml").read_text()
PROMETHEUS_OWN = {"up", "ALERTS"}
_METRIC = re.compile(r"\b(dms_[a-z_]+|process_[a-z_]+|up|ALERTS)\b(?!\s*=)")


def exported() -> set[str]:
    """The names of all samples of a node."""
    readings = Readings(events={("t", "accepted"): 1}, measures={("k", "t", "requested"): 1})
    board = Board([Component("engine", lambda: None)])
    text = Metrics(lambda: readings, board, 64, lambda: 0).exposition()[0].decode()
    return {line.partition(" ")[0].partition("{")[0] for line in text.splitlines() if not line.startswith("#")}


def metrics_in(expression: str) -> set[str]:
    """The metrics that an expression asks for; what stands in quotes is a label's value."""
    return set(_METRIC.findall(re.sub(r'"[^"]*"', '""', expression))) - PROMETHEUS_OWN


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_grave_it_is_what_it_means_and_what_to_do(rule: Mapping[str, Any]) -> None:
    """In whole sentences; the guide has a row for each."""
    assert rule["labels"]["severity"] in ("high", "medium", "low")
    assert set(rule["annotations"]) == {"summary", "description", "runbook"}
    for sentence in ("description", "runbook"):
        assert rule["annotations"][sentence].endswith((".", "."))
    assert f"`{rule['alert']}`" in (OPS / "README.md").read_text()
    assert f"alertname: {rule['alert']}" in STORIES


def test_every_severity_has_alerts_in_a_group_of_its_own() -> None:
    """High, medium, low; and no alert is named twice."""
    for group in read("prometheus/alerts.yml")["groups"]:
        severities = {rule["labels"]["severity"] for rule in group["rules"]}
        assert {f"dms-{severity}" for severity in severities} == {group["name"]}
    names = [rule["alert"] for rule in RULES]
    assert len(names) == len(set(names)) > 15


def test_alerts_ask_for_metrics_that_are_exported() -> None:
    """A rule over a name that does not exist is silent for ever."""
    asked = {name for rule in RULES for name in metrics_in(rule["expr"])}
    assert asked
    assert asked <= exported()


def panels() -> Iterator[Mapping[str, Any]]:
    """Of the dashboard."""
    yield from json.loads((OPS / "grafana" / "dms.json").read_text())["panels"]


def test_the_dashboard_asks_for_metrics_that_are_exported() -> None:
    """And for every one that the specification names."""
    asked = {name for panel in panels() for target in panel["targets"] for name in metrics_in(target["expr"])}
    assert asked <= exported()
    for name in (
        "dms_events_total dms_event_seconds_bucket dms_commit_seconds_bucket dms_commit_events_sum dms_measures_total"
        " dms_timer_lag_seconds dms_outbox_pending dms_profiles_active dms_quarantined dms_shards_owned"
        " dms_component_up"
    ).split():
        assert name in asked


def test_the_dashboards_panels_have_names_ids_and_places_of_their_own() -> None:
    """None lies on another one."""
    ids = [panel["id"] for panel in panels()]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        assert panel["title"]
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken
        taken |= cells


def promtool(*arguments: str) -> None:
    """Runs it; what it says is the failure's text."""
    run = subprocess.run([tool("promtool"), *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_prometheus_takes_rules_and_settings() -> None:
    """As it reads them itself."""
    promtool("check", "rules", str(OPS / "prometheus" / "alerts.yml"))
    promtool("check", "config", str(OPS / "prometheus" / "prometheus.yml"))


def test_every_alert_fires_in_its_story_and_in_no_other_hour(tmp_path: Path) -> None:
    """What it says is left out here: the stories are about when."""
    rules = yaml.safe_load((OPS / "prometheus" / "alerts.yml").read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            del rule["annotations"]
    (tmp_path / "alerts.yml").write_text(yaml.safe_dump(rules))
    (tmp_path / "stories.yml").write_text(STORIES.replace("ALERTS", str(tmp_path / "alerts.yml")))
    promtool("test", "rules", str(tmp_path / "stories.yml"))


def test_templates_can_be_filled_in(tmp_path: Path) -> None:
    """A mistake in a template shows only when the alert fires: here each one does, with its words."""
    stories = yaml.safe_load(STORIES.replace("ALERTS", str(OPS / "prometheus" / "alerts.yml")))
    words = re.compile(r"Annotations:\{(.*summary=.*)\}")
    (tmp_path / "stories.yml").write_text(yaml.safe_dump(stories))
    run = subprocess.run(
        [tool("promtool"), "test", "rules", str(tmp_path / "stories.yml")],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    told = words.findall(run.stdout + run.stderr)
    assert len(told) >= len(RULES)
    for each in told:
        assert "error expanding template" not in each
        assert "{{" not in each
        assert "<no value>" not in each
