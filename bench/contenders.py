"""The four applications of the race, each served by uvicorn in one process of its own with the same options.

Every one answers `GET /invoices` with the same few bytes; what they differ in is what they ask before.

    python -m bench.contenders <name> <file descriptor of the listening socket> <installation as JSON>
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
import socket
import sys

import asyncpg
from fastapi import FastAPI
import uvicorn

from bench import naive
from bench.scratch import Installation
from gateway import Gateway, RequestContext, require
from modules.shared.logging import configure_logging

ANSWER = {"answer": "yes"}
CONNECTIONS = 4
PATH = "/invoices"


def bare(_installation: Installation, _origin: str) -> FastAPI:
    """The framework alone."""
    app = FastAPI()

    @app.get(PATH)
    async def list_invoices() -> dict[str, str]:
        return ANSWER

    return app


def select_one(installation: Installation, _origin: str) -> FastAPI:
    """The framework, and one round trip to the database: the floor of anything that asks it."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with asyncpg.create_pool(
            installation.urls.system, min_size=CONNECTIONS, max_size=CONNECTIONS
        ) as app.state.pool:
            yield

    app = FastAPI(lifespan=lifespan)

    @app.get(PATH)
    async def list_invoices() -> dict[str, str]:
        async with app.state.pool.acquire() as connection:
            await connection.fetchval("SELECT 1")  # asyncpg keeps it prepared
        return ANSWER

    return app


def ours(installation: Installation, origin: str) -> FastAPI:
    """The gateway mounted on a host's application, everything on, logging every request as JSON."""
    settings = installation.settings(origin)
    configure_logging(settings.logging)
    app = FastAPI()
    gateway = Gateway(settings)
    gateway.declare_item("invoices", label={"en": "Invoices", "de": "Rechnungen"})

    @app.get(PATH)
    async def list_invoices(_context: RequestContext = require("invoices", "read")) -> dict[str, str]:
        return ANSWER

    gateway.mount(app)
    return app


CONTENDERS: dict[str, Callable[[Installation, str], FastAPI]] = {
    "bare": bare,
    "select_one": select_one,
    "naive": naive.application,
    "ours": ours,
}


def main() -> None:
    """Serve until told to stop."""
    name, descriptor, installation = sys.argv[1], int(sys.argv[2]), Installation.from_json(sys.argv[3])
    with socket.socket(fileno=descriptor) as listening:
        host, port = listening.getsockname()
        config = uvicorn.Config(
            CONTENDERS[name](installation, f"http://{host}:{port}"),
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
        )
        uvicorn.Server(config).run([listening])


if __name__ == "__main__":
    main()
