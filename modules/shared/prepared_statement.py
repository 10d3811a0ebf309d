"""A few read-only SQL statements, prepared on connections of their own: the fast way to ask PostgreSQL one question per
request.

Measured against a general pool this saves the checkout, the transaction and the planning (see docs/performance.md).
Each connection is kept by one task that connects, prepares, lends, and after a loss comes back with a growing pause. A
freed connection is handed to the longest-waiting caller directly: a shared queue lets late callers overtake and starves
the others.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Self

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement as Prepared
import structlog

from modules.shared.errors import DatabaseUnavailable
from modules.shared.joint_statement import JointStatement

_log = structlog.get_logger(__name__)
# A generic plan is made once, perhaps while the tables are empty: every lookup here is by key, whatever the statistics
# say.
_PLANS_BY_INDEX = {
    f"enable_{way}": "off" for way in ("seqscan", "bitmapscan", "hashjoin", "mergejoin", "material", "memoize")
} | {"join_collapse_limit": "1"}
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0
_LOST = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)


class _Lane:
    """A connection that is up, with the statements prepared on it."""

    __slots__ = ("connection", "lost", "prepared")

    def __init__(self, connection: asyncpg.Connection, prepared: "Mapping[str, Prepared[asyncpg.Record]]") -> None:
        self.connection = connection
        self.prepared = prepared
        self.lost = asyncio.Event()
        connection.add_termination_listener(self._terminated)

    def _terminated(self, _: object) -> None:
        self.lost.set()


class PreparedStatements:
    """`fetch(name, *arguments)` answers the rows of one of the statements; raises DatabaseUnavailable at the deadline,
    never waits longer.
    """

    def __init__(
        self, url: str, statements: Mapping[str, str], *, connections: int, deadline: timedelta, waiters: int
    ) -> None:
        self._url = url
        self._sql = statements
        self.size = connections
        self._deadline = deadline.total_seconds()
        self._most_waiters = waiters
        self._free: deque[_Lane] = deque()
        self._waiting: deque[asyncio.Future[_Lane]] = deque()
        self._keepers: list[asyncio.Task[None]] = []
        self._joint: list[JointStatement] = []
        self.statements = 0

    async def start(self) -> Self:
        """Begin to connect; does not wait for the database, which may be away."""
        self._keepers = [asyncio.create_task(self._keep(), name=f"prepared-statements-{n}") for n in range(self.size)]
        return self

    async def stop(self) -> None:
        """Close every connection and refuse those who wait."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        self._keepers.clear()
        while self._waiting:
            self._refuse(self._waiting.popleft())

    @property
    def idle(self) -> int:
        """How many connections are up and free."""
        return len(self._free)

    @property
    def waiting(self) -> int:
        """How many callers wait for a connection."""
        return len(self._waiting) + sum(joint.waiting for joint in self._joint)

    def joint(self, name: str) -> JointStatement:
        """The statement called `name`, run once for all who ask at the same moment."""
        joint = JointStatement(partial(self.fetch, name), executions=self.size, waiters=self._most_waiters)
        self._joint.append(joint)
        return joint

    async def fetch(self, name: str, *arguments: object) -> list[asyncpg.Record]:
        """The rows of the statement called `name`. One retry on another connection when one was lost: no statement
        changes anything.
        """
        until = asyncio.get_running_loop().time() + self._deadline
        try:
            try:
                return await self._ask(name, arguments, until)
            except TimeoutError:
                raise
            except _LOST:
                return await self._ask(name, arguments, until)
        except _LOST as error:
            raise DatabaseUnavailable(retry_after=1) from error

    async def _ask(self, name: str, arguments: tuple[object, ...], until: float) -> list[asyncpg.Record]:
        lane = self._free.popleft() if self._free else await self._wait(until)
        try:
            self.statements += 1
            left = until - asyncio.get_running_loop().time()
            rows = await lane.prepared[name].fetch(*arguments, timeout=left)
        except BaseException as error:
            if isinstance(error, asyncpg.DataError | ValueError):  # the arguments' fault, not the connection's
                self._release(lane)
            else:
                lane.connection.terminate()
                lane.lost.set()
            raise
        self._release(lane)
        return rows

    async def _wait(self, until: float) -> _Lane:
        if len(self._waiting) >= self._most_waiters:
            raise DatabaseUnavailable(retry_after=1)
        turn: asyncio.Future[_Lane] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout_at(until):
                return await turn
        except BaseException as error:
            with suppress(ValueError):
                self._waiting.remove(turn)
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._release(turn.result())  # handed over in the moment of giving up
            if isinstance(error, TimeoutError):
                raise DatabaseUnavailable(retry_after=1) from error
            raise

    def _release(self, lane: _Lane) -> None:
        if lane.lost.is_set():
            return
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(lane)
                return
        self._free.append(lane)

    async def _keep(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                lane = await self._connect()
            except _LOST as error:
                _log.warning("authorisation_connection_failed", error=type(error).__name__, retry_in=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
                continue
            pause = _FIRST_PAUSE
            self._release(lane)
            try:
                await lane.lost.wait()
            finally:
                if lane in self._free:
                    self._free.remove(lane)
                lane.connection.terminate()

    async def _connect(self) -> _Lane:
        connection = await asyncpg.connect(
            self._url,
            timeout=2,
            server_settings={
                "application_name": "mandate-gateway-authorisation",
                "plan_cache_mode": "force_generic_plan",
                "default_transaction_read_only": "on",
                "timezone": "UTC",
                "jit": "off",
                **_PLANS_BY_INDEX,
            },
        )
        try:
            prepared = {name: await connection.prepare(sql) for name, sql in self._sql.items()}
            # Set last: asyncpg's prepare ends without a Sync, so the server would count the idle time until the first
            # use as the statement's.
            await connection.execute(f"SET statement_timeout = {int(self._deadline * 1000)}")
        except BaseException:  # stopped in the middle: nobody else knows of the connection
            connection.terminate()
            raise
        return _Lane(connection, prepared)

    @staticmethod
    def _refuse(turn: "asyncio.Future[_Lane]") -> None:
        if not turn.done():
            turn.set_exception(DatabaseUnavailable(retry_after=1))
