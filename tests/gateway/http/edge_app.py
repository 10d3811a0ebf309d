"""An application behind the real edge, with routes that do what routes can do to it, and ways to call it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI, Request
import httpx
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Message, Scope

from gateway.http.edge_policy import EdgePolicy
from gateway.http.error_handlers import install
from gateway.http.metrics import HttpMetrics
from gateway.http.middleware import Edge
from gateway.http.problems import Problems
from modules.shared.client_address import TrustedProxies
from modules.shared.rate_limits import RouteLimits
from modules.shared.wire import StorableText, WireModel

PUBLIC_URL = "https://gateway.example"
SPA = "https://spa.example"
COOKIE = {"cookie": "__Host-auth_token=secret"}
OWN_PAGE = {"sec-fetch-site": "same-origin", "x-requested-with": "console"}


class Note(WireModel):
    text: str
    tags: list[str] = Field(default_factory=list)
    free: dict[str, Any] = Field(default_factory=dict)


def edge_app(policy: EdgePolicy | None = None, *, limit: str | None = None, router: APIRouter | None = None) -> FastAPI:
    """The routes below `/api/v1` are ours, those below `/host` a host application's when the policy says so."""
    policy = policy or EdgePolicy(PUBLIC_URL, allowed_origins=(SPA,))
    app = FastAPI(docs_url=None, redoc_url=None)
    problems = Problems(policy.public_url)
    limits = RouteLimits(limit or "1000000/minute", TrustedProxies(policy.trusted_proxies))
    install(app, problems, policy.owns, limits)
    app.add_middleware(
        Edge, policy=policy, problems=problems, metrics=HttpMetrics("1.2.3"), route_limits=limits if limit else None
    )
    app.include_router(_routes(), prefix="/api/v1")
    app.include_router(_routes(), prefix="/host")
    if router is not None:
        app.include_router(router)
    return app


def _routes() -> APIRouter:  # noqa: C901  # a list of small routes, not one thing
    router = APIRouter()

    @router.get("/read")
    async def read(request: Request, q: StorableText = "") -> dict[str, str]:
        return {"request_id": request.state.request_id, "client": request.state.client_address, "q": q}

    @router.post("/write")
    async def write(note: Note) -> dict[str, str]:
        return {"text": note.text}

    @router.post("/plain")
    async def plain(request: Request) -> dict[str, int]:
        return {"length": len(await request.body())}

    @router.get("/public")
    async def public_answer() -> Response:
        return JSONResponse({}, headers={"Cache-Control": "public, max-age=60"})

    @router.get("/framed")
    async def framed() -> Response:
        return JSONResponse({}, headers={"Content-Security-Policy": "default-src 'self'"})

    @router.get("/broken")
    async def broken() -> None:
        raise RuntimeError("the password is swordfish")

    @router.get("/broken-stream")
    async def broken_stream() -> Response:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"begun"
            raise RuntimeError("in the middle")

        return StreamingResponse(chunks())

    @router.get("/teapot")
    async def teapot() -> None:
        raise HTTPException(418, "short and stout", {"X-Spout": "yes"})

    @router.get("/items/{item_id}")
    async def item(item_id: int) -> dict[str, int]:
        return {"item_id": item_id}

    return router


def raising(error: Exception) -> FastAPI:
    """An application whose `/api/v1/raise` raises `error`."""
    router = APIRouter()

    @router.get("/api/v1/raise")
    async def fail() -> None:
        raise error

    return edge_app(router=router)


@asynccontextmanager
async def calling(
    app: FastAPI, base_url: str = PUBLIC_URL, peer: str = "203.0.113.7"
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of `app`, which like a server keeps what escapes the application to itself."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(peer, 4711))
    async with httpx.AsyncClient(transport=transport, base_url=base_url) as client:
        yield client


def scope_of(
    path: str, *, method: str = "GET", kind: str = "http", headers: list[tuple[bytes, bytes]] | None = None
) -> Scope:
    """A raw ASGI scope, for what no client library would send."""
    return {
        "type": kind,
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "https",
        "path": path,
        "raw_path": path.encode("utf-8", "replace"),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"gateway.example"), *(headers or [])],
        "client": ("203.0.113.7", 4711),
        "server": ("gateway.example", 443),
        "state": {},
    }


async def run_raw(app: FastAPI, scope: Scope, *incoming: Message) -> list[Message]:
    """Call `app` with a raw scope and these messages; what it sent. Raises what a server would see."""
    waiting = [*incoming, {"type": "http.disconnect"}]
    sent: list[Message] = []

    async def receive() -> Message:
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


def metrics_of(app: FastAPI) -> HttpMetrics:
    """What the edge of `app` counts into."""
    metrics = app.user_middleware[0].kwargs["metrics"]
    assert isinstance(metrics, HttpMetrics)
    return metrics
