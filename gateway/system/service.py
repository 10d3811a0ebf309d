"""Looks at the parts of the installation for those who run it. It reads, and changes nothing."""

import os
import socket

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from gateway import migrations
from gateway.settings import Settings
from gateway.system import repository
from gateway.system.schemas import (
    ConnectionCount,
    DatabaseRead,
    FailedJob,
    JobsRead,
    LogLine,
    LogLines,
    PoolRead,
    SettingRead,
    SlowStatement,
    SlowStatements,
    TableSize,
    WaitingJob,
)
from modules.shared.database import Database, WaitedForPool
from modules.shared.prepared_statement import PreparedStatements
from modules.shared.recent_lines import Line, RecentLines
from modules.shared.settings import describe

_NAMED = frozenset({"timestamp", "level", "logger", "event", "request_id"})


class SystemService:
    """Settings, database, log and jobs, as the process that answers sees them."""

    def __init__(
        self, settings: Settings, database: Database, authorisation: PreparedStatements, lines: RecentLines
    ) -> None:
        self._settings = settings
        self._database = database
        self._authorisation = authorisation
        self._lines = lines
        self._expected_level = migrations.expected_level()

    def list_settings(self) -> list[SettingRead]:
        """Every setting in force with its source, secrets masked."""
        return [SettingRead.model_validate(setting) for setting in describe(self._settings)]

    async def read_database(self) -> DatabaseRead:
        """How large, how busy, at which level the database is."""
        async with self._database.system_session() as session:
            return DatabaseRead(
                **await repository.read_database(session),
                kind="embedded" if self._settings.database.embedded else "external",
                expected_level=self._expected_level,
                tables=[TableSize.model_validate(row) for row in await repository.list_largest_tables(session)],
                connections=[ConnectionCount.model_validate(row) for row in await repository.list_connections(session)],
                pools=self.pools(),
                slow_statements=await _slow_statements(session),
            )

    def list_lines(self, *, least_level: str, event: str | None, request_id: str | None, most: int) -> LogLines:
        """The last lines this process logged that match, the newest first."""
        found = self._lines.find(least_level=least_level, event=event, request_id=request_id, most=most)
        return LogLines(host=socket.gethostname(), process=os.getpid(), items=[_shown(line) for line in found])

    async def read_jobs(self) -> JobsRead:
        """How long the queue is, what waits in it, what was given up."""
        async with self._database.system_session() as session:
            waiting = await repository.find_oldest_waiting_job(session)
            return JobsRead(
                by_status=await repository.count_jobs(session),
                due=await repository.count_due_jobs(session),
                workers=await repository.count_workers(session),
                oldest_waiting=WaitingJob.model_validate(waiting) if waiting else None,
                failed=[FailedJob.model_validate(row) for row in await repository.list_failed_jobs(session)],
            )

    def pools(self) -> list[PoolRead]:
        """The connections of this process, by login."""
        asking = self._authorisation
        return [
            PoolRead(login="mandate_app", **_state_of(self._database.app_engine)),
            PoolRead(login="mandate_system", **_state_of(self._database.system_engine)),
            PoolRead(
                login="mandate_auth",
                size=asking.size,
                idle=asking.idle,
                in_use=asking.size - asking.idle,
                waiting=asking.waiting,
            ),
        ]


def _state_of(engine: AsyncEngine) -> dict[str, int]:
    pool = engine.pool
    if not isinstance(pool, WaitedForPool):
        raise TypeError(f"{type(pool).__name__} does not count who waits")
    return {"size": pool.size(), "idle": pool.checkedin(), "in_use": pool.checkedout(), "waiting": pool.waiting}


async def _slow_statements(session: AsyncSession) -> SlowStatements:
    if not await repository.has_statement_statistics(session):
        return SlowStatements(available=False, reason="The extension pg_stat_statements is not in this database.")
    rows = await repository.list_slow_statements(session)
    if rows is None:
        return SlowStatements(available=False, reason="shared_preload_libraries lacks pg_stat_statements.")
    return SlowStatements(available=True, items=[SlowStatement.model_validate(row) for row in rows])


def _shown(line: Line) -> LogLine:
    return LogLine(
        timestamp=str(line["timestamp"]),
        level=str(line["level"]),
        logger=str(line["logger"]) if line.get("logger") else None,
        event=str(line["event"]),
        request_id=str(line["request_id"]) if line.get("request_id") else None,
        fields={name: value for name, value in line.items() if name not in _NAMED},
    )
