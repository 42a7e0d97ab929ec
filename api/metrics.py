"""`/metrics`: how runs, files, marts and requests are doing, for Prometheus."""

import platform
import time
from importlib.metadata import version

from flask import Blueprint, Response, g, request
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from api.database_metrics import DatabaseMetrics

blueprint = Blueprint("metrics", __name__)
disable_created_metrics()  # type: ignore[no-untyped-call]
_REGISTRY = CollectorRegistry()
_REGISTRY.register(DatabaseMetrics())
ProcessCollector(registry=_REGISTRY)
_REQUESTS = Counter(
    "elute_http_requests",
    "Requests answered since this process started.",
    ("method", "route", "status"),
    registry=_REGISTRY,
)
_SECONDS = Histogram(
    "elute_http_request_seconds",
    "From the arrival of a request to the beginning of its answer.",
    ("route",),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60),
    registry=_REGISTRY,
)
_BUILD_INFO = Gauge(
    "elute_build_info", "What is running.", ("version", "dbt", "python"), registry=_REGISTRY
)
_BUILD_INFO.labels(version("elute"), version("dbt-core"), platform.python_version()).set(1)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})


@blueprint.get("/metrics")
def metrics() -> Response:
    """Everything that is measured; of the database's part only `elute_database_up` without one."""
    return Response(
        generate_latest(_REGISTRY),
        content_type=CONTENT_TYPE_LATEST,
        headers={"Cache-Control": "no-store"},
    )


@blueprint.after_app_request
def note(response: Response) -> Response:
    """Count a request, by its route and not by its path: anybody can make up paths."""
    route = request.url_rule.rule if request.url_rule else "none"
    method = request.method if request.method in _METHODS else "other"
    _REQUESTS.labels(method, route, response.status_code).inc()
    _SECONDS.labels(route).observe(time.perf_counter() - g.arrived_at)
    return response
