"""What Prometheus may scrape: this process's requests, and the store's numbers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

from crony.model.state import ScheduleState
from crony.storage.contract import Stats

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The numbers of one process."""

    def __init__(
        self, *, waiting: Callable[[], int], hears_all: Callable[[], bool]
    ) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "crony_requests",
            "Requests answered.",
            ["operation", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "crony_request_seconds",
            "How long requests took; long polls apart.",
            ["operation"],
            registry=self._registry,
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5),
        )
        self._counted: dict[tuple[str, int], Counter] = {}
        self._timed: dict[str, Histogram] = {}
        polls = Gauge(
            "crony_waiting_polls",
            "Workers that wait for runs at this process.",
            registry=self._registry,
        )
        polls.set_function(lambda: float(waiting()))
        news = Gauge(
            "crony_hears_all",
            "Whether the news of all other processes arrive; else it looks for them.",
            registry=self._registry,
        )
        news.set_function(lambda: float(hears_all()))

    def count(self, operation: str, status: int, took: timedelta | None) -> None:
        """Count one answered request."""
        # PERF: to look them up by their labels takes as long as all else here.
        counted = self._counted.get((operation, status))
        if counted is None:
            counted = self._requests.labels(operation, str(status))
            self._counted[operation, status] = counted
        counted.inc()
        if took is not None:
            timed = self._timed.get(operation)
            if timed is None:
                timed = self._timed[operation] = self._seconds.labels(operation)
            timed.observe(took.total_seconds())

    def exposed(self, stats: Stats, *, now: datetime, whole: bool) -> bytes:
        """Return the numbers as text; only ``whole`` has those of the process.

        The process serves all tenants, so its own numbers are for an admin.
        """
        store = generate_latest(_of_store(stats, now))
        return (generate_latest(self._registry) + store) if whole else store


def _of_store(stats: Stats, now: datetime) -> CollectorRegistry:
    registry = CollectorRegistry()
    schedules = Gauge(
        "crony_schedules", "Schedules by state.", ["state"], registry=registry
    )
    for state in ScheduleState:
        schedules.labels(state.value).set(stats.schedules.get(state, 0))
    runs = Gauge("crony_runs", "Runs that are not over.", ["state"], registry=registry)
    runs.labels("pending").set(stats.pending)
    runs.labels("leased").set(stats.leased)
    runs.labels("running").set(stats.running)
    slots = Gauge("crony_slots", "Slots of workers.", ["use"], registry=registry)
    slots.labels("all").set(stats.slots)
    slots.labels("used").set(stats.slots_used)
    late = Gauge(
        "crony_oldest_lateness_seconds",
        "How late the oldest pending run is.",
        registry=registry,
    )
    if stats.oldest_due is not None:
        late.set(max(0.0, (now - stats.oldest_due).total_seconds()))
    queues = Gauge(
        "crony_queue_runs",
        "Runs that are not over, by queue.",
        ["queue", "state"],
        registry=registry,
    )
    for line in stats.queues:
        queues.labels(line.queue, "pending").set(line.pending)
        queues.labels(line.queue, "leased").set(line.leased)
        queues.labels(line.queue, "running").set(line.running)
    return registry
