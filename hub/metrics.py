"""What we count, in Prometheus's words. One registry per node, so two nodes fit in one process.

Labels take few values by design: codes and kinds, never ids, names or addresses.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_EXCHANGE_S: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The counters of one node."""

    def __init__(self) -> None:
        self.registry: Final = CollectorRegistry()
        self.sealed: Final = self._counter("messages_sealed", "put into the outbox", "type")
        self.sent: Final = self._counter("messages_sent", "handed to a peer, receipt held")
        self.received: Final = self._counter("messages_received", "stored in the inbox", "type")
        self.applied: Final = self._counter("messages_applied", "processed by an action", "type")
        self.rejected: Final = self._counter("messages_rejected", "authentic, refused", "code")
        self.parked: Final = self._counter("messages_parked", "put aside for a person", "code")
        self.attempts: Final = self._counter(
            "delivery_attempts", "tries to deliver a batch", "outcome"
        )
        self.exchange_seconds: Final = self._histogram(
            "delivery_exchange_seconds", "one try, request to receipt", _EXCHANGE_S
        )
        self.refused: Final = self._counter("requests_refused", "at a door", "door", "code")
        self.suspicions: Final = self._counter(
            "suspicions", "refusals by what they look like", "kind"
        )
        self.queue_depth: Final = self._gauge("queue_depth", "rows waiting", "queue")
        self.queue_oldest_seconds: Final = self._gauge(
            "queue_oldest_seconds", "age of the oldest waiting row", "queue"
        )
        self.database_conflicts: Final = self._counter(
            "database_conflicts", "transactions run again for the sake of another"
        )
        self.http_requests: Final = self._counter(
            "http_requests", "answered", "door", "method", "status"
        )

    def render(self) -> bytes:
        """Everything as Prometheus text; serve it as CONTENT_TYPE."""
        return generate_latest(self.registry)

    def _counter(self, name: str, what: str, *labels: str) -> Counter:
        return Counter(name, what, labels, namespace="hub", registry=self.registry)

    def _gauge(self, name: str, what: str, *labels: str) -> Gauge:
        return Gauge(name, what, labels, namespace="hub", registry=self.registry)

    def _histogram(
        self, name: str, what: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(
            name, what, labels, namespace="hub", registry=self.registry, buckets=buckets
        )
