"""What Prometheus reads: numbers of the head-end, the lake and the API; nothing of a person, a meter or an address."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from meterweave.headend import Counters

if TYPE_CHECKING:
    from meterweave.api.state import Api

MEDIA = "text/plain; version=0.0.4; charset=utf-8"
NOW = frozenset({"connections", "terminals_online"})
"""Counters of the head-end that hold now, and go down too."""

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Counts requests, and gathers what others count when it is asked."""

    def __init__(self, api: Api) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "meterweave_api_requests", "Requests answered.", ("method", "route", "status"), registry=self._registry
        )
        self._took = Histogram(
            "meterweave_api_request_seconds",
            "From the request to the end of its answer.",
            ("route",),
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._registry.register(_Parts(api))

    def request(self, method: str, route: str, status: int, took_s: float) -> None:
        """Count one request; `route` is a pattern, of which there are few."""
        self._requests.labels(method, route, str(status)).inc()
        self._took.labels(route).observe(took_s)

    def text(self) -> bytes:
        """All of it, in the text format of Prometheus."""
        return generate_latest(self._registry)


class _Parts(Collector):
    """Head-end, lake and the API's own queues, as they are now."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def collect(self) -> Iterator[Metric]:
        yield from self._head_end()
        yield from self._lake()
        api = self._api
        yield GaugeMetricFamily("meterweave_api_live_streams", "Live streams open.", len(api.live))
        yield CounterMetricFamily("meterweave_api_live_missed", "Live streams ended for slowness.", api.live.missed)
        yield GaugeMetricFamily("meterweave_api_waiting", "Requests that wait for a thread.", api.work.waiting)

    def _head_end(self) -> Iterator[Metric]:
        if self._api.collecting is None:
            return
        counters = self._api.collecting.counters
        for field in fields(Counters):
            kind = GaugeMetricFamily if field.name in NOW else CounterMetricFamily
            words = field.name.replace("_", " ")
            yield kind(f"meterweave_head_end_{field.name}", f"Head-end: {words}.", getattr(counters, field.name))

    def _lake(self) -> Iterator[Metric]:
        if self._api.collecting is None:  # opened for questions only: another process writes
            return
        status = self._api.lake.status()
        writer, committer = status.writer, status.committer
        gauges = {
            "journal_rows_waiting": ("Rows that wait to be written.", writer.rows_waiting),
            "journal_rows_held": ("Rows the journal holds and the lake does not have yet.", writer.rows_held),
            "journal_octets_held": ("Their size in octets.", writer.octets_held),
            "lake_failing": ("1 while the lake cannot be written.", int(committer.failing_since is not None)),
        }
        for name, (words, value) in gauges.items():
            yield GaugeMetricFamily(f"meterweave_{name}", words, value)
        counts = {
            "journal_rows": ("Rows on disk since the start.", writer.rows),
            "journal_refused": ("Callers told that their rows were not kept.", writer.refused),
            "lake_rows": ("Rows carried into the lake since the start.", committer.rows),
        }
        for name, (words, value) in counts.items():
            yield CounterMetricFamily(f"meterweave_{name}", words, value)
