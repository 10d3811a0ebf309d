"""`mandate serve --reload`: one server process, started again when a Python file below the working directory changes.

A process that cannot start, because the file saved last has a mistake in it, is started again after the next change.
"""

import asyncio
import multiprocessing
from multiprocessing.context import SpawnProcess
from pathlib import Path
import signal
from socket import socket
from typing import Final

from watchfiles import PythonFilter, awatch

from gateway.commands.server_process import Plan, serve_as_child

_SPAWN: Final = multiprocessing.get_context("spawn")
_PATIENCE_SECONDS: Final = 5.0


async def serve_reloading(plan: Plan, sockets: list[socket]) -> None:
    """Serve until told to stop. Requests that a change interrupts get little time: somebody waits for it."""
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    process = _start(plan, sockets)
    try:
        async for _ in awatch(Path.cwd(), watch_filter=PythonFilter(), stop_event=stopping):
            await asyncio.to_thread(_end, process)
            process = _start(plan, sockets)
    finally:
        await asyncio.to_thread(_end, process)


def _start(plan: Plan, sockets: list[socket]) -> SpawnProcess:
    process = _SPAWN.Process(target=serve_as_child, args=(plan, sockets), name="mandate server")
    process.start()
    return process


def _end(process: SpawnProcess) -> None:
    process.terminate()
    process.join(_PATIENCE_SECONDS)
    process.kill()
    process.join()
