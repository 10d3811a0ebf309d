"""What PostgreSQL says about itself and about the queue of jobs. Every function reads as mandate_system."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, RowMapping, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

_MOST_TABLES = 20
_MOST_STATEMENTS = 20
_MOST_FAILED = 100
_NOT_LOADED = "55000"
"""SQLSTATE object_not_in_prerequisite_state: the extension is there, its library is not preloaded."""

_DATABASE = text(
    """
    SELECT current_database() AS name, current_setting('server_version') AS version,
        (SELECT version_num FROM alembic_version) AS level, pg_database_size(current_database()) AS bytes,
        CAST(current_setting('max_connections') AS integer) AS max_connections
    """
)
_TABLES = text(
    """
    SELECT whole.relnamespace::regnamespace::text || '.' || whole.relname AS name,
        CAST(sum(pg_total_relation_size(part.oid)) AS bigint) AS bytes,
        CAST(sum(greatest(part.reltuples, 0)) AS bigint) AS rows
    FROM pg_class part JOIN pg_class whole ON whole.oid = coalesce(pg_partition_root(part.oid), part.oid)
    WHERE part.relkind = 'r' AND part.relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema')
    GROUP BY whole.oid, whole.relnamespace, whole.relname
    ORDER BY bytes DESC, name
    LIMIT :most
    """
)
_CONNECTIONS = text(
    """
    SELECT coalesce(usename, '') AS login, application_name AS application, count(*) AS connections
    FROM pg_stat_activity WHERE datname = current_database()
    GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2
    """
)
_STATISTICS_SCHEMA = text(
    "SELECT quote_ident(nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace"
    " WHERE extname = 'pg_stat_statements'"
)
# Of utility statements nothing is shown: their values are not replaced by $1, and some are passwords.
_STATEMENTS = """
    SELECT rolname AS login, s.calls,
        s.total_exec_time / 1000 AS total_seconds, s.mean_exec_time / 1000 AS mean_seconds,
        CASE WHEN s.queryid IS NOT NULL THEN left(s.query, 2000) END AS statement
    FROM {schema}.pg_stat_statements s JOIN pg_roles ON pg_roles.oid = s.userid
    WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND (s.queryid IS NULL OR s.query ~* '^[\\s(]*(select|insert|update|delete|merge|with)\\M')
    ORDER BY s.total_exec_time DESC
    LIMIT :most
"""

_JOBS_BY_STATUS = text(
    "SELECT status::text AS status, count(*) AS jobs FROM jobs.procrastinate_jobs GROUP BY 1 ORDER BY 1"
)
_DUE = "job.status = 'todo' AND (job.scheduled_at IS NULL OR job.scheduled_at <= now())"
_DUE_JOBS = text(f"SELECT count(*) FROM jobs.procrastinate_jobs job WHERE {_DUE}")  # noqa: S608  # of constants
# As cheap as it gets: one pass over what waits or failed. A job without a time of its own was due when it was added,
# and the lowest number was added first.
_QUEUE = text(
    f"""
    SELECT count(*) FILTER (WHERE {_DUE}) AS due, count(*) FILTER (WHERE job.status = 'failed') AS failed,
        CAST(coalesce(extract(epoch FROM now() - least(
            min(job.scheduled_at) FILTER (WHERE {_DUE}),
            (SELECT at FROM jobs.procrastinate_events added WHERE added.type = 'deferred' AND added.job_id =
                min(job.id) FILTER (WHERE job.status = 'todo' AND job.scheduled_at IS NULL))
        )), 0) AS double precision) AS oldest_seconds
    FROM jobs.procrastinate_jobs job WHERE job.status IN ('todo', 'failed')
    """  # noqa: S608  # of constants
)
_WORKERS = text("SELECT count(*) FROM jobs.procrastinate_workers WHERE last_heartbeat > now() - interval '1 minute'")
_ABOUT_JOB = (
    "job.id, job.task_name AS task, job.attempts, job.args ->> 'request_id' AS request_id,"
    " CAST(job.args ->> 'mandate_id' AS uuid) AS mandate_id"
)
_OLDEST_WAITING = text(
    f"""
    SELECT {_ABOUT_JOB},
        greatest(job.scheduled_at, (SELECT max(at) FROM jobs.procrastinate_events e
            WHERE e.job_id = job.id AND e.type IN ('deferred', 'deferred_for_retry', 'retried'))) AS waiting_since
    FROM jobs.procrastinate_jobs job WHERE {_DUE}
    ORDER BY waiting_since, job.id LIMIT 1
    """  # noqa: S608  # made of constants
)
_FAILED = text(
    f"""
    SELECT {_ABOUT_JOB}, failure.at AS failed_at
    FROM jobs.procrastinate_jobs job
    JOIN LATERAL (SELECT max(at) AS at FROM jobs.procrastinate_events e WHERE e.job_id = job.id AND e.type = 'failed')
        failure ON failure.at > now() - interval '1 day'
    WHERE job.status = 'failed'
    ORDER BY failure.at DESC, job.id DESC LIMIT :most
    """  # noqa: S608  # made of constants
)


async def read_database(session: AsyncSession) -> RowMapping:
    """Name, version, level, size and the most connections."""
    return (await session.execute(_DATABASE)).mappings().one()


async def list_largest_tables(session: AsyncSession) -> Sequence[Row[Any]]:
    """The largest tables, with everything that belongs to them."""
    return (await session.execute(_TABLES, {"most": _MOST_TABLES})).all()


async def list_connections(session: AsyncSession) -> Sequence[Row[Any]]:
    """Who is connected, by login and application."""
    return (await session.execute(_CONNECTIONS)).all()


async def has_statement_statistics(session: AsyncSession) -> bool:
    """Whether the extension `pg_stat_statements` is in this database."""
    return await session.scalar(_STATISTICS_SCHEMA) is not None


async def list_slow_statements(session: AsyncSession) -> Sequence[Row[Any]] | None:
    """The statements that took the most time; None when the server does not count them."""
    schema = await session.scalar(_STATISTICS_SCHEMA)
    try:
        async with session.begin_nested():
            found = await session.execute(text(_STATEMENTS.format(schema=schema)), {"most": _MOST_STATEMENTS})
            return found.all()
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != _NOT_LOADED:
            raise
        return None


async def count_jobs(session: AsyncSession) -> dict[str, int]:
    """How many jobs there are of each status."""
    return {row.status: row.jobs for row in await session.execute(_JOBS_BY_STATUS)}


async def count_due_jobs(session: AsyncSession) -> int:
    """How many jobs could be worked on now."""
    return int(await session.scalar(_DUE_JOBS) or 0)


async def read_queue(session: AsyncSession) -> Row[Any]:
    """How many jobs are due and how many failed, and for how many seconds the oldest due one has waited."""
    return (await session.execute(_QUEUE)).one()


async def count_workers(session: AsyncSession) -> int:
    """How many workers gave a sign of life lately."""
    return int(await session.scalar(_WORKERS) or 0)


async def find_oldest_waiting_job(session: AsyncSession) -> Row[Any] | None:
    """The job that could have been begun the longest time ago."""
    return (await session.execute(_OLDEST_WAITING)).one_or_none()


async def list_failed_jobs(session: AsyncSession) -> Sequence[Row[Any]]:
    """The jobs given up within a day, the newest first."""
    return (await session.execute(_FAILED, {"most": _MOST_FAILED})).all()
