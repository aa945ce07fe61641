"""Metrics for Prometheus: read when they are scraped, so the engine pays for nothing but its own counting.

The names of the specification, and a few more that its alerts need.
"""

from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from adapters.health import Board
from adapters.readings import Readings, SpreadReading

Count = Callable[[], int | None]
"""A number as it was last known, None where it never was; at once, whatever the store does."""


class Metrics:
    """What a node shows to Prometheus."""

    def __init__(self, read: Callable[[], Readings], board: Board, shards: int, quarantined: Count) -> None:
        """``read`` is what the process's engine shows; ``quarantined`` are the events in quarantine, ``shards``
        the shards, both of the whole store."""
        self._registry: Final = CollectorRegistry(auto_describe=False)
        self._registry.register(NodeCollector(read, board, shards, quarantined))
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """The body and its content type, in the format that the ``Accept`` header asks for. Asks the components, so
        it may take as long as a health check."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type


class NodeCollector(Collector):
    """Makes families of readings, at each scrape."""

    def __init__(self, read: Callable[[], Readings], board: Board, shards: int, quarantined: Count) -> None:
        self._read: Final = read
        self._board: Final = board
        self._shards: Final = shards
        self._quarantined: Final = quarantined

    def collect(self) -> Iterator[Metric]:
        """One family for each name."""
        readings = self._read()
        yield from _counters(readings)
        yield _histogram("dms_event_seconds", "From an event's arrival until it is durable.", readings.event_seconds)
        yield _histogram("dms_commit_seconds", "How long a transaction takes.", readings.commit_seconds)
        yield _histogram("dms_commit_events", "Events that a transaction takes in.", readings.commit_events)
        yield from _gauges(readings)
        yield GaugeMetricFamily("dms_shards", "Shards of the store.", self._shards)
        up = GaugeMetricFamily("dms_component_up", "Whether a part of the node works.", labels=["component"])
        for name, why in self._board.look().items():
            up.add_metric([name], 0 if why is not None else 1)
        yield up
        quarantined = self._quarantined()
        if quarantined is not None:
            yield GaugeMetricFamily("dms_quarantined", "Events in quarantine.", quarantined)
        build = GaugeMetricFamily("dms_build_info", "The release that runs.", labels=["version"])
        build.add_metric([_release()], 1)
        yield build


def _counters(readings: Readings) -> Iterator[Metric]:
    events = CounterMetricFamily("dms_events", "Events by what became of them.", labels=["type", "outcome"])
    # What an alert looks for begins at zero: a counter that is born with its first event has not increased.
    for (type_, outcome), count in sorted({("", "unreadable"): 0, **readings.events}.items()):
        events.add_metric([type_, outcome], count)
    yield events
    measures = CounterMetricFamily(
        "dms_measures", "Commands by what became of them.", labels=["kind", "target", "outcome"]
    )
    for (kind, target, outcome), count in sorted(readings.measures.items()):
        measures.add_metric([kind, target, outcome], count)
    yield measures
    yield CounterMetricFamily(
        "dms_restores_overdue", "Services not given back in time after the cure.", readings.restores_overdue
    )
    yield CounterMetricFamily(
        "dms_attributes_ignored", "Attributes that the policy does not declare.", readings.attributes_ignored
    )
    yield CounterMetricFamily(
        "dms_conditions_failed", "Rules that failed and counted as false.", readings.conditions_failed
    )
    yield CounterMetricFamily("dms_turns_failed", "Turns after which the engine began again.", readings.restarts)
    yield CounterMetricFamily(
        "dms_publish_failures", "Times that committed events could not leave.", readings.publish_failures
    )


def _gauges(readings: Readings) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "dms_timer_lag_seconds", "How long the earliest timer is overdue.", readings.timer_lag_seconds
    )
    yield GaugeMetricFamily(
        "dms_outbox_pending", "Events that are committed and have not left.", readings.outbox_pending
    )
    yield GaugeMetricFamily(
        "dms_outbox_oldest_seconds", "How long the first of them has waited.", readings.outbox_oldest_seconds
    )
    yield GaugeMetricFamily("dms_profiles_active", "Profiles in memory.", readings.profiles_active)
    yield GaugeMetricFamily("dms_shards_owned", "Shards that this node works.", readings.shards_owned)
    yield GaugeMetricFamily("dms_breakers_blown", "Breakers that hold commands back.", len(readings.breakers_blown))


def _histogram(name: str, said: str, spread: SpreadReading) -> Metric:
    """Counts are cumulative there; of a copy they are consistent, whatever is added meanwhile."""
    bounds = [*(str(bound) for bound in spread.bounds), "+Inf"]
    buckets = list(zip(bounds, map(float, accumulate(spread.counts)), strict=True))
    return HistogramMetricFamily(name, said, buckets=buckets, sum_value=spread.total)


def _release() -> str:
    try:
        return version("dms")
    except PackageNotFoundError:
        return "unknown"
