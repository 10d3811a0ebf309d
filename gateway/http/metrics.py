"""Prometheus metrics of the HTTP edge, one registry per application, and the page that shows all there are.

A route is always its template (`/users/{id}`), never the path of a request: labels must not grow with what clients
send.

With several worker processes a scrape reaches any one of them. `mandate serve --workers N` therefore sets
PROMETHEUS_MULTIPROC_DIR to an empty directory before it starts them; prometheus-client then keeps every value in
files there, and each worker answers for all. The parent calls `worker_ended` for a worker that is gone, so that its
gauges disappear while its counters stay.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from hmac import compare_digest
from ipaddress import ip_address
from typing import Any

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.values import MutexValue, ValueClass
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from gateway.http.errors import MetricsForbidden
from gateway.http.open_routes import open_to_all
from modules.shared.errors import Unauthenticated

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "WEBSOCKET"})
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SIGNS_OF_A_PROXY = ("forwarded", "x-forwarded-for", "x-real-ip", "via")

OTHER = "other"
"""The route of a request that no route takes, and the method nobody knows."""


class HttpMetrics:
    """The metrics of one application. `registry` takes further ones (gateway.system.metrics)."""

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "http_requests_total", "Requests answered.", ("method", "route", "status"), registry=self.registry
        )
        self._duration = Histogram(
            "http_request_duration_seconds",
            "Time to the end of the answer.",
            ("route",),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        in_progress = Gauge(
            "http_requests_in_progress", "Requests being answered.", registry=self.registry, multiprocess_mode="livesum"
        )
        self.begin, self.end = in_progress.inc, in_progress.dec
        build = Gauge(
            "mandate_build",
            "Always 1; the version is the label.",
            ("version",),
            registry=self.registry,
            multiprocess_mode="max",
        )
        build.labels(version).set(1)
        self._refusals = Counter("mandate_refusals", "Problems answered.", ("code",), registry=self.registry)
        self._readings: list[Callable[[], Awaitable[None]]] = []
        self._children: dict[tuple[str, str, int], Callable[[], None]] = {}
        self._observers: dict[str, Callable[[float], None]] = {}

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request. WebSockets have no duration: they last as long as somebody watches."""
        method = method if method in _METHODS else OTHER
        key = (method, route, status)
        increase = self._children.get(key)
        if increase is None:
            increase = self._children[key] = self._requests.labels(method, route, str(status)).inc
        increase()
        if method != "WEBSOCKET":
            observe = self._observers.get(route)
            if observe is None:
                observe = self._observers[route] = self._duration.labels(route).observe
            observe(seconds)

    def refused(self, code: str) -> None:
        """Count one problem document."""
        self._refusals.labels(code).inc()

    @contextmanager
    def read_by(self, reading: Callable[[], Awaitable[None]]) -> Iterator[None]:
        """Have `reading` bring its gauges up to date before each scrape, for as long as the block runs."""
        self._readings.append(reading)
        try:
            yield
        finally:
            self._readings.remove(reading)

    async def read(self) -> None:
        """Bring every gauge up to date."""
        for reading in self._readings:
            await reading()

    def render(self) -> bytes:
        """Everything in Prometheus' text format, over all worker processes."""
        if not of_several_processes():
            return generate_latest(self.registry)
        everyone = CollectorRegistry()
        MultiProcessCollector(everyone)  # type: ignore[no-untyped-call]
        return generate_latest(everyone)


def of_several_processes() -> bool:
    """Whether values are kept in files for all processes; prometheus-client settles it when it is imported."""
    return ValueClass is not MutexValue


def worker_ended(pid: int) -> None:
    """Forget the gauges of a worker process that ended."""
    mark_process_dead(pid)  # type: ignore[no-untyped-call]


def route_template(scope: Scope) -> str:
    """The path template of the route that took the request, with the prefixes it was included under."""
    context = scope.get("fastapi", {}).get("effective_route_context")
    route: Any = (context.starlette_route or context) if context is not None else scope.get("route")
    template = getattr(route, "path_format", None) or getattr(route, "path", None)
    return template if isinstance(template, str) and template else OTHER


def metrics_router(metrics: HttpMetrics, token: str | None) -> APIRouter:
    """`GET /metrics`: with a token by Bearer, without one only from this machine and not through a proxy on it."""
    router = APIRouter(
        dependencies=[open_to_all("guarded by its own token, or for this machine only")], include_in_schema=False
    )

    @router.get("/metrics")
    async def show_metrics(request: Request) -> Response:
        _admit(request, token)
        await metrics.read()
        return Response(metrics.render(), media_type=CONTENT_TYPE_LATEST)

    return router


def _admit(request: Request, token: str | None) -> None:
    if token is None:
        if not _is_local(request):
            raise MetricsForbidden
        return
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not compare_digest(given.strip().encode(), token.encode()):
        raise Unauthenticated


def _is_local(request: Request) -> bool:
    if request.client is None or any(name in request.headers for name in _SIGNS_OF_A_PROXY):
        return False
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        return False
