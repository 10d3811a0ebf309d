"""Several server processes on the same sockets: one that dies is replaced, and all end when this one is told to.

The kernel hands each connection to whichever process accepts first. One that cannot start at all ends the whole, since
its successors could not either.
"""

import asyncio
import multiprocessing
from multiprocessing.context import SpawnProcess
import signal
from socket import socket
import time
from typing import Final

import structlog
from uvicorn.config import STARTUP_FAILURE

from gateway.commands.refusals import Refused
from gateway.commands.server_process import Plan, serve_as_child
from gateway.http.metrics import worker_ended

_log = structlog.get_logger(__name__)
_SPAWN: Final = multiprocessing.get_context("spawn")
_SHORTEST_LIFE_SECONDS: Final = 5.0
_SLACK_SECONDS: Final = 10.0


class ServerProcesses:
    """`count` processes that serve `plan` on `sockets`."""

    def __init__(self, plan: Plan, sockets: list[socket], count: int) -> None:
        self._plan = plan
        self._sockets = sockets
        self._count = count
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Serve until told to stop. Raises Refused when a process cannot start."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stopping.set)
        keepers = [asyncio.create_task(self._keep_one_running()) for _ in range(self._count)]
        try:
            await asyncio.gather(*keepers)
        finally:
            self._stopping.set()
            for each in self._sockets:
                each.close()
            await asyncio.gather(*keepers, return_exceptions=True)

    async def _keep_one_running(self) -> None:
        while not self._stopping.is_set():
            started = time.monotonic()
            process = _SPAWN.Process(target=serve_as_child, args=(self._plan, self._sockets), name="mandate server")
            process.start()
            ended = asyncio.create_task(_end_of(process))
            stopping = asyncio.create_task(self._stopping.wait())
            await asyncio.wait((ended, stopping), return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if self._stopping.is_set():
                await self._stop(process, ended)
            await self._note_end(process, time.monotonic() - started)

    async def _note_end(self, process: SpawnProcess, lived: float) -> None:
        worker_ended(process.pid or 0)
        if self._stopping.is_set():
            return
        if process.exitcode == STARTUP_FAILURE:
            raise Refused("a server process could not start; its reason stands in the log")
        _log.error("server_process_died", pid=process.pid, exit_code=process.exitcode)
        if lived < _SHORTEST_LIFE_SECONDS:
            await asyncio.sleep(1)

    async def _stop(self, process: SpawnProcess, ended: asyncio.Task[None]) -> None:
        http, jobs = self._plan.settings.http, self._plan.settings.jobs
        patience = http.drain_notice + http.drain_timeout + jobs.shutdown_timeout
        process.terminate()
        done, _ = await asyncio.wait((ended,), timeout=patience.total_seconds() + _SLACK_SECONDS)
        if not done:
            process.kill()
            await ended


async def _end_of(process: SpawnProcess) -> None:
    """Return when the process has ended."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(process.sentinel, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(process.sentinel)
    process.join()
