"""The edge every request passes first: one plain ASGI class, no I/O, a few microseconds.

In this order: request id, deadline, host, malformed headers, preflight, CSRF, body type and size, default rate limit;
on the way back security headers, caching, CORS, metrics and one line in the access log. It also wraps a host's
application; what concerns only answers of ours (content policy, caching, body types) is limited to `own_prefixes`.
Whatever escapes the application is answered with 500 and a request id, and logged.
"""

from asyncio import CancelledError
from collections.abc import Callable, Iterable
import os
import re
from time import perf_counter
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect
from structlog import get_logger
from structlog.contextvars import bind_contextvars, reset_contextvars

from gateway.http.csrf import CsrfRule
from gateway.http.deadlines import Deadlines
from gateway.http.edge_policy import JSON, EdgePolicy, Hosts, origin_of, security_headers
from gateway.http.errors import (
    CsrfRefused,
    DuplicateHeader,
    LocalOnly,
    OriginNotAllowed,
    OtherMediaTypeRequired,
    TimedOut,
)
from gateway.http.metrics import HttpMetrics, route_template
from gateway.http.problems import Problem, Problems, RawHeaders
from modules.shared.client_address import TrustedProxies
from modules.shared.errors import (
    DomainError,
    MalformedRequest,
    Misdirected,
    PayloadTooLarge,
    UnsupportedMediaType,
)
from modules.shared.logging import AnsweredRequest
from modules.shared.rate_limits import RouteLimits
from modules.shared.settings import is_loopback_host

HEALTH = "/health/"
CLIENT_CLOSED = 499
"""The status noted, in metrics and log only, when the client left before an answer."""

_SINGLE_HEADERS = frozenset(
    {
        b"host", b"authorization", b"content-type", b"content-length", b"origin", b"sec-fetch-site", b"x-mandate-id",
        b"x-instance-id", b"x-device-id", b"x-request-id", b"if-match", b"idempotency-key",
    }
)  # fmt: skip
"""Headers that decide something here or in a handler. Two of one kind could be read differently by two readers."""
_JOINED_HEADERS = {b"cookie": b"; ", b"x-forwarded-for": b","}
_READ_HEADERS = _SINGLE_HEADERS | {
    b"sec-fetch-mode", b"sec-fetch-dest", b"x-requested-with", b"transfer-encoding", b"access-control-request-method",
    b"forwarded",
}  # fmt: skip
_ALLOWED_REQUEST_HEADERS = (
    b"Accept-Language, Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, "
    b"X-Device-Id, X-Instance-Id, X-Mandate-Id, X-Request-Id, X-Requested-With"
)
_EXPOSED_HEADERS = b"Content-Disposition, ETag, Link, Location, Retry-After, WWW-Authenticate, X-Request-Id"
_PRIVATE_VARY = b"Cookie, Authorization, X-Mandate-Id, X-Instance-Id"
_BODYLESS_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_is_request_id = re.compile(rb"[A-Za-z0-9_.-]{1,64}").fullmatch


