"""Waiting for what another task or process does, without guessing how long it takes."""

import asyncio
from collections.abc import Awaitable, Callable
import inspect


async def eventually(condition: Callable[[], bool | Awaitable[bool]], *, seconds: float = 15) -> None:
    """Return once `condition` holds; a test whose condition never does fails after so many seconds."""
    async with asyncio.timeout(seconds):
        while True:
            holds = condition()
            if await holds if inspect.isawaitable(holds) else holds:
                return
            await asyncio.sleep(0.02)
