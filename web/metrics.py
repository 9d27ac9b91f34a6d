"""Figures for Prometheus. With several workers they meet in the folder PROMETHEUS_MULTIPROC_DIR."""

from __future__ import annotations

import os
from time import perf_counter

from flask import Flask, Response, g, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

REQUESTS = Counter("web_requests_total", "HTTP requests answered", ["endpoint", "method", "status"])
SECONDS = Histogram("web_request_seconds", "Time to answer a request, seconds", ["endpoint"])
SOCKETS = Gauge("web_sockets", "Browsers connected live", multiprocess_mode="livesum")


def install(app: Flask) -> None:
    """Count and time every request of `app`."""

    @app.before_request
    def _start() -> None:
        g.started = perf_counter()

    @app.after_request
    def _count(response: Response) -> Response:
        endpoint = request.endpoint or "none"
        REQUESTS.labels(endpoint, request.method, response.status_code).inc()
        if "started" in g:
            SECONDS.labels(endpoint).observe(perf_counter() - g.started)
        return response


def text() -> tuple[bytes, str]:
    """All figures in Prometheus' text form, and its content type."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(), CONTENT_TYPE_LATEST
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library has no types here
    return generate_latest(registry), CONTENT_TYPE_LATEST
