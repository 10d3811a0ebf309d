"""One SQL statement for everybody who asks at the same moment.

Most of what a short statement costs, here and in PostgreSQL, is the round trip and the start of its plan, not the row.
So those who ask together, or while every connection is busy, share one execution; somebody alone is asked for at once.
Nobody is ever answered with what was read before they asked.
"""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg

from modules.shared.errors import DatabaseUnavailable

MOST_TOGETHER = 32

_Question = tuple[tuple[object, ...], "asyncio.Future[asyncpg.Record]"]


class JointStatement:
    """`ask(*arguments)` answers one row, or raises DatabaseUnavailable.

    `fetch` runs the statement. It takes one array per argument and answers, for each place in the arrays, one row whose
    last column is the place, counted from 1. At most `executions` of it run at a time, and at most `waiters` wait.
    """

    def __init__(self, fetch: Callable[..., Awaitable[list[asyncpg.Record]]], *, executions: int, waiters: int) -> None:
        self._fetch = fetch
        self._most_executions = executions
        self._most_waiters = waiters
        self._waiting: list[_Question] = []
        self._executions: set[asyncio.Task[None]] = set()
        self._is_due = False

    @property
    def waiting(self) -> int:
        """How many questions wait for an execution."""
        return len(self._waiting)

    async def ask(self, *arguments: object) -> asyncpg.Record:
        """The row of these arguments."""
        if len(self._waiting) >= self._most_waiters:
            raise DatabaseUnavailable(retry_after=1)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[asyncpg.Record] = loop.create_future()
        self._waiting.append((arguments, answer))
        if not self._is_due:
            self._is_due = True
            loop.call_soon(self._execute)  # once the requests that arrived together have all asked
        return await answer

    def _execute(self) -> None:
        self._is_due = False
        while self._waiting and len(self._executions) < self._most_executions:
            together, self._waiting = self._waiting[:MOST_TOGETHER], self._waiting[MOST_TOGETHER:]
            execution = asyncio.create_task(self._answer(together))
            self._executions.add(execution)
            execution.add_done_callback(self._ended)

    def _ended(self, execution: asyncio.Task[None]) -> None:
        self._executions.discard(execution)
        self._execute()

    async def _answer(self, together: list[_Question]) -> None:
        try:
            arrays = map(list, zip(*(arguments for arguments, _ in together), strict=True))
            for row in await self._fetch(*arrays):
                answer = together[row[-1] - 1][1]
                if not answer.done():
                    answer.set_result(row)
        except DatabaseUnavailable:
            # Those who wait behind have waited almost as long: trying for them too would take them past the deadline.
            together, self._waiting = together + self._waiting, []
            for _, answer in together:
                _raise_in(answer, DatabaseUnavailable(retry_after=1))
        except Exception as error:  # noqa: BLE001 - raised where it was asked for
            for _, answer in together:
                _raise_in(answer, error)


def _raise_in(answer: "asyncio.Future[asyncpg.Record]", error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
