"""Counters of the service, in the text format of Prometheus."""

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
IMAGES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """One registry for each service, so that two in one process do not mix."""

    content_type: Final = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "eoltag_requests", "Requests to /classify, and whatever was refused.", ["outcome"], registry=self._registry
        )
        self._images = Counter("eoltag_images", "Images by outcome.", ["outcome"], registry=self._registry)
        self._seconds = Histogram(
            "eoltag_request_seconds",
            "From a request's head to its answer, uploading included.",
            registry=self._registry,
            buckets=SECONDS,
        )
        self._batches = Histogram(
            "eoltag_batch_images", "Images scored together.", registry=self._registry, buckets=IMAGES
        )
        self.requests = 0
        self.images = 0

    def describe(self, **facts: str) -> None:
        """Adds facts about the model that is served."""
        Info("eoltag_model", "The model that is served.", registry=self._registry).info(facts)

    def add_gauge(self, name: str, about: str, read: Callable[[], float]) -> None:
        """Adds a gauge, read whenever /metrics is requested."""
        Gauge(name, about, registry=self._registry).set_function(read)

    def request(self, outcome: str, seconds: float | None = None) -> None:
        """Counts one request. outcome: `ok`, `partial`, or the reason why it was refused."""
        self.requests += 1
        self._requests.labels(outcome).inc()
        if seconds is not None:
            self._seconds.observe(seconds)

    def image(self, outcome: str) -> None:
        """Counts one image."""
        self.images += 1
        self._images.labels(outcome).inc()

    def batch(self, count: int) -> None:
        """Counts one batch of so many images."""
        self._batches.observe(count)

    def text(self) -> bytes:
        """All counters as text."""
        return generate_latest(self._registry)
