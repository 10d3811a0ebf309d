"""A host application with a slow route, served as `mandate serve` serves: for tests of stopping and of several
processes.

python -m tests.support.slow_host
"""

import asyncio
import os

from fastapi import FastAPI

from gateway.app import Gateway
from gateway.commands.serving import run_server
from gateway.http.open_routes import open_to_all
from gateway.settings import Settings


def build(gateway: Gateway) -> FastAPI:
    app = FastAPI()
    gateway.mount(app)

    @app.get("/slow", dependencies=[open_to_all("of a test")])
    async def answer_slowly(seconds: float) -> dict[str, int]:
        await asyncio.sleep(seconds)
        return {"pid": os.getpid()}

    @app.get("/pid", dependencies=[open_to_all("of a test")])
    async def tell_process() -> dict[str, int]:
        return {"pid": os.getpid()}

    return app


if __name__ == "__main__":
    run_server(Settings.load(None, environment=os.environ, overrides={}), build=build)