class Edge:
    """The middleware. Put it outside everything else: `app.add_middleware(Edge, policy=…, problems=…, metrics=…)`.

    `on_refusal` hears of every refusal given here (csrf, rate limit, …), for the audit; it must not block.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        policy: EdgePolicy,
        problems: Problems,
        metrics: HttpMetrics,
        route_limits: RouteLimits | None = None,
        on_refusal: Callable[[DomainError, Scope], None] = lambda _refusal, _scope: None,
    ) -> None:
        self.app = app
        self.policy = policy
        self.problems = problems
        self.metrics = metrics
        self.route_limits = route_limits
        self.on_refusal = on_refusal
        self.proxies = TrustedProxies(policy.trusted_proxies)
        self.hosts = Hosts(policy)
        self.deadlines = Deadlines(policy.request_seconds)
        self.origins = frozenset(origin.encode() for origin in policy.allowed_origins)
        self.csrf = CsrfRule(self.origins | {origin_of(policy.public_url)}, single_user=policy.single_user)
        self.common_headers, self.own_headers = security_headers(policy)
        self.header_names = frozenset(name for name, _ in self.own_headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(self, scope, receive, send)
        context = bind_contextvars(request_id=exchange.request_id)
        try:
            await exchange.run()
        finally:
            reset_contextvars(**context)

    def check(self, exchange: "_Exchange") -> None:
        """Raise the refusal a request deserves before any routing, if it does."""
        scope, headers, path = exchange.scope, exchange.headers, exchange.path
        websocket = scope["type"] == "websocket"
        method = "GET" if websocket else scope["method"]
        health = path.startswith(HEALTH)
        if not health and not self.hosts.serve(headers.get(b"host")):
            raise Misdirected
        if self.policy.local_only and not health and not exchange.comes_from_this_machine():
            raise LocalOnly
        if exchange.duplicate is not None:
            raise DuplicateHeader(
                header=exchange.duplicate.decode("latin-1"), pointer=exchange.duplicate.decode("latin-1")
            )
        if "\0" in path or b"%00" in scope.get("query_string", b""):
            raise MalformedRequest
        if method == "OPTIONS" and b"access-control-request-method" in headers and b"origin" in headers:
            exchange.preflight = self._is_preflight_ours(headers[b"origin"], own=exchange.own)
            if exchange.preflight:
                return
        if not health and self.csrf.refuses(method, path, headers, websocket=websocket):
            raise CsrfRefused
        if method not in _BODYLESS_METHODS or b"content-length" in headers or b"transfer-encoding" in headers:
            self._check_body(exchange, method)
        if self.route_limits is not None and not health:
            self.route_limits.admit(exchange.client)

    def _is_preflight_ours(self, origin: bytes, *, own: bool) -> bool:
        """Preflights of allowed origins are answered here; those of others refused on our paths and left to the host
        on its own.
        """
        if origin in self.origins:
            return True
        if own:
            raise OriginNotAllowed
        return False

    def _check_body(self, exchange: "_Exchange", method: str) -> None:
        headers = exchange.headers
        length = headers.get(b"content-length")
        if length is not None:
            if not length.isdigit() or len(length) > 18:
                raise MalformedRequest(pointer="content-length")
            if int(length) > self.policy.max_body_bytes:
                raise PayloadTooLarge
        exchange.has_body = b"transfer-encoding" in headers or length not in {None, b"0"}
        if exchange.own and exchange.has_body and method not in _BODYLESS_METHODS:
            self._check_media_type(headers.get(b"content-type", b""), exchange.path)

    def _check_media_type(self, content_type: bytes, path: str) -> None:
        """JSON everywhere but on the registered routes: a form another site can post must never be taken for JSON."""
        media_type = content_type.partition(b";")[0].strip().lower()
        expected = self.policy.media_types.get(path, JSON)
        if media_type == expected:
            return
        if expected == JSON:
            raise UnsupportedMediaType(pointer="content-type")
        raise OtherMediaTypeRequired(media_type=expected.decode(), pointer="content-type")


class _Exchange:
    """One request and its answer."""

    __slots__ = (
        "client", "duplicate", "edge", "has_body", "headers", "own", "path", "preflight", "read_bytes", "receive",
        "request_id", "scope", "send", "started", "status", "timed_out",
    )  # fmt: skip

    def __init__(self, edge: Edge, scope: Scope, receive: Receive, send: Send) -> None:
        self.started = perf_counter()
        self.edge = edge
        self.scope = scope
        self.receive = receive
        self.send = send
        self.status = 0
        self.timed_out = False
        self.read_bytes = 0
        self.has_body = False
        self.preflight = False
        self.path: str = _path_of(scope)
        self.own = edge.policy.owns(self.path)
        self.headers, self.duplicate = _read(scope["headers"])
        given = self.headers.get(b"x-request-id")
        self.request_id = given.decode() if given is not None and _is_request_id(given) else os.urandom(12).hex()
        peer = scope.get("client")
        self.client = edge.proxies.client(
            peer[0] if peer else None, self.headers.get(b"x-forwarded-for", b"").decode("latin-1")
        )
        state: dict[str, Any] = scope.setdefault("state", {})
        state["request_id"] = self.request_id
        state["client_address"] = self.client

    def comes_from_this_machine(self) -> bool:
        """Whether a program here connected itself. A proxy here speaks for others, and says so in these headers."""
        peer = self.scope.get("client")
        here = peer is None or is_loopback_host(peer[0])
        return here and b"x-forwarded-for" not in self.headers and b"forwarded" not in self.headers

    async def run(self) -> None:
        """Check, pass on, answer what escapes, count and log."""
        edge = self.edge
        edge.metrics.begin()
        task = edge.deadlines.begin(self)
        try:
            edge.check(self)
            if self.preflight:
                await self._answer_preflight()
            else:
                await edge.app(self.scope, self.counted_receive if self.has_body else self.receive, self.counted_send)
        except DomainError as refusal:
            edge.on_refusal(refusal, self.scope)
            await self._refuse(edge.problems.of(refusal, self.scope))
        except _BodyTooLarge:
            await self._refuse(edge.problems.of(PayloadTooLarge(), self.scope))
        except (ClientDisconnect, WebSocketDisconnect):
            self.status = self.status or CLIENT_CLOSED
        except CancelledError:
            if not self.timed_out or task is None or task.uncancel():
                raise  # the server wants the task to end, too
            get_logger("gateway.http").warning("request_timed_out", path=self.path)
            await self._refuse(edge.problems.of(TimedOut(), self.scope))
        except Exception:  # noqa: BLE001  # nothing may leave the edge unanswered; _fail logs it whole
            await self._fail()
        finally:
            edge.deadlines.end(task)
            edge.metrics.end()
            self._account()

    async def counted_receive(self) -> Message:
        """The body as it comes, until it is more than allowed (a body sent in chunks names no length)."""
        message = await self.receive()
        if message["type"] == "http.request":
            self.read_bytes += len(message.get("body", b""))
            if self.read_bytes > self.edge.policy.max_body_bytes:
                raise _BodyTooLarge
        return message

    async def counted_send(self, message: Message) -> None:
        """The answer, with our headers on it."""
        kind = message["type"]
        if kind in {"http.response.start", "websocket.http.response.start"}:
            self.status = message["status"]
            message["headers"] = self._answer_headers(message.get("headers", ()))
        elif kind == "websocket.accept":
            self.status = 101
        await self.send(message)

    def _answer_headers(self, given: Iterable[tuple[bytes, bytes]]) -> RawHeaders:
        edge = self.edge
        headers = list(given)
        names = {name for name, _ in headers}
        headers.append((b"x-request-id", self.request_id.encode()))
        ours = edge.own_headers if self.own else edge.common_headers
        headers.extend(ours if names.isdisjoint(edge.header_names) else [item for item in ours if item[0] not in names])
        if self.own:
            self._keep_private(headers, names)
        if edge.origins:
            self._allow_origin(headers, names)
        return headers

    def _keep_private(self, headers: RawHeaders, names: set[bytes]) -> None:
        """Answers of ours are for one caller in one mandate. A handler that declares its answer public says it is the
        same for everybody.
        """
        if b"cache-control" not in names:
            headers.append((b"cache-control", b"no-store"))
        elif any(name == b"cache-control" and value.startswith(b"public") for name, value in headers):
            return
        headers.append((b"vary", _PRIVATE_VARY))

    def _allow_origin(self, headers: RawHeaders, names: set[bytes]) -> None:
        origin = self.headers.get(b"origin")
        headers.append((b"vary", b"Origin"))
        if origin in self.edge.origins and b"access-control-allow-origin" not in names:
            headers.append((b"access-control-allow-origin", origin or b""))
            headers.append((b"access-control-allow-credentials", b"true"))
            headers.append((b"access-control-expose-headers", _EXPOSED_HEADERS))

    async def _answer_preflight(self) -> None:
        headers = [
            (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, PATCH, DELETE"),
            (b"access-control-allow-headers", _ALLOWED_REQUEST_HEADERS),
            (b"access-control-max-age", b"600"),
        ]
        await self.counted_send({"type": "http.response.start", "status": 204, "headers": headers})
        await self.counted_send({"type": "http.response.body"})

    async def _fail(self) -> None:
        """A bug. The client gets the request id and nothing else; an answer already begun is cut off, so nobody takes
        it for complete.
        """
        get_logger("gateway.http").exception("unhandled_error", method=self.scope.get("method"), path=self.path)
        if self.status:
            raise AnswerCutOff(self.request_id) from None
        await self._refuse(self.edge.problems.of(DomainError(), self.scope))

    async def _refuse(self, problem: Problem) -> None:
        if self.status:
            raise AnswerCutOff(self.request_id)
        if self.scope["type"] == "http":
            await problem.send(self.counted_send)
        elif "websocket.http.response" in (self.scope.get("extensions") or {}):
            await problem.send_to_websocket(self.counted_send)
        else:
            self.status = problem.status
            await self.send({"type": "websocket.close", "code": 1008, "reason": ""})

    def _account(self) -> None:
        edge, scope = self.edge, self.scope
        seconds = perf_counter() - self.started
        method = scope.get("method", "WEBSOCKET")
        edge.metrics.count(method, route_template(scope), self.status, seconds)
        if self.path.startswith(HEALTH) and self.status == 200:
            return  # a line per probe would bury the rest
        milliseconds = round(seconds * 1000, 2)
        AnsweredRequest(method, self.path, self.status, milliseconds, self.client, self.request_id).log()


class _BodyTooLarge(HTTPException):
    """Passes through FastAPI's body reading, which turns every other exception into 400."""

    def __init__(self) -> None:
        super().__init__(413)


class AnswerCutOff(Exception):
    """Tells the server to drop the connection; the cause is already in the log."""


def _path_of(scope: Scope) -> str:
    """The path below the application's mount point, as routes see it."""
    path: str = scope["path"]
    root = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(root) else path


def _read(raw: Iterable[tuple[bytes, bytes]]) -> tuple[dict[bytes, bytes], bytes | None]:
    """The headers that decide something, and the name of one that stands twice though it may not."""
    headers: dict[bytes, bytes] = {}
    duplicate = None
    for name, value in raw:
        if name in _READ_HEADERS:
            if name in headers and name in _SINGLE_HEADERS:
                duplicate = name
            headers[name] = value
        elif name in _JOINED_HEADERS:
            headers[name] = headers[name] + _JOINED_HEADERS[name] + value if name in headers else value
    return headers, duplicate
