"""Ends requests that take too long, at a cost no request notices: one timer for all of them instead of one each.

All requests have the same time, so the one that began first is due first, and a dict remembers in which order they
began. The timer is set for the first and, when it rings, for the next.
"""

import asyncio
from time import perf_counter
from typing import Any, Protocol

_Task = asyncio.Task[Any] | None


class Timed(Protocol):
    """A request being answered."""

    started: float
    """When, by `perf_counter`."""
    status: int
    """0 until the answer has begun; from then on it may last: streams do."""
    timed_out: bool
    """Whether the time was up and its task was cancelled for it."""


class Deadlines:
    """The deadlines of all requests of one application. A request that is due is cancelled and marked `timed_out`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waiting: dict[_Task, Timed] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def begin(self, request: Timed) -> _Task:
        """Give the present task its time for `request`. It is answered, or given up, when `end` is called."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        self._waiting[task] = request
        if self._timer is None or self._loop is not loop:  # the timer of a loop that ended never rings
            self._loop = loop
            self._timer = loop.call_later(self._seconds, self._ring)
        return task

    def end(self, task: _Task) -> None:
        """The task is done with its request."""
        self._waiting.pop(task, None)

    def _ring(self) -> None:
        """Cancel what is due. The timer rings for the first request of its time, even if that was answered long ago."""
        self._timer = None
        while self._waiting:
            task, request = next(iter(self._waiting.items()))
            left = request.started + self._seconds - perf_counter()
            if left > 0:
                self._timer = asyncio.get_running_loop().call_later(left, self._ring)
                return
            del self._waiting[task]
            if task is not None and not request.status:
                request.timed_out = True
                task.cancel()
