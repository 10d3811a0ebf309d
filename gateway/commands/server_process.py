"""One server process: the application on sockets that are open already, until it is told to stop.

Told to stop, it is first not ready any more (`/health/ready`), takes requests for the notice a load balancer needs,
finishes those it has, and ends. A process that was started by another one also ends with it, however that one ended.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
import math
import multiprocessing
from multiprocessing.connection import wait
import os
import signal
from socket import socket
from threading import Thread
from types import FrameType

from fastapi import FastAPI
import uvicorn

from gateway.app import Gateway
from gateway.settings import Settings
from modules.shared.database import DatabaseUrls
from modules.shared.logging import configure_logging

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a server process serves. Travels to processes started by others, so everything in it can be pickled."""

    settings: Settings
    urls: DatabaseUrls
    build: Callable[[Gateway], FastAPI]


class DrainingServer(uvicorn.Server):
    """uvicorn's server, which tells that it is about to stop before it does, and leaves the process to its caller."""

    def __init__(self, config: uvicorn.Config, gateway: Gateway) -> None:
        super().__init__(config)
        self._gateway = gateway
        self._leaving = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Leave, after the notice; a second signal does not wait for it, and a second Ctrl+C for nothing."""
        if self._leaving:
            super().handle_exit(sig, frame)
            return
        self._leaving = True
        self._gateway.readiness.drain()
        notice = self._gateway.settings.http.drain_notice.total_seconds()
        asyncio.get_running_loop().call_later(notice, super().handle_exit, sig, frame)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Hear signals in the loop. uvicorn's own way raises them again at the end, which would cut off our callers."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)


async def serve(plan: Plan, sockets: list[socket]) -> None:
    """Serve until told to stop. Ends the process with uvicorn's STARTUP_FAILURE when the application does not start."""
    gateway = Gateway(plan.settings, plan.urls)
    config = uvicorn.Config(
        plan.build(gateway),
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # the edge knows whom to trust
        server_header=False,
        timeout_graceful_shutdown=math.ceil(plan.settings.http.drain_timeout.total_seconds()),
    )
    await DrainingServer(config, gateway).serve(sockets)


def serve_as_child(plan: Plan, sockets: list[socket]) -> None:
    """What a process started by another one does, from its beginning to its end."""
    _end_with_parent()
    configure_logging(plan.settings.logging)
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(serve(plan, sockets))


def new_loop() -> asyncio.AbstractEventLoop:
    """The fastest loop installed."""
    factory = uvicorn.Config("", log_config=None).get_loop_factory()
    return factory() if factory else asyncio.new_event_loop()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        Thread(target=_await_end, args=(parent.sentinel,), name="parent watch", daemon=True).start()


def _await_end(sentinel: int) -> None:
    wait([sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
