"""Whether this process lives, and whether it should get requests.

`/health/live` asks nothing of anybody: a process that answers it is not to be restarted. `/health/ready` asks every
check at once, each with a deadline; one that fails takes the process out of the load balancer without ending it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response
from structlog import get_logger

from gateway.http.open_routes import open_to_all

Check = Callable[[], Awaitable[None]]
"""Returns when its part is ready. NotReady with the reason, any other exception and a late answer count as no."""

DEADLINE = 2.0


class NotReady(Exception):
    """A part is not ready; the text says why, for the log."""


class Readiness:
    """The checks of one application (database, migration level, …) and its own will to go on: after `drain` it is not
    ready any more.
    """

    def __init__(self, checks: Mapping[str, Check] | None = None, deadline: float = DEADLINE) -> None:
        self._checks = dict(checks or {})
        self._deadline = deadline
        self._draining = False
        self._reasons: dict[str, str | None] = {}

    def add(self, name: str, check: Check) -> None:
        """Ask `check` too, under `name`."""
        self._checks[name] = check

    def drain(self) -> None:
        """The process is about to stop: new requests should go elsewhere, those begun are finished."""
        self._draining = True

    async def ask(self) -> dict[str, bool]:
        """Every check and its answer."""
        answers = await asyncio.gather(*(self._ask(name, check) for name, check in self._checks.items()))
        return {"serving": not self._draining, **dict(zip(self._checks, answers, strict=True))}

    async def _ask(self, name: str, check: Check) -> bool:
        reason = None
        try:
            async with asyncio.timeout(self._deadline):
                await check()
        except NotReady as error:
            reason = str(error)
        except Exception as error:  # noqa: BLE001  # whatever keeps a part from answering, the answer is "not ready"
            reason = type(error).__name__  # its text may hold addresses and passwords
        self._log_change(name, reason)
        return reason is None

    def _log_change(self, name: str, reason: str | None) -> None:
        """A load balancer asks every few seconds: a part that stays as it was is not worth a line each time."""
        if reason == self._reasons.get(name):
            return
        self._reasons[name] = reason
        log = get_logger("gateway.health")
        if reason is None:
            log.info("check_passes_again", check=name)
        else:
            log.warning("check_failed", check=name, reason=reason)


def health_router(readiness: Readiness) -> APIRouter:
    """`GET /health/live` and `GET /health/ready`."""
    router = APIRouter(
        prefix="/health", tags=["operations"], dependencies=[open_to_all("asked by load balancers; names no secret")]
    )

    @router.get("/live", operation_id="get_liveness")
    async def get_liveness() -> Response:
        """Whether the process answers at all."""
        return JSONResponse({"status": "live"})

    @router.get("/ready", operation_id="get_readiness")
    async def get_readiness() -> Response:
        """Whether the process should get requests; 503 names the check that failed."""
        checks = await readiness.ask()
        is_ready = all(checks.values())
        words = {name: "ok" if ok else "failed" for name, ok in checks.items()}
        headers = None if is_ready else {"Retry-After": "5"}
        return JSONResponse(
            {"status": "ready" if is_ready else "not ready", "checks": words}, 200 if is_ready else 503, headers
        )

    return router
