"""What each service counts for Prometheus.

Law: labels have few values: routes and steps by name, never ids.
"""

from __future__ import annotations

import os
from typing import Protocol

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"
"""Set by a service that forks, before this module is imported: its processes count together."""

REQUEST_SECONDS = (0.005, 0.025, 0.1, 0.5, 2.5, 15.0)
STEP_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300)


class StepSeen(Protocol):
    """A step that was done: what the engine's runner reports to its observer."""

    @property
    def workflow(self) -> str: ...
    @property
    def step(self) -> str: ...
    @property
    def outcome(self) -> str: ...
    @property
    def seconds(self) -> float: ...


class Metrics:
    """The counters of one process; made once in `main` and passed down.

    Services that share a process share one of these.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        # prometheus_client does not support such collectors where several processes count together.
        if MULTIPROCESS not in os.environ:
            ProcessCollector(registry=self.registry)
            PlatformCollector(registry=self.registry)
        self._of_api()
        self._of_operations()
        self._of_conductor()

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer of the API. `route` is the pattern, so that there are not too many."""
        key = (method, route, status)
        # labels() makes strings and takes a lock; this is in the way of every request.
        counter = self._counters.get(key)
        if counter is None:
            counter = self._counters[key] = self._requests.labels(method, route, str(status))
            self._histograms.setdefault(method, self._request_seconds.labels(method))
        counter.inc()
        self._histograms[method].observe(seconds)

    def observe_step(self, seen: StepSeen) -> None:
        """To be given to the engine's runner as its observer."""
        self._steps.labels(seen.workflow, seen.step, seen.outcome).inc()
        self._step_seconds.labels(seen.workflow, seen.step).observe(seen.seconds)

    def exposition(self) -> tuple[bytes, str]:
        """The body of /metrics and its content type.

        What this process has counted; where several serve one port, what all of them have.
        """
        shown = self.registry
        if MULTIPROCESS in os.environ:
            # A registry of its own for every scrape, as prometheus_client wants it: in ours, what
            # this process has counted would stand twice.
            shown = CollectorRegistry()
            MultiProcessCollector(shown)  # type: ignore[no-untyped-call]
        return generate_latest(shown), CONTENT_TYPE_LATEST

    def _of_api(self) -> None:
        self._requests = self._counter(
            "trove_api_requests", "Requests that were answered.", "method", "route", "status"
        )
        self._request_seconds = self._histogram(
            "trove_api_request_seconds",
            "Time from a request to the end of its answer.",
            REQUEST_SECONDS,
            "method",
        )
        self._counters: dict[tuple[str, str, int], Counter] = {}
        self._histograms: dict[str, Histogram] = {}

    def _of_operations(self) -> None:
        self._steps = self._counter(
            "trove_steps",
            "Steps of operations: done, waiting (to be looked at again) or failed.",
            *("workflow", "step", "outcome"),
        )
        self._step_seconds = self._histogram(
            "trove_step_seconds", "Seconds that a step took.", STEP_SECONDS, "workflow", "step"
        )

    def _of_conductor(self) -> None:
        self.calls = self._counter(
            "trove_conductor_calls", "Calls of agents by their HTTP status.", "call", "status"
        )
        self.results = self._counter(
            "trove_conductor_results", "Answers to tasks that agents brought.", "outcome"
        )
        self.orders = self._counter(
            "trove_conductor_orders", "Tasks given to agents, repetitions counted."
        )
        self.held = Gauge(
            "trove_conductor_held_calls",
            "Calls that are held open while there is no task.",
            registry=self.registry,
            # Of processes that live: what a dead one held is held no more.
            multiprocess_mode="livesum",
        )

    def _counter(self, name: str, what: str, *labels: str) -> Counter:
        return Counter(name, what, labels, registry=self.registry)

    def _histogram(
        self, name: str, what: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(name, what, labels, buckets=buckets, registry=self.registry)
