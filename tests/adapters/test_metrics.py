"""Metrics: the names of the specification, well formed, and true to what the engine has done."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from adapters.health import Board, Component
from adapters.metrics import Metrics
from tests.adapters.observed import BLOCK_AT, NOTICE_AT, POLICY, Observed

SPECIFIED = {
    "dms_events": {"type", "outcome"},
    "dms_event_seconds": set(),
    "dms_commit_seconds": set(),
    "dms_commit_events": set(),
    "dms_measures": {"kind", "target", "outcome"},
    "dms_timer_lag_seconds": set(),
    "dms_outbox_pending": set(),
    "dms_profiles_active": set(),
    "dms_quarantined": set(),
    "dms_shards_owned": set(),
    "dms_component_up": {"component"},
}
Sample = tuple[str, frozenset[tuple[str, str]]]


def scraped(metrics: Metrics) -> dict[Sample, float]:
    """Values by name and labels, as Prometheus' own parser reads them."""
    text = metrics.exposition()[0].decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def observed(tmp_path: Path) -> Iterator[Observed]:
    """An engine that has warned and blocked a debtor."""
    observed = Observed(tmp_path)
    observed.owe()
    observed.pass_time(NOTICE_AT)
    observed.pass_time(BLOCK_AT)
    yield observed
    observed.end()


def metrics_of(observed: Observed, why: str | None = None) -> Metrics:
    """Of an engine, and a store that does not work for a reason."""
    board = Board([Component("engine", lambda: None, is_vital=True), Component("store", lambda: why)])
    return Metrics(observed.readings, board, observed.store.shards, lambda: 3)


def test_every_metric_of_the_specification_is_there_with_its_labels(observed: Observed) -> None:
    """Each with a help text and a type."""
    text = metrics_of(observed).exposition()[0].decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    for name, labels in SPECIFIED.items():
        family = families[name]
        assert family.documentation
        assert family.type in ("counter", "gauge", "histogram")
        assert {label for sample in family.samples for label in sample.labels} - {"le"} == labels
    assert "process_resident_memory_bytes" in families


def test_what_is_scraped_is_what_happened(observed: Observed) -> None:
    """Two events, two commands, a component that is down."""
    found = scraped(metrics_of(observed, "away"))

    def value(name: str, **labels: str) -> float:
        return found[name, frozenset(labels.items())]

    assert value("dms_events_total", type="dms.account.updated.v1", outcome="accepted") == 1
    assert value("dms_measures_total", kind="restrict", target="network", outcome="requested") == 1
    assert value("dms_component_up", component="engine") == 1
    assert value("dms_component_up", component="store") == 0
    assert value("dms_quarantined") == 3
    assert value("dms_profiles_active") == 1
    assert value("dms_shards") == value("dms_shards_owned") == observed.store.shards


def test_attributes_ignored_and_rules_that_failed_are_counted(tmp_path: Path) -> None:
    """Neither changes anything, and nothing else tells of them outside of the journal."""
    scored = '[[segment]]\nname = "scored"\nwhen = "attributes.score > 5"\nplan = "all"\n'
    policy = POLICY.replace("[[segment]]", f'[attributes]\nscore = "integer"\n{scored}[[segment]]')
    observed = Observed(tmp_path, policy=policy)
    said = {"shoe_size": 43, "hat": 58}
    observed.tell("account.updated", projection="account", party="person", currency="RUB", attributes=said)
    found = scraped(metrics_of(observed))
    observed.end()
    assert found["dms_attributes_ignored_total", frozenset()] == 2
    assert found["dms_conditions_failed_total", frozenset()] == 1


def test_histograms_are_cumulative_and_end_with_all(observed: Observed) -> None:
    """As Prometheus wants them."""
    found = scraped(metrics_of(observed))
    for name in ("dms_event_seconds", "dms_commit_seconds", "dms_commit_events"):
        buckets = [
            (float(dict(labels)["le"]), value) for (each, labels), value in found.items() if each == f"{name}_bucket"
        ]
        counts = [value for _, value in sorted(buckets)]
        assert counts == sorted(counts)
        assert counts[-1] == found[f"{name}_count", frozenset()] > 0
    assert found["dms_event_seconds_count", frozenset()] == 2
    assert found["dms_commit_events_sum", frozenset()] == 2


def test_an_unknown_quarantine_is_not_told_as_an_empty_one(observed: Observed) -> None:
    """Before the store has ever answered."""
    board = Board([Component("engine", lambda: None)])
    found = scraped(Metrics(observed.readings, board, 64, lambda: None))
    assert ("dms_quarantined", frozenset()) not in found


def test_what_a_type_holds_cannot_break_the_format(observed: Observed) -> None:
    """Quotes, line breaks, letters beyond ASCII."""
    observed.engine.tally.count('a"b\nc\\d ё', "rejected")
    found = scraped(metrics_of(observed))
    assert found["dms_events_total", frozenset({("type", 'a"b\nc\\d ё'), ("outcome", "rejected")})] == 1
