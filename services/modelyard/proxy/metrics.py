"""The proxy's metrics.

modelyard_predictions_total{deployment, method, code}
modelyard_prediction_seconds{deployment, method}
modelyard_predictions_in_flight
modelyard_prediction_retries_total{deployment}
modelyard_routes, modelyard_route_revision
"""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from modelyard.proxy.domain import RouteTable

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_Series = tuple[Callable[[], None], Callable[[float], None]]


class PredictionMetrics:
    """`deployment` is "" for what never got as far as a deployment that exists, so that callers cannot make series."""

    def __init__(self, registry: CollectorRegistry, in_flight: Callable[[], float]) -> None:
        self._ended = Counter(
            "modelyard_predictions", "Predictions that ended.", ["deployment", "method", "code"], registry=registry
        )
        self._seconds = Histogram(
            "modelyard_prediction_seconds",
            "Time from the request's head to the answer.",
            ["deployment", "method"],
            registry=registry,
            buckets=_BUCKETS,
        )
        gauge = Gauge("modelyard_predictions_in_flight", "Predictions being answered.", registry=registry)
        gauge.set_function(in_flight)
        self._retries = Counter(
            "modelyard_prediction_retries",
            "Predictions sent to a second model server.",
            ["deployment"],
            registry=registry,
        )
        self._routes = Gauge("modelyard_routes", "Deployments in the route table.", registry=registry)
        self._revision = Gauge("modelyard_route_revision", "Revision of the route table.", registry=registry)
        self._series: dict[tuple[str, str, str], _Series] = {}

    def ended(self, deployment: str, method: str, code: str, seconds: float) -> None:
        key = (deployment, method, code)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = (
                self._ended.labels(*key).inc,
                self._seconds.labels(deployment, method).observe,
            )
        count, observe = series
        count()
        observe(seconds)

    def retried(self, deployment: str) -> None:
        self._retries.labels(deployment).inc()

    def table(self, table: RouteTable) -> None:
        self._routes.set(len(table.routes))
        self._revision.set(table.revision)
